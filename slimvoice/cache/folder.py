"""A folder of files bounded in size: evicts the least recently used.

The folder is the only record, so that several threads and processes may share one: a file appears by rename, whole, and
its time of change is that of its last use.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import BinaryIO

LARGEST_SHARE = 1 / 2
"""A file larger than this share of the folder would push out more than it is worth."""
SHARE_AFTER_EVICTION = 7 / 8
"""Looking at every file costs more than one file brings: make room for several at once."""
STALE_S = 3600.0
"""A draft that nobody has written to for so long belongs to a process that is gone."""

_DRAFT = ".part"


class CacheFolder:
    """Files by name in `path`, together at most `max_bytes`. Methods block; all but `open` may raise OSError."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._bytes: int | None = None  # not looked yet; what other processes do is seen at the next eviction
        self._lock = threading.Lock()

    def open(self, name: str) -> BinaryIO | None:
        """Return a file to read, and note its use; None: it is not here."""
        path = self.path / name
        try:
            os.utime(path)
            return path.open("rb")
        except OSError:
            return None

    def draft(self, name: str) -> Draft:
        """Begin a file."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Draft(self, name)

    def drop(self, name: str) -> None:
        """Delete a file."""
        (self.path / name).unlink(missing_ok=True)

    def admit(self, draft: Path, name: str, size_bytes: int) -> None:
        """Publish a finished draft, and evict files above the size limit."""
        draft.replace(self.path / name)
        with self._lock:
            known = self._bytes
            self._bytes = self._total_bytes() if known is None else known + size_bytes
            if self._bytes > self.max_bytes:
                self._bytes = self._evict()

    def _total_bytes(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _evict(self) -> int:
        """Delete the files whose last use is longest ago; returns the bytes that stay."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.max_bytes * SHARE_AFTER_EVICTION:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total

    def _files(self) -> list[tuple[int, int, Path]]:
        """Return last use, size and path of every file; what a dead process left half written goes."""
        found = []
        for entry in os.scandir(self.path):
            with contextlib.suppress(FileNotFoundError):  # another process evicts too
                state = entry.stat()
                if not entry.name.endswith(_DRAFT):
                    found.append((state.st_mtime_ns, state.st_size, Path(entry.path)))
                elif time.time() - state.st_mtime > STALE_S:
                    Path(entry.path).unlink()
        return found


class Draft:
    """A file that is being written, readable by its owner only: `keep` it once it is whole, else `discard` it."""

    def __init__(self, folder: CacheFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        descriptor, path = tempfile.mkstemp(suffix=_DRAFT, dir=folder.path)
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, data: bytes) -> None:
        """Add to it; raises OSError where it becomes too large for its folder."""
        self._file.write(data)
        if self._file.tell() > self._folder.max_bytes * LARGEST_SHARE:
            raise OSError("too large for the cache")

    def keep(self) -> None:
        """Let it appear under its name, in the place of another one if there is one."""
        self._file.close()
        self._folder.admit(self._path, self._name, self._path.stat().st_size)

    def discard(self) -> None:
        """Delete what was written; nothing happens to what was kept."""
        with contextlib.suppress(OSError):  # its last bytes may not fit on the disk
            self._file.close()
        self._path.unlink(missing_ok=True)
