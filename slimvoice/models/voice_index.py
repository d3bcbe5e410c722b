"""Piper's voices.json: which voices its repository holds today, kept in the volume once it was fetched."""

from __future__ import annotations

from pathlib import Path

import msgspec

from slimvoice import atomic
from slimvoice.errors import Corrupted
from slimvoice.speech import Voice


class _File(msgspec.Struct, frozen=True):
    size_bytes: int = 0


class _Language(msgspec.Struct, frozen=True):
    code: str = ""


class IndexedVoice(msgspec.Struct, frozen=True):
    """One voice of the index."""

    files: dict[str, _File] = {}
    speaker_id_map: dict[str, int] = {}
    language: _Language = _Language()

    @property
    def size_bytes(self) -> int:
        """Return the bytes of weights and configuration."""
        return sum(file.size_bytes for path, file in self.files.items() if path.endswith((".onnx", ".onnx.json")))

    @property
    def speakers(self) -> tuple[Voice, ...]:
        """Return the speakers in the order of their numbers; empty where there is only one."""
        if len(self.speaker_id_map) < 2:
            return ()
        names = sorted(self.speaker_id_map, key=self.speaker_id_map.__getitem__)
        tag = self.language.code.replace("_", "-")
        return tuple(Voice(id=name, language=tag, name=name) for name in names)


class VoiceIndex:
    """The indexes that were fetched, one file per repository under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def voices(self, repo: str) -> dict[str, IndexedVoice]:
        """Return the voices of a repository by name; empty when its index was never fetched, or is damaged."""
        try:
            return _decode(self._path(repo).read_bytes())
        except (OSError, Corrupted):
            return {}

    def keep(self, repo: str, data: bytes) -> int:
        """Keep a fetched index; returns how many voices it lists. Raises Corrupted."""
        count = len(_decode(data))
        path = self._path(repo)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, data)
        return count

    def _path(self, repo: str) -> Path:
        return self._folder / f"{repo.replace('/', '+')}.json"


def _decode(data: bytes) -> dict[str, IndexedVoice]:
    try:
        return msgspec.json.decode(data, type=dict[str, IndexedVoice])
    except msgspec.DecodeError as error:
        raise Corrupted(f"the index of voices is damaged: {error}") from error
