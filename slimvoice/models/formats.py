"""Inspects a model's files: validates their format, and reads their voices and languages."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from slimvoice.errors import Unsupported
from slimvoice.speech import Model, Voice

_GGML_MAGIC = b"lmgg"
_ENGLISH_ONLY_VOCABULARY = 51864
_WORKING_BYTES = 200_000_000
"""Memory beside the weights, where neither catalog nor measurement says."""


def is_ggml(head: bytes) -> bool:
    """Return whether a file begins as whisper.cpp's do."""
    return head[:4] == _GGML_MAGIC


def is_piper_config(config: object) -> bool:
    """Return whether a JSON document is a Piper voice's configuration."""
    return isinstance(config, Mapping) and "phoneme_id_map" in config and isinstance(config.get("audio"), Mapping)


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Return the model with what its files tell; raises Unsupported when they are of another kind.

    Native runtimes may abort on a wrong file, so this is looked at before the model becomes visible.
    """
    readers = {"whisper.cpp": _whisper, "piper": _piper, "kokoro": _kokoro}
    if (reader := readers.get(model.backend)) is not None:
        model = reader(model, paths)
    if not model.memory_bytes and "weights" in paths:
        weights_bytes = Path(paths["weights"]).stat().st_size
        model = msgspec.structs.replace(model, memory_bytes=weights_bytes + _WORKING_BYTES)
    return model


def _whisper(model: Model, paths: Mapping[str, str]) -> Model:
    with Path(paths["weights"]).open("rb") as stream:
        head = stream.read(8)
    if not is_ggml(head):
        raise _wrong(model, "its weights are no ggml file of whisper.cpp")
    if not model.languages and struct.unpack("<i", head[4:])[0] == _ENGLISH_ONLY_VOCABULARY:
        return msgspec.structs.replace(model, languages=("en",))
    return model


def _piper(model: Model, paths: Mapping[str, str]) -> Model:
    try:
        config: Any = json.loads(Path(paths["config"]).read_bytes())
    except ValueError as error:
        raise _wrong(model, "its configuration is no JSON") from error
    if not is_piper_config(config):
        raise _wrong(model, "its configuration is none of Piper's")
    tag = _tag(config) or (model.voices[0].language if model.voices else "")
    speakers = config.get("speaker_id_map") or {}
    if len(speakers) > 1:
        names = sorted(speakers, key=speakers.__getitem__)
        voices = tuple(Voice(id=name, language=tag, name=name) for name in names)
    else:
        voices = model.voices or (Voice(id="default", language=tag, name=model.name),)
    return msgspec.structs.replace(
        model,
        voices=voices,
        default_voice=voices[0].id,
        languages=model.languages or ((tag.split("-")[0],) if tag else ()),
    )


def _tag(config: Mapping[str, Any]) -> str:
    """Return the voice's BCP 47 tag; `language.code` is de_DE, older files have only espeak's voice."""
    language, espeak = config.get("language"), config.get("espeak")
    code = language.get("code", "") if isinstance(language, Mapping) else ""
    if code:
        return str(code).replace("_", "-")
    voice = str(espeak.get("voice", "")) if isinstance(espeak, Mapping) else ""
    first, _, region = voice.partition("-")
    return f"{first}-{region.upper()}" if len(region) == 2 else first


def _kokoro(model: Model, paths: Mapping[str, str]) -> Model:
    with Path(paths["weights"]).open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as graph:
        if graph.find(b"style") < 0 or graph.find(b"speed") < 0:
            raise _wrong(model, "its graph takes no style and speed, as Kokoro's does")
    if model.voices:
        return model
    voices = tuple(_kokoro_voice(path.stem) for path in sorted(Path(paths["voices"]).glob("*.bin")))
    default = next((voice.id for voice in voices if voice.id == "af_heart"), voices[0].id if voices else "")
    languages = tuple(dict.fromkeys(voice.language.split("-")[0] for voice in voices))
    return msgspec.structs.replace(model, voices=voices, default_voice=default, languages=languages)


_KOKORO_LANGUAGES = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}
"""First letter of a Kokoro voice's name (hexgrad/Kokoro-82M VOICES.md); the second is f or m."""


def _kokoro_voice(name: str) -> Voice:
    return Voice(
        id=name,
        language=_KOKORO_LANGUAGES.get(name[:1], "en-US"),
        name=name.partition("_")[2] or name,
        gender="female" if name[1:2] == "f" else "male" if name[1:2] == "m" else "",
    )


def _wrong(model: Model, why: str) -> Unsupported:
    return Unsupported(f"{model.name} is no {model.backend} model: {why}", param="model")
