"""Text to speech: the request, and the events that answer it."""

from __future__ import annotations

import msgspec

from slimvoice.speech.audio import Waveform
from slimvoice.speech.models import Model
from slimvoice.speech.transcription import RequestContext, Word


class SynthesizeRequest(msgspec.Struct, tag="synthesize", frozen=True, kw_only=True):
    """Turn text into speech. `voice` may mix: `af_bella(2)+af_sky(1)`; empty: the model's default."""

    model: Model
    """As `SpeechProvider.resolve` returned it."""
    text: str
    voice: str = ""
    language: str | None = None
    speed: float = 1.0
    """0.25 to 4.0 times the normal pace."""
    instructions: str = ""
    word_timestamps: bool = False
    context: RequestContext = RequestContext()


class AudioChunk(msgspec.Struct, tag="audio", frozen=True, kw_only=True):
    """A piece of speech, gapless with the one before; word times count from the start of the whole speech."""

    waveform: Waveform
    text: str = ""
    words: tuple[Word, ...] = ()


class SpeechDone(msgspec.Struct, tag="speech_done", frozen=True, kw_only=True):
    """The end of a synthesis."""

    duration_s: float
    input_tokens: int = 0
    """Phonemes or characters the model was fed, for `usage`."""


SynthesizeEvent = AudioChunk | SpeechDone
