"""A deep probe: a known sound, a known sentence, through the whole of a model."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from contextlib import aclosing

from slimvoice.engine.process import Request, WorkerProcess
from slimvoice.errors import Inference
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    AudioChunk,
    Model,
    SpeechDone,
    SynthesizeRequest,
    Task,
    TranscribeRequest,
    TranscriptDone,
    VoiceDetection,
    Waveform,
)

SENTENCE = "One, two, three."
TONE_S = 1.0
TONE_HZ = 440.0
QUIET = 0.05
"""Loudness of the tone, and least peak of speech that counts as sound."""


def probe_request(model: Model) -> Request:
    """Return the known input for this model's task."""
    if model.task is Task.TEXT_TO_SPEECH:
        return SynthesizeRequest(model=model.name, text=SENTENCE)
    samples = (
        int(32767 * QUIET * math.sin(2 * math.pi * TONE_HZ * i / STT_SAMPLE_RATE))
        for i in range(int(TONE_S * STT_SAMPLE_RATE))
    )
    return TranscribeRequest(
        model=model.name,
        waveform=Waveform(pcm=array("h", samples).tobytes()),
        voice_detection=VoiceDetection(enabled=False),
    )


async def probe(worker: WorkerProcess, step_limit_s: Callable[[Request], float]) -> None:
    """Run the known input on a loaded worker; raises Inference when it does not come through as it must."""
    model = worker.spec.installed.model
    request = probe_request(model)
    ended = False
    peak = 0
    async with aclosing(worker.run(request, step_limit_s(request), lambda _: None)) as events:
        async for event in events:
            if isinstance(event, AudioChunk):
                peak = max(peak, max(array("h", event.waveform.pcm), default=0))
            ended = ended or isinstance(event, TranscriptDone | SpeechDone)
    if not ended:
        raise Inference(f"model {model.name} did not finish its probe")
    if model.task is Task.TEXT_TO_SPEECH and peak < QUIET * 32767:
        raise Inference(f"model {model.name} said nothing when probed")
