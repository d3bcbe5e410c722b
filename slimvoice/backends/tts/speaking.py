"""What Kokoro and Piper share: text in, pieces spoken one per step, joined and timed, SpeechDone at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from slimvoice.backends.tts.joints import Samples, pause, to_pcm, trim
from slimvoice.errors import InvalidRequest
from slimvoice.speech import AudioChunk, SpeechDone, SynthesizeEvent, SynthesizeRequest, Waveform, Word
from slimvoice.text.pieces import LIMITS, Piece, pieces
from slimvoice.text.speakable import speakable


class Take(NamedTuple):
    """One spoken piece as the model gave it; `words` count from its first sample."""

    samples: Samples
    tokens: int
    words: tuple[Word, ...] = ()


Speak = Callable[[str, bool], Take | None]
"""Speaks one piece of text (and whether it is the last), or returns None when nothing in it has a sound."""


def check(request: SynthesizeRequest) -> None:
    """Raise InvalidRequest for a speed that no backend takes."""
    if not 0.25 <= request.speed <= 4.0:
        raise InvalidRequest(f"speed must be between 0.25 and 4.0, not {request.speed:g}", param="speed")


def speak_all(
    request: SynthesizeRequest, speak: Speak, sample_rate: int, limits: Sequence[int] = LIMITS
) -> Iterator[Sequence[SynthesizeEvent]]:
    """Yield the audio of one piece per step; raises InvalidRequest(param="input") before the first if none sounds."""
    every = list(pieces(speakable(request.text), limits))
    done_samples = tokens = 0
    for number, piece in enumerate(every, 1):
        last = number == len(every)
        # A cut between two words gets a comma: the voice must not fall as at the end of a sentence.
        take = speak(piece.text + "," if piece.boundary == "word" else piece.text, last)
        events: list[SynthesizeEvent] = []
        if take is not None:
            chunk = _chunk(take, piece, request.speed, (sample_rate, done_samples))
            done_samples += len(chunk.waveform.pcm) // 2
            tokens += take.tokens
            events.append(chunk)
        if last:
            if not done_samples:
                raise InvalidRequest(
                    "the input has nothing that this voice can speak", hint="give at least one word", param="input"
                )
            events.append(SpeechDone(duration_s=done_samples / sample_rate, input_tokens=tokens))
        if events:
            yield events


def _chunk(take: Take, piece: Piece, speed: float, at: tuple[int, int]) -> AudioChunk:
    """Return a take, trimmed and with its pause, as it stands `at` (sample rate, samples before it)."""
    sample_rate, before = at
    samples, cut = trim(take.samples, sample_rate)
    whole = np.concatenate([samples, pause(piece.boundary, speed, sample_rate)])
    shift_s, end_s = (before - cut) / sample_rate, (before + len(samples)) / sample_rate
    words = tuple(
        Word(
            text=word.text,
            start_s=round(max(word.start_s + shift_s, before / sample_rate), 3),
            end_s=round(min(max(word.end_s + shift_s, before / sample_rate), end_s), 3),
        )
        for word in take.words
    )
    return AudioChunk(waveform=Waveform(pcm=to_pcm(whole), sample_rate=sample_rate), text=piece.text, words=words)
