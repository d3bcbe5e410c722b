"""slimvoice's whisper backend in a process of its own, as a worker has it: reads requests as JSON lines, answers.

python -m benchmarks.backend_main OPTIONS-AS-JSON      (with slimvoice's own Python)

Options: `weights`, `threads`, `settings` of the backend, and `library`: "" for the whisper.cpp that slimvoice would
take, "wheel" for pywhispercpp's, else a folder with a build of docker/steps/whisper.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from slimvoice.backends.registry import BACKENDS

os.environ.update(BACKENDS["whisper.cpp"].env)  # before the runtime is loaded, as in a worker

from slimvoice.audio.decode import decode
from slimvoice.backends.whisper_cpp import variants
from slimvoice.backends.whisper_cpp.adapter import WhisperCpp
from slimvoice.speech import (
    InstalledModel,
    LoadSpec,
    Model,
    Segment,
    Task,
    TranscribeRequest,
    joined_text,
)

MODEL = Model(name="whisper", task=Task.SPEECH_TO_TEXT, backend="whisper.cpp")


class Control:
    """A job that is never cancelled."""

    cancelled = False

    def __init__(self, threads: int) -> None:
        self.threads = threads


def choose(library: str) -> None:
    """Let the backend find this whisper.cpp and no other."""
    if library:
        variants.library_spec = lambda _: find_spec("_pywhispercpp")
    if library not in ("", "wheel"):
        sys.path.insert(0, library)


def load(weights: Path, threads: int, settings: Mapping[str, Any]) -> WhisperCpp:
    """Load a model of whisper.cpp's format, called as its file is."""
    name = f"whisper:{weights.stem.removeprefix('ggml-')}"
    model = Model(name=name, task=Task.SPEECH_TO_TEXT, backend="whisper.cpp", settings=dict(settings))
    return WhisperCpp.load(
        LoadSpec(installed=InstalledModel(model=model, files={"weights": str(weights)}), threads=threads)
    )


def hear(backend: WhisperCpp, request: TranscribeRequest, threads: int) -> str:
    """Return what is said."""
    events = [event for step in backend.transcribe(request, Control(threads)) for event in step]
    return joined_text([event for event in events if isinstance(event, Segment)])


def timed(backend: WhisperCpp, path: str, threads: int) -> dict[str, Any]:
    """Transcribe a file."""
    waveform = decode(Path(path).read_bytes(), max_duration_s=7200)
    began, used = time.perf_counter(), time.process_time()
    text = hear(backend, TranscribeRequest(model=MODEL, waveform=waveform, language="en"), threads)
    return {
        "text": text,
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - used,
        "first_s": 0.0,
    }


def main() -> None:
    """Load, say how long that took, answer."""
    options, began = json.loads(sys.argv[1]), time.perf_counter()
    choose(options["library"])
    backend = load(Path(options["weights"]), options["threads"], options.get("settings", {}))
    print(json.dumps({"load_s": time.perf_counter() - began}), flush=True)
    for line in sys.stdin:
        _verb, path = json.loads(line)
        print(json.dumps(timed(backend, path, options["threads"])), flush=True)


if __name__ == "__main__":
    main()
