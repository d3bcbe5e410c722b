"""A deep probe: a known clip, a known sentence, through the whole of a model.

The clip, probe.mulaw, is "And so, my fellow Americans" of J. F. Kennedy's inaugural address (public domain): mu-law,
one byte per sample, 8 kHz. Real speech, because a tone makes Whisper doubt itself and decode again and again: the probe
of whisper:base took 2.6 s with a tone.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from contextlib import aclosing
from functools import lru_cache
from importlib.resources import files

from slimvoice.engine.messages import Request
from slimvoice.engine.worker_protocol import Worker
from slimvoice.errors import Inference
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    AudioChunk,
    Model,
    Segment,
    SpeechDone,
    SynthesizeRequest,
    Task,
    TranscribeRequest,
    TranscriptDone,
    VoiceDetection,
    Waveform,
)

SENTENCE = "One, two, three."
CLIP_RATE = 8000
MU = 255
QUIET = 0.05
"""Least peak of speech that counts as sound."""


@lru_cache(maxsize=1)
def clip() -> Waveform:
    """Return the known clip, each sample twice to double its rate."""
    samples = array("h")
    for byte in files("slimvoice.engine").joinpath("probe.mulaw").read_bytes():
        level = byte / 127.5 - 1
        sample = int(32767 * math.copysign((math.pow(1 + MU, abs(level)) - 1) / MU, level))
        samples.extend([sample] * (STT_SAMPLE_RATE // CLIP_RATE))
    return Waveform(pcm=samples.tobytes())


def probe_request(model: Model) -> Request:
    """Return the known input for this model's task."""
    if model.task is Task.TEXT_TO_SPEECH:
        return SynthesizeRequest(model=model, text=SENTENCE)
    return TranscribeRequest(
        model=model,
        waveform=clip(),
        language="en" if "en" in model.languages else None,
        voice_detection=VoiceDetection(enabled=False),
    )


async def probe(worker: Worker, step_limit_s: Callable[[Request], float]) -> None:
    """Run the known input on a loaded worker; raises Inference when it does not come through as it must."""
    model = worker.spec.installed.model
    request = probe_request(model)
    ended = False
    heard = ""
    peak = 0
    async with aclosing(worker.run(request, step_limit_s(request), lambda _: None)) as events:
        async for event in events:
            if isinstance(event, AudioChunk):
                peak = max(peak, max(array("h", event.waveform.pcm), default=0))
            elif isinstance(event, Segment):
                heard += event.text.strip()
            ended = ended or isinstance(event, TranscriptDone | SpeechDone)
    if not ended:
        raise Inference(f"model {model.name} did not finish its probe")
    if model.task is Task.SPEECH_TO_TEXT and not heard:
        raise Inference(f"model {model.name} heard nothing when probed")
    if model.task is Task.TEXT_TO_SPEECH and peak < QUIET * 32767:
        raise Inference(f"model {model.name} said nothing when probed")
