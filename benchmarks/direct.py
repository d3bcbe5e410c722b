"""Calls slimvoice's engine without HTTP: transcribes a file or speaks a text, COUNT times; prints the seconds of each.

python -m benchmarks.direct MODEL FILE-OR-TEXT COUNT      (with slimvoice's own Python)
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from slimvoice.app import open_service
from slimvoice.audio.decode import decode
from slimvoice.config_sources import load
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import Model, SpeechProvider, SynthesizeRequest, Task, TranscribeRequest


async def run(name: str, what: str, count: int) -> list[float]:
    """Return seconds of each call, the first left out: it loads the model."""
    settings = load().settings
    took = []
    async with open_service(settings, ModelLibrary(settings)) as service:
        model = await service.provider.resolve(name)
        for _ in range(count + 1):
            began = time.perf_counter()
            await (_speak if model.task is Task.TEXT_TO_SPEECH else _transcribe)(service.provider, model, what)
            took.append(time.perf_counter() - began)
    return took[1:]


async def _transcribe(provider: SpeechProvider, model: Model, path: str) -> None:
    waveform = await asyncio.to_thread(lambda: decode(Path(path).read_bytes(), max_duration_s=7200))
    async for _event in provider.transcribe(TranscribeRequest(model=model, waveform=waveform, language="en")):
        pass


async def _speak(provider: SpeechProvider, model: Model, text: str) -> None:
    async for _event in provider.synthesize(SynthesizeRequest(model=model, text=text, voice="alloy")):
        pass


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
