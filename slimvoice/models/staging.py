"""Folders of the volume that appear whole: put together out of sight under a lock, then renamed into place."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from slimvoice.errors import unwritable_volume

_WAIT_S = 0.2


class StagedFolders:
    """Folders below `root` by key, which is a file name. Reading takes no lock: they appear and vanish by rename."""

    def __init__(self, home: Path, root: Path) -> None:
        self.home = home
        self.root = root

    def folder(self, key: str) -> Path:
        """Return where a folder lies or would lie."""
        return self.root / key

    def folders(self) -> list[Path]:
        """Return all that have appeared."""
        if not self.root.is_dir():
            return []
        return [path for path in self.root.iterdir() if not path.name.startswith(".")]

    @contextlib.contextmanager
    def hold(self, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only one, in any process, that changes a folder; calls `waiting` while another is."""
        from filelock import FileLock, Timeout  # reading needs no lock, and start-up not this import

        lock = FileLock(self._make(self.root / ".locks") / f"{key}.lock")
        while True:
            try:
                lock.acquire(timeout=_WAIT_S)
                break
            except Timeout:
                waiting()
            except OSError as error:
                raise unwritable_volume(self.home, error) from error
        try:
            yield
        finally:
            lock.release()

    def staging(self, key: str) -> Path:
        """Return where a folder is put together, making it where needed."""
        return self._make(self.staging_path(key))

    def staging_path(self, key: str) -> Path:
        """Return where a folder is put together."""
        return self.root / ".pulling" / key

    def publish(self, key: str) -> None:
        """Make a staged folder visible in one rename, in place of an older one."""
        staging, folder = self.staging(key), self.folder(key)
        old = self._trash(folder) if folder.exists() else None
        staging.rename(folder)
        _sync_folder(self.root)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

    def discard(self, key: str) -> None:
        """Throw away what was staged."""
        shutil.rmtree(self.staging_path(key), ignore_errors=True)

    def remove(self, key: str) -> int:
        """Remove a folder and what was staged of it; returns the bytes that this gave back."""
        freed = 0
        for folder in (self.folder(key), self.staging_path(key)):
            if folder.exists():
                old = self._trash(folder)
                freed += sum(stat.st_size for stat in map(os.lstat, files_in(old)) if stat.st_nlink == 1)
                shutil.rmtree(old, ignore_errors=True)
        return freed

    def _trash(self, folder: Path) -> Path:
        """Rename a folder out of sight; deleting it may then take its time."""
        bin_folder = self._make(self.root / ".trash")
        for stale in bin_folder.iterdir():
            shutil.rmtree(stale, ignore_errors=True)
        target = bin_folder / f"{folder.name}-{os.getpid()}"
        return folder.rename(target)

    def _make(self, folder: Path) -> Path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable_volume(self.home, error) from error
        return folder


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def write_synced(path: Path, data: bytes) -> None:
    """Write a file whose presence means something, so that it is on the disk before anything is renamed."""
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
