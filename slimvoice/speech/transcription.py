"""Speech to text: the request, and the events that answer it."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Literal

import msgspec

from slimvoice.speech.audio import Waveform
from slimvoice.speech.models import Model


class VoiceDetection(msgspec.Struct, frozen=True, kw_only=True):
    """How speech is found in audio (OpenAI's `chunking_strategy`)."""

    enabled: bool = True
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """What travels with every request and is not speech."""

    request_id: str = ""
    keep_alive_s: float | None = None
    """Seconds the model stays loaded afterwards; negative: for ever; None: the server's default."""
    timeout_s: float | None = None
    """Seconds until DeadlineExceeded, queueing included; None: the server's default."""


class TranscribeRequest(msgspec.Struct, tag="transcribe", frozen=True, kw_only=True):
    """Turn speech into text; `language` is ISO 639-1, None to detect it."""

    model: Model
    """As `SpeechProvider.resolve` returned it."""
    waveform: Waveform
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    languages: tuple[str, ...] = ()
    """Languages that may occur, when `language` is None; empty: all."""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    temperature: float = 0.0
    word_timestamps: bool = False
    logprobs: bool = False
    voice_detection: VoiceDetection = VoiceDetection()
    context: RequestContext = RequestContext()


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word on the file's own clock."""

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """A text token with its natural-log probability."""

    token: str
    bytes: builtins.bytes
    logprob: float


class Segment(msgspec.Struct, tag="segment", frozen=True, kw_only=True):
    """Timed text on the file's own clock, with the fields of OpenAI's verbose_json. `text` keeps its leading space."""

    id: int
    seek: int
    """Start of the window in hundredths of a second."""
    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    language: str = ""


class Progress(msgspec.Struct, tag="progress", frozen=True, kw_only=True):
    """How far a transcription is, in seconds of the file."""

    done_s: float
    total_s: float


class TranscriptDone(msgspec.Struct, tag="transcript_done", frozen=True, kw_only=True):
    """The end of a transcription; `language` is ISO 639-1."""

    language: str
    duration_s: float
    language_probability: float = 0.0
    speech_s: float = 0.0
    """Seconds that voice detection found to be speech."""


TranscribeEvent = Segment | Progress | TranscriptDone


def joined_text(segments: Sequence[Segment]) -> str:
    """Return the whole transcript as one line."""
    return "".join(segment.text for segment in segments).strip()
