"""Exports models to a tar, split into parts that any USB stick takes, and imports them again.

The tar holds `index.json` (the manifests) and each distinct file once, as `sha256/<hash>`: the models' own, and the
wheels of the runtimes that they need. It is the same to the byte each time, so that a broken export goes on behind the
parts that are whole; `<output>.sha256` lists those, in the form that `sha256sum -c` reads. An import verifies every
file, goes on where it was broken, and shows only what is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from slimvoice.errors import Corrupted, DiskFull
from slimvoice.models.download import Download, disk_error
from slimvoice.models.parcels import Parcel, model_parcel, runtime_parcel
from slimvoice.models.records import Manifest, ModelFile, OnProgress, PullProgress, StoredFile
from slimvoice.models.runtimes import WHEELS, RuntimeManifest, RuntimeStore
from slimvoice.models.schema import is_model_name
from slimvoice.models.split_file import SplitReader, SplitWriter, parts_of
from slimvoice.models.store import Store, link_or_copy

PART_BYTES = 4_000_000_000
"""FAT32, the usual filesystem of USB sticks, takes files below 4 GiB."""
_COPY_BYTES = 1 << 20
_INDEX = "index.json"
_MAX_INDEX_BYTES = 16_000_000


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    models: tuple[Manifest, ...]
    runtimes: tuple[RuntimeManifest, ...] = ()
    format: int = 1


# --- export ---------------------------------------------------------------------------------------


def export_models(
    store: Store,
    manifests: Sequence[Manifest],
    output: Path,
    on_progress: OnProgress,
    part_bytes: int = PART_BYTES,
    runtimes: Sequence[RuntimeManifest] = (),
) -> list[Path]:
    """Write installed models to `output`, or to `output`.001 and so on where they exceed one part; returns the parts.

    `runtimes` are those that the models need; their wheels come along.

    Raises DiskFull, Corrupted (a file of the volume is not what was once verified), ConfigError.
    """
    members = _members(store, manifests, runtimes)
    total = sum(-(-size // 512) * 512 + 512 for _, size, _ in members) + tarfile.RECORDSIZE
    split = total > part_bytes
    report = _ByteCounter(sum(size for _, size, _ in members), on_progress)
    try:
        with (
            SplitWriter(output, part_bytes if split else None) as parts,
            tarfile.open(fileobj=parts, mode="w|", format=tarfile.USTAR_FORMAT, bufsize=_COPY_BYTES) as box,
        ):
            for name, size, path in members:
                info = tarfile.TarInfo(name)
                info.size = size
                if isinstance(path, bytes):
                    box.addfile(info, io.BytesIO(path))
                else:
                    with path.open("rb") as stream:
                        box.addfile(info, _Verified(stream, name.removeprefix("sha256/"), report))
    except OSError as error:
        raise disk_error(error, output.parent) from error
    report.done()
    return parts.paths


def _members(
    store: Store, manifests: Sequence[Manifest], runtimes: Sequence[RuntimeManifest]
) -> list[tuple[str, int, Path | bytes]]:
    index = _Index(
        models=tuple(sorted(manifests, key=lambda manifest: manifest.model.name)),
        runtimes=tuple(sorted(runtimes, key=lambda manifest: manifest.key)),
    )
    folders = [(store.folder(manifest.model.name), manifest.files) for manifest in index.models]
    volume = RuntimeStore(store.home)
    folders += [(volume.folder(manifest.key) / WHEELS, manifest.wheels) for manifest in index.runtimes]
    files = {
        file.sha256: (f"sha256/{file.sha256}", file.size, folder / file.path)
        for folder, stored in folders
        for file in stored
    }
    encoded = msgspec.json.format(msgspec.json.encode(index), indent=1)
    return [(_INDEX, len(encoded), encoded), *files.values()]


class _Verified:
    """A file being read, whose hash must come out as its name says."""

    def __init__(self, stream: IO[bytes], sha256: str, report: _ByteCounter) -> None:
        self._stream = stream
        self._wanted = sha256
        self._report = report
        self._hash = hashlib.sha256()
        self._left = stream.seek(0, 2)
        stream.seek(0)

    def read(self, length: int = -1) -> bytes:
        data = self._stream.read(length)
        self._hash.update(data)
        self._left -= len(data)
        self._report.add(len(data))
        if self._left <= 0 and self._hash.hexdigest() != self._wanted:
            raise Corrupted(
                f"a file of the volume is damaged: {self._stream.name}",
                hint="slimvoice rm the model, and pull it again",
            )
        return data


# --- import ---------------------------------------------------------------------------------------


def import_models(store: Store, path: Path, on_progress: OnProgress, free: Callable[[Path], int]) -> list[str]:
    """Take the models of an export into the volume; returns their names. `path` is the tar or its first part.

    Raises Corrupted, DiskFull, InvalidRequest.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(SplitReader(parts_of(path)))
        try:
            box = stack.enter_context(tarfile.open(fileobj=stream, mode="r|", bufsize=_COPY_BYTES))
            index = _read_index(box)
            parcels = [runtime_parcel(RuntimeStore(store.home), each, on_progress, free) for each in index.runtimes]
            parcels += [model_parcel(store, manifest) for manifest in index.models]
            for parcel in sorted(parcels, key=lambda parcel: parcel.name):  # no two imports deadlock
                stack.enter_context(parcel.hold())
            arrival = _Import(parcels, store.home, on_progress)
            arrival.check_room(free)
            for info in box:
                arrival.take(info, box.extractfile(info) if info.isreg() else None)
        except tarfile.TarError as error:
            raise Corrupted(f"{path} is no whole export: {error}", hint="copy it again, all parts of it") from error
        arrival.finish()
    return [manifest.model.name for manifest in index.models]


def _read_index(box: tarfile.TarFile) -> _Index:
    info = box.next()
    stream = box.extractfile(info) if info is not None and info.name == _INDEX and info.isreg() else None
    if info is None or stream is None or info.size > _MAX_INDEX_BYTES:
        raise Corrupted("this is no export of slimvoice", hint="make one by slimvoice export MODEL -o models.tar")
    try:
        index = msgspec.json.decode(stream.read(), type=_Index)
    except msgspec.DecodeError as error:
        raise Corrupted(f"the export's index is damaged: {error}") from error
    for manifest in index.models:
        _check(manifest)
    return index


def _check(manifest: Manifest) -> None:
    """Refuse names and paths that could lead out of a model's own folder."""
    if not is_model_name(manifest.model.name):
        raise Corrupted(f"{manifest.model.name!r} is no name of a model")
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or not re.fullmatch("[0-9a-f]{64}", file.sha256):
            raise Corrupted(f"{file.path!r} is no path of a model's file")


class _Import:
    """What an export holds, being put together."""

    def __init__(self, parcels: Sequence[Parcel], home: Path, on_progress: OnProgress) -> None:
        self._home = home
        self._pending = [parcel for parcel in parcels if not parcel.is_here()]
        self._wanted: dict[str, list[tuple[Parcel, StoredFile]]] = {}
        for parcel in self._pending:
            for file in parcel.files:
                self._wanted.setdefault(file.sha256, []).append((parcel, file))
        self._report = _ByteCounter(sum(files[0][1].size for files in self._wanted.values()), on_progress)

    def check_room(self, free: Callable[[Path], int]) -> None:
        """Raise DiskFull before anything is written."""
        if self._pending:
            room = free(self._home)
            if room < self._report.total:
                raise DiskFull(f"the import needs {self._report.total / 1e6:.0f} MB, {room / 1e6:.0f} MB are free")

    def take(self, info: tarfile.TarInfo, stream: IO[bytes] | None) -> None:
        """Take one member of the tar, for each model or runtime that has it."""
        targets = self._wanted.get(info.name.removeprefix("sha256/"), [])
        if stream is None or not targets:
            return
        _, first = targets[0]
        tasks = [_task(parcel, file) for parcel, file in targets]
        if tasks[0].finished() is None:
            self._write(stream, tasks[0], first)
        for (_, file), task in zip(targets[1:], tasks[1:], strict=True):
            link_or_copy(tasks[0].path, task.path)
            task.finish(file)
        del self._wanted[first.sha256]
        for parcel in list(self._pending):
            if not any(file.sha256 in self._wanted for file in parcel.files):
                parcel.publish()
                self._pending.remove(parcel)

    def finish(self) -> None:
        """Raise Corrupted if the tar ended before everything was whole."""
        if self._pending:
            names = ", ".join(parcel.name for parcel in self._pending)
            raise Corrupted(f"the export ends before {names}", hint="copy it again, all parts of it")
        self._report.done()

    def _write(self, stream: IO[bytes], task: Download, file: StoredFile) -> None:
        try:
            task.path.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with task.path.open("wb") as target:
                while chunk := stream.read(_COPY_BYTES):
                    digest.update(chunk)
                    target.write(chunk)
                    self._report.add(len(chunk), file.path)
        except OSError as error:
            raise disk_error(error, self._home) from error
        if digest.hexdigest() != file.sha256:
            task.path.unlink()
            raise Corrupted(f"{file.path} is damaged in the export", hint="copy it again; `sha256sum -c` checks parts")
        task.finish(file)


def _task(parcel: Parcel, file: StoredFile) -> Download:
    wanted = ModelFile(
        role=file.role, repo=file.repo, path=file.path, revision=file.revision, size=file.size, sha256=file.sha256
    )
    return Download(parcel.folder, wanted)


class _ByteCounter:
    """Reports how many bytes have been copied."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self.total = total
        self._done = 0
        self._on_progress = on_progress

    def add(self, count: int, file: str = "") -> None:
        """Count bytes."""
        self._done += count
        self._on_progress(self._state("pulling", file))

    def done(self) -> None:
        """Tell the end."""
        self._done = self.total
        self._on_progress(self._state("done", ""))

    def _state(self, status: str, file: str) -> PullProgress:
        return msgspec.convert(
            {"model": "", "file": file, "done_bytes": self._done, "total_bytes": self.total, "status": status},
            PullProgress,
        )
