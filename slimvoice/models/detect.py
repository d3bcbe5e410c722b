"""Detects which backend a repository's files are for, from their content and never from their names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import msgspec

from slimvoice.errors import InvalidRequest, SourceMissing, Unsupported
from slimvoice.models.formats import is_ggml, is_piper_config
from slimvoice.models.records import CatalogEntry, HubName, ModelFile
from slimvoice.speech import Model, Task

_VOICE_BYTES = 256 * 4
"""A Kokoro voice is rows of 256 floats."""
_PREFERRED = ("onnx/model_quantized.onnx", "model_quantized.onnx", "onnx/model.onnx", "model.onnx")
_MAX_PEEKS = 24

Peek = Callable[[str, int], bytes]
"""Reads the first bytes of a file of the repository."""


def detect(asked: HubName, paths: Mapping[str, int], peek: Peek, name: str) -> CatalogEntry:
    """Return the model that a repository holds, named `name`; raises Unsupported, InvalidRequest, SourceMissing."""
    if asked.file:
        if asked.file not in paths:
            near = difflib.get_close_matches(asked.file, paths, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "see the repository's list of files"
            raise SourceMissing(f"{asked.repo} has no file {asked.file}", hint=hint)
        found = _kind(asked.file, paths, peek)
    else:
        found = _only(asked, {path: kind for path in _candidates(paths) if (kind := _kind(path, paths, peek))})
    if found is None:
        raise Unsupported(
            f"{asked.file or asked.repo} is no model of a backend that slimvoice has",
            hint="whisper.cpp ggml files, Piper voices (.onnx and .onnx.json) and Kokoro (.onnx and voices/) are taken",
            param="model",
        )
    return _entry(asked, found, paths, name)


class _Kind(msgspec.Struct, frozen=True):
    backend: str
    task: Task
    files: tuple[tuple[str, str], ...]


def _candidates(paths: Mapping[str, int]) -> list[str]:
    binaries = [path for path in paths if path.endswith(".bin") and "voices" not in PurePosixPath(path).parts]
    return [*(path for path in paths if path.endswith(".onnx")), *binaries[:_MAX_PEEKS]]


def _kind(path: str, paths: Mapping[str, int], peek: Peek) -> _Kind | None:
    if path.endswith(".onnx"):
        return _onnx_kind(path, paths, peek)
    if is_ggml(peek(path, 4)):
        return _Kind("whisper.cpp", Task.SPEECH_TO_TEXT, (("weights", path),))
    return None


def _onnx_kind(path: str, paths: Mapping[str, int], peek: Peek) -> _Kind | None:
    config = f"{path}.json"
    if config in paths and is_piper_config(_json(peek(config, 4_000_000))):
        return _Kind("piper", Task.TEXT_TO_SPEECH, (("weights", path), ("config", config)))
    voices = [
        voice
        for voice, size in paths.items()
        if PurePosixPath(voice).parent.name == "voices" and voice.endswith(".bin") and size % _VOICE_BYTES == 0
    ]
    if voices:
        return _Kind("kokoro", Task.TEXT_TO_SPEECH, (("weights", path), *(("voices", voice) for voice in voices)))
    return None


def _only(asked: HubName, found: Mapping[str, _Kind]) -> _Kind | None:
    """Choose where a repository holds several models: Kokoro's precisions have an order, all else is the user's."""
    if len(found) > 1:
        kokoro = [path for path in _PREFERRED if path in found and found[path].backend == "kokoro"]
        if not kokoro:
            some = ", ".join(sorted(found)[:8])
            raise InvalidRequest(f"{asked.repo} holds {len(found)} models", hint=f"name one by --file: {some}")
        return found[kokoro[0]]
    return next(iter(found.values()), None)


def _entry(asked: HubName, kind: _Kind, paths: Mapping[str, int], name: str) -> CatalogEntry:
    files = tuple(
        ModelFile(role=role, repo=asked.repo, path=path, revision=asked.revision) for role, path in kind.files
    )
    model = Model(
        name=name,
        task=kind.task,
        backend=kind.backend,
        licence="see the repository",
        description=f"{asked.repo}, straight from the hub",
        size_bytes=sum(paths.get(file.path, 0) for file in files),
    )
    return CatalogEntry(model=model, files=files, detected=True)


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None
