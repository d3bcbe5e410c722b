"""Which files are Kokoro's, and what they tell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from slimvoice.backends.info import DetectedModel, Repository, wrong_files
from slimvoice.backends.tts.graph_file import contains
from slimvoice.speech import Model, Voice

DURATIONS = "/encoder/Clip_output_0"
"""The tensor of frames per token in the exports of onnx-community; newer exports have an output `duration`."""
_DURATION_OUTPUT = b"\x0a\x08duration"
"""`duration` as protobuf writes a name: field 1, eight bytes."""
_PREFERRED = ("onnx/model_quantized.onnx", "model_quantized.onnx", "onnx/model.onnx", "model.onnx")
_VOICE_BYTES = 256 * 4
"""A voice is rows of 256 floats."""
_LANGUAGES = {
    "a": "en-US", "b": "en-GB", "e": "es", "f": "fr-FR", "h": "hi", "i": "it", "j": "ja", "p": "pt-BR", "z": "zh",
}  # fmt: skip
"""First letter of a voice's name (hexgrad/Kokoro-82M VOICES.md); the second is f or m."""


def detect(repository: Repository) -> Iterator[DetectedModel]:
    """Find graphs in a repository that has voices; of several precisions the smallest known one is preferred."""
    voices = tuple(
        ("voices", path)
        for path, size in repository.paths.items()
        if PurePosixPath(path).parent.name == "voices" and path.endswith(".bin") and size % _VOICE_BYTES == 0
    )
    graphs = [path for path in repository.named(".onnx") if voices and f"{path}.json" not in repository.paths]
    for path in sorted(graphs, key=lambda path: _PREFERRED.index(path) if path in _PREFERRED else len(_PREFERRED)):
        yield DetectedModel(files=(("weights", path), *voices), preferred=path in _PREFERRED)


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Check what the graph takes, and tell its voices by their files and whether it gives the times of words."""
    style, speed, *durations = contains(paths["weights"], b"style", b"speed", DURATIONS.encode(), _DURATION_OUTPUT)
    if not style or not speed:
        raise wrong_files(model, "its graph takes no style and speed, as Kokoro's does")
    model = msgspec.structs.replace(model, lacks=() if any(durations) else ("word_timestamps",))
    if model.voices:
        return model
    voices = tuple(voice_of(path.stem) for path in sorted(Path(paths["voices"]).glob("*.bin")))
    default = next((voice.id for voice in voices if voice.id == "af_heart"), voices[0].id if voices else "")
    languages = tuple(dict.fromkeys(voice.language.split("-")[0] for voice in voices))
    return msgspec.structs.replace(model, voices=voices, default_voice=default, languages=languages)


def voice_of(name: str) -> Voice:
    """Return what the name of a voice file tells."""
    return Voice(
        id=name,
        language=_LANGUAGES.get(name[:1], "en-US"),
        name=name.partition("_")[2] or name,
        gender="female" if name[1:2] == "f" else "male" if name[1:2] == "m" else "",
    )
