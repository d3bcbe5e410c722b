"""The lists of voices that repositories keep, kept in the volume once they were fetched."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from slimvoice import atomic
from slimvoice.backends.info import IndexedVoice, ReadIndex
from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.errors import Corrupted


class VoiceIndex:
    """The indexes that were fetched, one file per repository under `folder`, each read by its backend."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def voices(self, repo: str, backend: str) -> dict[str, IndexedVoice]:
        """Return the voices of a repository by name; empty when its index was never fetched, or is damaged."""
        try:
            return _read(self._path(repo).read_bytes(), backend)
        except (OSError, Corrupted):
            return {}

    def keep(self, repo: str, backend: str, data: bytes) -> int:
        """Keep a fetched index; returns how many voices it lists. Raises Corrupted."""
        count = len(_read(data, backend))
        path = self._path(repo)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data)
        return count

    def _path(self, repo: str) -> Path:
        return self._folder / f"{repo.replace('/', '+')}.json"


def _read(data: bytes, backend: str) -> dict[str, IndexedVoice]:
    info = BACKENDS.get(backend)
    return cast(ReadIndex, imported(info.read_index))(data) if info is not None and info.read_index else {}
