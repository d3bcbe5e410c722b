"""Splits a byte stream into files below a size limit, and reads them back as one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from slimvoice.errors import ConfigError, Corrupted, InvalidRequest

_PART = re.compile(r"\.(\d{3})$")


class SplitWriter(io.RawIOBase):
    """Writes a stream into files of limited size; those that an earlier run completed are skipped."""

    def __init__(self, output: Path, part_bytes: int | None) -> None:
        self._output = output
        self._part_bytes = part_bytes
        self._list = output.with_name(f"{output.name}.sha256")
        self._whole = _read_list(self._list)
        self._place = 0
        self._stream: IO[bytes] | None = None
        self._skipping = False
        self.paths: list[Path] = []
        self._hash = hashlib.sha256()

    def writable(self) -> bool:
        """A part can be written."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # tarfile gives bytes
        """Write on, into the next file where this one is full."""
        view = memoryview(data)
        while view:
            if not self.paths or self._place == self._part_bytes:
                self._next()
            room = len(view) if self._part_bytes is None else min(len(view), self._part_bytes - self._place)
            self._hash.update(view[:room])
            if self._stream is not None:
                self._stream.write(view[:room])
            self._place += room
            view = view[room:]
        return len(data)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._stream is not None:
            self._stream.close()

    def _next(self) -> None:
        if self.paths:
            self._finish()
        suffix = "" if self._part_bytes is None else f".{len(self.paths) + 1:03d}"
        path = self._output.with_name(self._output.name + suffix)
        self.paths.append(path)
        self._place, self._hash = 0, hashlib.sha256()
        self._skipping = path.name in self._whole and path.is_file()
        if not self._skipping:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("wb")

    def _finish(self) -> None:
        path, digest = self.paths[-1], self._hash.hexdigest()
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())  # a stick is pulled out as soon as the command returns
            self._stream.close()
            self._stream = None
        elif self._whole.get(path.name) != digest or path.stat().st_size != self._place:
            raise ConfigError(
                f"{path} belongs to another export", hint=f"delete {self._list} and its parts, and export again"
            )
        self._whole[path.name] = digest
        self._list.write_text("".join(f"{value}  {name}\n" for name, value in self._whole.items()))


def _read_list(path: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        return {name: digest for digest, name in (line.split() for line in path.read_text().splitlines())}
    return {}


def parts_of(path: Path) -> list[Path]:
    """Return the parts of a stream: the file itself, or all that lie beside its first part."""
    if not path.is_file():
        first = path.with_name(f"{path.name}.001")
        if not first.is_file():
            raise InvalidRequest(f"{path} does not exist", param="path")
        path = first
    if (match := _PART.search(path.name)) is None:
        return [path]
    stem = path.name[: match.start()]
    parts = sorted(part for part in path.parent.glob(f"{stem}.*") if _PART.search(part.name))
    if [part.name for part in parts] != [f"{stem}.{number:03d}" for number in range(1, len(parts) + 1)]:
        raise Corrupted(f"parts of {stem} are missing", hint="copy all of them into one folder")
    return parts


class SplitReader(io.RawIOBase):
    """Reads split files as one stream."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._waiting = list(paths)
        self._stream: IO[bytes] | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, length: int = -1) -> bytes:
        """Read on, from the next file where this one ends."""
        data = b""
        while len(data) < length and (self._stream is not None or self._waiting):
            if self._stream is None:
                self._stream = self._waiting.pop(0).open("rb")
            more = self._stream.read(length - len(data))
            if not more:
                self._stream.close()
                self._stream = None
            data += more
        return data

    def close(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            self._stream.close()
        super().close()
