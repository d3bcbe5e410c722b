"""Which files are whisper.cpp's, and what they tell. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from slimvoice.backends.info import DetectedModel, Repository, wrong_files
from slimvoice.speech import Model

MAGIC = b"lmgg"
"""How a ggml file begins."""
_ENGLISH_ONLY_VOCABULARY = 51864
_MAX_PEEKS = 24


def detect(repository: Repository) -> Iterator[DetectedModel]:
    """Find ggml files among those called .bin."""
    binaries = [
        path
        for path in repository.named("" if repository.file else ".bin")
        if path == repository.file or "voices" not in PurePosixPath(path).parts
    ]
    for path in binaries[:_MAX_PEEKS]:
        if repository.peek(path, len(MAGIC)) == MAGIC:
            yield DetectedModel(files=(("weights", path),))


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Check that the weights are a ggml file, and tell an English-only model by its vocabulary."""
    with Path(paths["weights"]).open("rb") as stream:
        head = stream.read(8)
    if head[:4] != MAGIC:
        raise wrong_files(model, "its weights are no ggml file of whisper.cpp")
    if not model.languages and struct.unpack("<i", head[4:])[0] == _ENGLISH_ONLY_VOCABULARY:
        return msgspec.structs.replace(model, languages=("en",))
    return model
