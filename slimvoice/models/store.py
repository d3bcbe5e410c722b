"""The models of the volume: HOME/models/<model>/ with a manifest, visible only when whole.

A pull works in HOME/models/.pulling/<model>/, whose unfinished files end in `.part`, and renames the folder into
place. Models that are made of the same file (Kokoro's voices) share it by hard link, so removing one model never
takes a file from another, and the disk holds it once; where the filesystem has no hard links it is copied.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from slimvoice.models.records import Manifest, ModelFile, StoredFile
from slimvoice.models.schema import is_model_name
from slimvoice.models.staging import StagedFolders, files_in, write_synced

_MANIFEST = "manifest.json"

SETTLED_S = 2.0
"""So soon after a change another one may get the same time stamp: what was read then is read again."""


class Store:
    """Installed models under `home`/models. Reading takes no lock: folders appear and vanish by rename."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = home / "models"
        self._folders = StagedFolders(home, self.models)
        self._manifests: Mapping[str, Manifest] = {}
        self._read_at: _Stamp | None = None

    def manifests(self) -> Mapping[str, Manifest]:
        """Return folder name -> manifest of every model, out of memory; the same object until something has changed.

        A model comes and goes by a rename in `models`, in whichever process, so one stat tells. What happens to the
        files of a model is not seen: `lost_files` looks.
        """
        now = _stamp(self.models)
        if now is None:
            self._manifests, self._read_at = {}, None
        elif now != self._read_at:
            settled = time.time() - now.changed_s > SETTLED_S
            self._manifests, self._read_at = self._read(), now if settled else None
        return self._manifests

    def _read(self) -> dict[str, Manifest]:
        return {
            folder.name: found for folder in self._folders.folders() if (found := _read_manifest(folder)) is not None
        }

    def installed(self) -> list[Manifest]:
        """Return the manifest of every whole model, by name."""
        return [manifest for manifest in self._by_name() if not self.lost_files(manifest)]

    def damaged(self) -> list[Manifest]:
        """Return the manifest of every model that has lost a file, or whose file has another size, by name."""
        return [manifest for manifest in self._by_name() if self.lost_files(manifest)]

    def _by_name(self) -> list[Manifest]:
        return sorted(self.manifests().values(), key=lambda manifest: manifest.model.name)

    def recorded(self, name: str) -> Manifest | None:
        """Return a model's manifest out of memory; None when it is not here."""
        return self.manifests().get(_folder_name(name)) if is_model_name(name) else None

    def lost_files(self, manifest: Manifest) -> list[StoredFile]:
        """Return the files of a model that are missing or of another size; reads none of them."""
        folder = self.folder(manifest.model.name)
        return [file for file in manifest.files if not _is_whole(folder, file)]

    def manifest(self, name: str) -> Manifest | None:
        """Return a model's manifest as it is on the disk; None when it is not here, or has lost a file."""
        if not is_model_name(name):  # it came from a request, and is to become a path
            return None
        manifest = _read_manifest(self.folder(name))
        return None if manifest is None or self.lost_files(manifest) else manifest

    def folder(self, name: str) -> Path:
        """Return where a model lies or would lie."""
        return self._folders.folder(_folder_name(name))

    def paths(self, manifest: Manifest) -> dict[str, str]:
        """Return role -> path of a model's files; a folder role names the folder."""
        return paths_by_role(self.folder(manifest.model.name), manifest.files)

    def has_traces(self, name: str) -> bool:
        """Return whether anything of a model lies here, whole, damaged or half pulled."""
        return is_model_name(name) and (self.folder(name).exists() or self.staging_path(name).exists())

    def hold(self, name: str, waiting: Callable[[], None] = lambda: None) -> contextlib.AbstractContextManager[None]:
        """Lock a model against changes by other threads and processes; calls `waiting` while another holds it."""
        return self._folders.hold(_folder_name(name), waiting)

    def staging(self, name: str) -> Path:
        """Return the folder in which a model is put together, making it where needed."""
        return self._folders.staging(_folder_name(name))

    def staging_path(self, name: str) -> Path:
        """Return the folder in which a model is put together."""
        return self._folders.staging_path(_folder_name(name))

    def publish(self, manifest: Manifest) -> None:
        """Make a staged model visible in one rename, in place of an older one."""
        name = manifest.model.name
        staging = self.staging(name)
        _sweep(staging, keep={staging / file.path for file in manifest.files})
        write_synced(staging / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        self._folders.publish(_folder_name(name))

    def discard(self, name: str) -> None:
        """Delete a model's staging folder."""
        self._folders.discard(_folder_name(name))

    def remove(self, name: str) -> int:
        """Remove a model and what was half pulled of it; returns the bytes that this gave back."""
        return self._folders.remove(_folder_name(name))

    def donor(self, file: ModelFile, is_intact: Callable[[Path, StoredFile], bool]) -> tuple[Path, StoredFile] | None:
        """Return an installed model's copy of this very file: of the same sha256, or unpinned and of one origin.

        `is_intact` reads a candidate: what is damaged in one model must not get into another.
        """
        for manifest in self.manifests().values():
            folder = self.folder(manifest.model.name)
            for stored in manifest.files:
                if _same_file(stored, file) and _is_whole(folder, stored) and is_intact(folder / stored.path, stored):
                    return folder / stored.path, stored
        return None


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


class _Stamp(NamedTuple):
    """What changes when an entry of a folder does."""

    inode: int
    links: int
    changed_ns: int

    @property
    def changed_s(self) -> float:
        return self.changed_ns / 1e9


def _stamp(folder: Path) -> _Stamp | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return _Stamp(found.st_ino, found.st_nlink, found.st_mtime_ns) if stat.S_ISDIR(found.st_mode) else None


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


def _sweep(folder: Path, keep: set[Path]) -> None:
    """Delete what a pull left beside the model's files."""
    for path in list(files_in(folder)):
        if path not in keep:
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
