"""A deep probe: a known sound, a known sentence, through the whole of a model."""

from __future__ import annotations

import math
import struct
from contextlib import aclosing

from slimvoice.engine.process import Request
from slimvoice.engine.resident import Resident
from slimvoice.errors import Inference
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    AudioChunk,
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


def probe_request(resident: Resident) -> Request:
    """Return the known input for this model's task."""
    if resident.spec.installed.model.task is Task.TEXT_TO_SPEECH:
        return SynthesizeRequest(model=resident.name, text=SENTENCE)
    samples = (
        int(32767 * QUIET * math.sin(2 * math.pi * TONE_HZ * i / STT_SAMPLE_RATE))
        for i in range(int(TONE_S * STT_SAMPLE_RATE))
    )
    pcm = b"".join(struct.pack("<h", sample) for sample in samples)
    return TranscribeRequest(
        model=resident.name, waveform=Waveform(pcm=pcm), voice_detection=VoiceDetection(enabled=False)
    )


async def probe(resident: Resident) -> None:
    """Run the known input on an acquired model; raises Inference when it does not come through as it must."""
    finished = resident.spec.installed.model.task is Task.TEXT_TO_SPEECH
    peak = 0
    async with aclosing(resident.run(probe_request(resident))) as events:
        async for event in events:
            if isinstance(event, AudioChunk):
                peak = max(peak, max((abs(s[0]) for s in struct.iter_unpack("<h", event.waveform.pcm)), default=0))
            finished = finished or isinstance(event, TranscriptDone)
    if not finished:
        raise Inference(f"model {resident.name} did not finish its probe")
    if resident.spec.installed.model.task is Task.TEXT_TO_SPEECH and peak < QUIET * 32767:
        raise Inference(f"model {resident.name} said nothing when probed")
