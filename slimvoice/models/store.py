"""The models of the volume: HOME/models/<model>/ with a manifest, visible only when whole.

A pull works in HOME/models/.pulling/<model>/, whose unfinished files end in `.part`, and renames the folder into
place. Models that are made of the same file (Kokoro's voices) share it by hard link, so removing one model never
takes a file from another, and the disk holds it once; where the filesystem has no hard links it is copied.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from slimvoice.errors import ConfigError, unwritable_volume
from slimvoice.models.records import Manifest, ModelFile, StoredFile
from slimvoice.models.schema import is_model_name

_MANIFEST = "manifest.json"
_WAIT_S = 0.2


class Store:
    """Installed models under `home`/models. Reading takes no lock: folders appear and vanish by rename."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = home / "models"

    def installed(self) -> list[Manifest]:
        """Return the manifest of every whole model, by name."""
        if not self.models.is_dir():
            return []
        folders = (path for path in self.models.iterdir() if not path.name.startswith("."))
        found = [manifest for folder in folders if (manifest := _read_manifest(folder)) is not None]
        return sorted(found, key=lambda manifest: manifest.model.name)

    def manifest(self, name: str) -> Manifest | None:
        """Return a model's manifest; None when it is not here, or has lost a file."""
        if not is_model_name(name):  # it came from a request, and is to become a path
            return None
        folder = self.folder(name)
        manifest = _read_manifest(folder)
        if manifest is None or not all(_is_whole(folder, file) for file in manifest.files):
            return None
        return manifest

    def folder(self, name: str) -> Path:
        """Return where a model lies or would lie."""
        return self.models / _folder_name(name)

    def paths(self, manifest: Manifest) -> dict[str, str]:
        """Return role -> path of a model's files; a folder role names the folder."""
        return paths_by_role(self.folder(manifest.model.name), manifest.files)

    def has_traces(self, name: str) -> bool:
        """Return whether anything of a model lies here, whole, damaged or half pulled."""
        return is_model_name(name) and (self.folder(name).exists() or self.staging_path(name).exists())

    @contextlib.contextmanager
    def hold(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Lock a model against changes by other threads and processes; calls `waiting` while another holds it."""
        from filelock import FileLock, Timeout  # reading needs no lock, and start-up not this import

        lock = FileLock(self._make(self.models / ".locks") / f"{_folder_name(name)}.lock")
        while True:
            try:
                lock.acquire(timeout=_WAIT_S)
                break
            except Timeout:
                waiting()
            except OSError as error:
                raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def staging(self, name: str) -> Path:
        """Return the folder in which a model is put together, making it where needed."""
        return self._make(self.staging_path(name))

    def staging_path(self, name: str) -> Path:
        """Return the folder in which a model is put together."""
        return self.models / ".pulling" / _folder_name(name)

    def publish(self, manifest: Manifest) -> None:
        """Make a staged model visible in one rename, in place of an older one."""
        name = manifest.model.name
        staging, folder = self.staging(name), self.folder(name)
        _sweep(staging, keep={staging / file.path for file in manifest.files})
        _write(staging / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        old = None
        if folder.exists():
            old = self._trash(folder)
        staging.rename(folder)
        _sync_folder(self.models)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

    def discard(self, name: str) -> None:
        """Delete a model's staging folder."""
        shutil.rmtree(self.staging_path(name), ignore_errors=True)

    def remove(self, name: str) -> int:
        """Remove a model and what was half pulled of it; returns the bytes that this gave back."""
        freed = 0
        for folder in (self.folder(name), self.staging_path(name)):
            if folder.exists():
                old = self._trash(folder)
                freed += sum(stat.st_size for stat in map(os.stat, _files(old)) if stat.st_nlink == 1)
                shutil.rmtree(old, ignore_errors=True)
        return freed

    def donor(self, file: ModelFile) -> tuple[Path, StoredFile] | None:
        """Return an installed model's copy of this very file: of the same sha256, or unpinned and of one origin."""
        for manifest in self.installed():
            for stored in manifest.files:
                if _same_file(stored, file) and _is_whole(folder := self.folder(manifest.model.name), stored):
                    return folder / stored.path, stored
        return None

    def _trash(self, folder: Path) -> Path:
        """Rename a folder out of sight; deleting it may then take its time."""
        bin_folder = self._make(self.models / ".trash")
        for stale in bin_folder.iterdir():
            shutil.rmtree(stale, ignore_errors=True)
        target = bin_folder / f"{folder.name}-{os.getpid()}"
        return folder.rename(target)

    def _make(self, folder: Path) -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return folder

    def _unwritable(self, error: OSError) -> ConfigError:
        return unwritable_volume(self.home, error)


def paths_by_role(folder: Path, files: Sequence[StoredFile]) -> dict[str, str]:
    """Return role -> path inside `folder`; files in a folder named like their role make that folder the path."""
    paths: dict[str, str] = {}
    for file in files:
        path = folder / file.path
        paths.setdefault(file.role, str(path.parent if path.parent.name == file.role else path))
    return paths


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user may still write to the volume."""
    return shutil.disk_usage(folder).free


def link_or_copy(source: Path, target: Path) -> None:
    """Put `source` at `target` too, sharing its bytes where the filesystem can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _folder_name(name: str) -> str:
    return name.replace(":", "@").replace("/", "+")  # neither is allowed in a name, so no two names meet


def _same_file(stored: StoredFile, file: ModelFile) -> bool:
    if file.sha256:
        return stored.sha256 == file.sha256
    return (stored.repo, stored.revision, stored.path) == (file.repo, file.revision, file.path)


def _is_whole(folder: Path, file: StoredFile) -> bool:
    try:
        return (folder / file.path).stat().st_size == file.size
    except OSError:
        return False


def _read_manifest(folder: Path) -> Manifest | None:
    try:
        return msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _sweep(folder: Path, keep: set[Path]) -> None:
    """Delete what a pull left beside the model's files."""
    for path in list(_files(folder)):
        if path not in keep:
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
