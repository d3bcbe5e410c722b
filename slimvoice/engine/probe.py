"""A deep probe: a known clip, a known sentence, through the whole of a loaded model."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import aclosing

from slimvoice.backends.probes import must_hear, probe_request
from slimvoice.engine.messages import Request
from slimvoice.engine.worker_protocol import Worker
from slimvoice.errors import Inference
from slimvoice.speech import AudioChunk, Segment, SpeechDone, Task, TranscriptDone

__all__ = ["probe", "probe_request"]

QUIET = 0.05
"""Least peak of speech that counts as sound."""


async def probe(worker: Worker, step_limit_s: Callable[[Request], float]) -> None:
    """Run the known input on a loaded worker; raises Inference when it does not come through as it must."""
    model = worker.spec.installed.model
    request = probe_request(model)
    ended = False
    transcript = ""
    peak = 0
    async with aclosing(worker.run(request, step_limit_s(request), lambda _: None)) as events:
        async for event in events:
            if isinstance(event, AudioChunk):
                peak = max(peak, max(array("h", event.waveform.pcm), default=0))
            elif isinstance(event, Segment):
                transcript += event.text.strip()
            ended = ended or isinstance(event, TranscriptDone | SpeechDone)
    if not ended:
        raise Inference(f"model {model.name} did not finish its probe")
    if model.task is Task.SPEECH_TO_TEXT and not transcript and must_hear(model):
        raise Inference(f"model {model.name} heard nothing when probed")
    if model.task is Task.TEXT_TO_SPEECH and peak < QUIET * 32767:
        raise Inference(f"model {model.name} said nothing when probed")
