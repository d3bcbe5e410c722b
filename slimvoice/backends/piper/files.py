"""Which files are Piper's, and what they tell: configurations, and the repository's voices.json. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from slimvoice.backends.info import DetectedModel, IndexedVoice, Repository, wrong_files
from slimvoice.backends.tts.graph_file import contains
from slimvoice.errors import Corrupted
from slimvoice.speech import Model, Voice

DURATIONS = "/Ceil_output_0"
"""The tensor of frames per phoneme in Piper's exports: piper/patch_voice_with_alignment.py."""
_MAX_CONFIG_BYTES = 4_000_000


def detect(repository: Repository) -> Iterator[DetectedModel]:
    """Find graphs with a configuration beside them."""
    for path in repository.named(".onnx"):
        config = f"{path}.json"
        if config in repository.paths and _is_config(_json(repository.peek(config, _MAX_CONFIG_BYTES))):
            yield DetectedModel(files=(("weights", path), ("config", config)))


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Check the configuration, and tell its speakers and language, and whether the graph gives the times of words."""
    try:
        config: Any = msgspec.json.decode(Path(paths["config"]).read_bytes())
    except msgspec.DecodeError as error:
        raise wrong_files(model, "its configuration is no JSON") from error
    if not _is_config(config):
        raise wrong_files(model, "its configuration is none of Piper's")
    (timed,) = contains(paths["weights"], DURATIONS.encode())
    tag = _tag(config) or (model.voices[0].language if model.voices else "")
    voices = _speakers(config.get("speaker_id_map") or {}, tag)
    voices = voices or model.voices or (Voice(id="default", language=tag, name=model.name),)
    return msgspec.structs.replace(
        model,
        voices=voices,
        default_voice=voices[0].id,
        languages=model.languages or ((tag.split("-")[0],) if tag else ()),
        lacks=() if timed else ("word_timestamps",),
    )


def _is_config(config: object) -> bool:
    return isinstance(config, Mapping) and "phoneme_id_map" in config and isinstance(config.get("audio"), Mapping)


def _json(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return None


def _speakers(numbers: Mapping[str, int], tag: str) -> tuple[Voice, ...]:
    """Return the speakers in the order of their numbers; empty where there is only one."""
    if len(numbers) < 2:
        return ()
    return tuple(Voice(id=name, language=tag, name=name) for name in sorted(numbers, key=numbers.__getitem__))


def _tag(config: Mapping[str, Any]) -> str:
    """Return the voice's BCP 47 tag; `language.code` is de_DE, older files have only espeak's voice."""
    language, espeak = config.get("language"), config.get("espeak")
    code = language.get("code", "") if isinstance(language, Mapping) else ""
    if code:
        return str(code).replace("_", "-")
    voice = str(espeak.get("voice", "")) if isinstance(espeak, Mapping) else ""
    first, _, region = voice.partition("-")
    return f"{first}-{region.upper()}" if len(region) == 2 else first


class _File(msgspec.Struct, frozen=True):
    size_bytes: int = 0


class _Language(msgspec.Struct, frozen=True):
    code: str = ""


class _Listed(msgspec.Struct, frozen=True):
    files: dict[str, _File] = {}
    speaker_id_map: dict[str, int] = {}
    language: _Language = _Language()


def read_index(data: bytes) -> dict[str, IndexedVoice]:
    """Read a voices.json."""
    try:
        listed = msgspec.json.decode(data, type=dict[str, _Listed])
    except msgspec.DecodeError as error:
        raise Corrupted(f"the index of voices is damaged: {error}") from error
    return {
        name: IndexedVoice(
            size_bytes=sum(f.size_bytes for path, f in each.files.items() if path.endswith((".onnx", ".onnx.json"))),
            speakers=_speakers(each.speaker_id_map, each.language.code.replace("_", "-")),
        )
        for name, each in listed.items()
    }
