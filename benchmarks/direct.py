"""Calls slimvoice's engine without HTTP: decodes a file and transcribes it, COUNT times; prints each time in seconds.

python -m benchmarks.direct MODEL FILE COUNT      (with slimvoice's own Python)
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from slimvoice.app import open_engine
from slimvoice.audio.decode import decode
from slimvoice.config_sources import load
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import TranscribeRequest


async def run(model: str, data: bytes, count: int) -> list[float]:
    """Return seconds of each call, the first left out: it loads the model."""
    settings = load().settings
    took = []
    async with open_engine(settings, ModelLibrary(settings)) as engine:
        resolved = await engine.resolve(model)
        for _ in range(count + 1):
            began = time.perf_counter()
            waveform = await asyncio.to_thread(decode, data, max_duration_s=7200)
            request = TranscribeRequest(model=resolved, waveform=waveform, language="en")
            async for _event in engine.transcribe(request):
                pass
            took.append(time.perf_counter() - began)
    return took[1:]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))))
