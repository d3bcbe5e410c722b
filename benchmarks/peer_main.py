"""A peer in a process of its own: reads requests as JSON lines, does the work as the peer's users would, answers.

python -m benchmarks.peer_main NAME OPTIONS-AS-JSON
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class FasterWhisper:
    """faster-whisper: CTranslate2 in int8, greedy."""

    def __init__(self, options: Answer) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(
            options["weights"], device="cpu", compute_type="int8", cpu_threads=options["threads"]
        )

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        began, first_s, texts = time.perf_counter(), 0.0, []
        segments, _ = self._model.transcribe(path, beam_size=1, language="en")
        for segment in segments:
            first_s = first_s or time.perf_counter() - began
            texts.append(segment.text)
        return {"text": " ".join(texts), "first_s": first_s}


class Pywhispercpp:
    """pywhispercpp's stock wheel, with its defaults."""

    def __init__(self, options: Answer) -> None:
        from pywhispercpp.model import Model

        self._model = Model(options["weights"], n_threads=options["threads"], print_progress=False)

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        began, first = time.perf_counter(), []
        segments = self._model.transcribe(
            path, language="en", new_segment_callback=lambda _: first.append(time.perf_counter() - began)
        )
        return {"text": " ".join(segment.text for segment in segments), "first_s": first[0] if first else 0.0}


class KokoroOnnx:
    """kokoro-onnx with its defaults; its stream tells when the first audio is there."""

    def __init__(self, options: Answer) -> None:
        import numpy as np
        from kokoro_onnx import Kokoro

        voices = Path(options["folder"]) / "voices.npz"
        style = np.fromfile(options["voice"], np.float32).reshape(-1, 1, 256)
        np.savez(voices, voice=style)
        self._kokoro = Kokoro(options["weights"], str(voices))

    def speak(self, text: str) -> Answer:
        """Say a text."""
        samples, sample_rate = self._kokoro.create(text, voice="voice", lang="en-us")
        return {"audio_s": len(samples) / sample_rate}

    def stream(self, text: str) -> Answer:
        """Say a text as its stream."""

        async def first_s() -> float:
            began, first = time.perf_counter(), 0.0
            async for _ in self._kokoro.create_stream(text, voice="voice", lang="en-us"):
                first = first or time.perf_counter() - began
            return first

        return {"first_s": asyncio.run(first_s())}


class Piper:
    """piper with its defaults."""

    def __init__(self, options: Answer) -> None:
        from piper import PiperVoice

        self._voice = PiperVoice.load(options["weights"], options["config"])

    def speak(self, text: str) -> Answer:
        """Say a text."""
        began, first_s, samples, sample_rate = time.perf_counter(), 0.0, 0, 1
        for chunk in self._voice.synthesize(text):
            first_s = first_s or time.perf_counter() - began
            samples, sample_rate = samples + len(chunk.audio_int16_bytes) // 2, chunk.sample_rate
        return {"audio_s": samples / sample_rate, "first_s": first_s}


PEERS: dict[str, Callable[[Answer], Any]] = {
    "faster-whisper": FasterWhisper,
    "pywhispercpp": Pywhispercpp,
    "kokoro-onnx": KokoroOnnx,
    "piper": Piper,
}


def main() -> None:
    """Serve stdin until it ends; libraries that print to stdout are heard on stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    began = time.perf_counter()
    peer = PEERS[sys.argv[1]](json.loads(sys.argv[2]))
    print(json.dumps({"load_s": time.perf_counter() - began}), file=answers, flush=True)
    for line in sys.stdin:
        verb, argument = json.loads(line)
        cpu_s, began = time.process_time(), time.perf_counter()
        answer = getattr(peer, verb)(argument)
        answer["wall_s"] = time.perf_counter() - began
        answer["cpu_s"] = time.process_time() - cpu_s
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
