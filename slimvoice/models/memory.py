"""Measured memory of loaded models, stored in the volume for the next start's estimates."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from slimvoice import atomic


class MeasuredMemory:
    """Model name -> resident bytes, in one small JSON file. A lost or damaged file only loses measurements."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> int:
        """Return the measured bytes; 0: never measured."""
        return self._read().get(name, 0)

    def put(self, name: str, memory_bytes: int) -> None:
        """Remember a measurement."""
        self._change(name, memory_bytes)

    def forget(self, name: str) -> None:
        """Drop a model's measurement."""
        if name in self._read():
            self._change(name, 0)

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            return {}

    def _change(self, name: str, memory_bytes: int) -> None:
        from filelock import FileLock

        with contextlib.suppress(OSError):  # a volume that is only read still serves
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock")):
                measured = self._read()
                measured[name] = memory_bytes
                if not memory_bytes:
                    del measured[name]
                atomic.write(self._path, msgspec.json.encode(measured))
