"""Known inputs that show whether a loaded model works: a clip of speech, a short sentence.

The clip, probe.mulaw, is "And so, my fellow Americans" of J. F. Kennedy's inaugural address (public domain): mu-law,
one byte per sample, 8 kHz. Real speech, because a tone makes Whisper doubt itself and decode again and again: the probe
of whisper:base took 2.6 s with a tone.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from importlib.resources import files

from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    Model,
    SynthesizeRequest,
    Task,
    TranscribeRequest,
    VoiceDetection,
    Waveform,
)

ENGLISH = "One, two, three."
FIGURES = "1, 2, 3."
"""Every language reads these in words of its own."""
CLIP_RATE = 8000
MU = 255


@lru_cache(maxsize=1)
def clip() -> Waveform:
    """Return the known clip, each sample twice to double its rate."""
    samples = array("h")
    for byte in files("slimvoice.backends").joinpath("probe.mulaw").read_bytes():
        level = byte / 127.5 - 1
        sample = int(32767 * math.copysign((math.pow(1 + MU, abs(level)) - 1) / MU, level))
        samples.extend([sample] * (STT_SAMPLE_RATE // CLIP_RATE))
    return Waveform(pcm=samples.tobytes())


def probe_request(model: Model) -> TranscribeRequest | SynthesizeRequest:
    """Return the known input for this model's task, in a language that it speaks where there is a choice."""
    own = BACKENDS.require(model.backend).probe
    if model.task is Task.TEXT_TO_SPEECH:
        language = _spoken(model)
        sentences = {"en": ENGLISH, "": ENGLISH, **own.sentences}
        return SynthesizeRequest(model=model, text=sentences.get(language, FIGURES))
    return TranscribeRequest(
        model=model,
        waveform=imported(own.clip)() if own.clip else clip(),
        language="en" if "en" in model.languages and not own.clip else None,
        voice_detection=VoiceDetection(enabled=False),
    )


def must_hear(model: Model) -> bool:
    """Return whether a model must find words in its clip: nobody who knows no English need hear any in the English."""
    return bool(BACKENDS.require(model.backend).probe.clip) or not model.languages or "en" in model.languages


def _spoken(model: Model) -> str:
    """Return the language of the model's default voice, else its first; empty: unknown."""
    voice = next((voice for voice in model.voices if voice.id == model.default_voice), None)
    tag = voice.language if voice is not None else next(iter(model.languages), "")
    return tag.split("-")[0].casefold()
