"""What Kokoro and Piper share: text in, pieces spoken one per step, joined and timed, SpeechDone at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from slimvoice.backends.tts.joints import Samples, pause, to_pcm, trim
from slimvoice.backends.tts.tempo import model_speed, stretched
from slimvoice.backends.tts.word_times import word_times
from slimvoice.errors import InvalidRequest, Unsupported
from slimvoice.speech import AudioChunk, SpeechDone, SynthesizeEvent, SynthesizeRequest, Waveform, Word
from slimvoice.text.pieces import Piece, pieces
from slimvoice.text.speakable import speakable


class Take(NamedTuple):
    """What a model made of some phonemes; `edges_s` has one entry more than they, if the model tells durations."""

    samples: Samples
    edges_s: Sequence[float] | None = None


class Reading(Protocol):
    """One request to one model: the voice, language and speed are settled."""

    @property
    def sample_rate(self) -> int:
        """Hertz of the takes."""
        ...

    @property
    def limits(self) -> Sequence[int]:
        """Longest first pieces in letters: see `pieces`."""
        ...

    @property
    def tells_durations(self) -> bool:
        """Whether takes have edges."""
        ...

    def phonemes(self, text: str) -> Sequence[str]:
        """Return the phonemes of `text`; raises InvalidRequest where it has no pronunciation."""
        ...

    def runs(self, phonemes: Sequence[str]) -> Sequence[Sequence[str]]:
        """Cut phonemes into runs that the model can take in one go."""
        ...

    def run(self, phonemes: Sequence[str], *, last: bool) -> Take:
        """Run the model; `last` means that its memory pool may go afterwards."""
        ...


def check(request: SynthesizeRequest, reading: Reading) -> None:
    """Raise InvalidRequest or Unsupported for what is wrong before any work."""
    if not 0.25 <= request.speed <= 4.0:
        raise InvalidRequest(f"speed must be between 0.25 and 4.0, not {request.speed:g}", param="speed")
    if request.word_timestamps and not reading.tells_durations:
        raise Unsupported(
            f"the weights of {request.model} do not tell when a word is spoken",
            hint="the catalog's own models do",
            param="word_timestamps",
        )


def speak(request: SynthesizeRequest, reading: Reading) -> Iterator[Sequence[SynthesizeEvent]]:
    """Yield the audio of one piece per step; raises InvalidRequest(param="input") before the first if none sounds."""
    check(request, reading)
    every = list(pieces(speakable(request.text), reading.limits))
    samples_done = tokens = 0
    for number, piece in enumerate(every, 1):
        events: list[SynthesizeEvent] = []
        phonemes = reading.phonemes(_voiced(piece))
        if has_sound(phonemes):
            take = _take(reading, phonemes, last=number == len(every))
            take = _at_speed(take, request.speed, reading.sample_rate)
            words = _words(reading, piece.text, take) if request.word_timestamps else ()
            chunk = _chunk(piece, take.samples, words, (reading.sample_rate, request.speed, samples_done))
            samples_done += len(chunk.waveform.pcm) // 2
            tokens += len(phonemes)
            events.append(chunk)
        if number == len(every):
            if not samples_done:
                raise InvalidRequest(
                    "the input has nothing that this voice can speak", hint="give at least one word", param="input"
                )
            events.append(SpeechDone(duration_s=samples_done / reading.sample_rate, input_tokens=tokens))
        if events:
            yield events


def _voiced(piece: Piece) -> str:
    """Return the text to speak: a cut between two words gets a comma, so that the voice does not fall there."""
    return piece.text + "," if piece.boundary == "word" else piece.text


def has_sound(phonemes: Sequence[str]) -> bool:
    """Tell whether there is more than punctuation."""
    return any(phoneme.isalpha() for phoneme in phonemes)


class _Spoken(NamedTuple):
    samples: Samples
    phonemes: list[str]
    edges_s: list[float]


def _take(reading: Reading, phonemes: Sequence[str], *, last: bool) -> _Spoken:
    """Speak the phonemes of one piece, in more than one run if they are too many."""
    runs = reading.runs(phonemes)
    parts: list[Samples] = []
    spoken: list[str] = []
    edges: list[float] = [0.0]
    before_s = 0.0
    for number, run in enumerate(runs, 1):
        take = reading.run(run, last=last and number == len(runs))
        parts.append(take.samples)
        if take.edges_s is not None:
            spoken += run
            edges[-1:] = [before_s + edge for edge in take.edges_s]
        before_s += len(take.samples) / reading.sample_rate
    return _Spoken(parts[0] if len(parts) == 1 else np.concatenate(parts), spoken, edges)


def _at_speed(spoken: _Spoken, speed: float, sample_rate: int) -> _Spoken:
    """Stretch what was spoken at the model's speed to the one asked for."""
    samples = stretched(spoken.samples, speed / model_speed(speed), sample_rate)
    ratio = len(samples) / max(1, len(spoken.samples))
    return _Spoken(samples, spoken.phonemes, [edge * ratio for edge in spoken.edges_s])


def _words(reading: Reading, text: str, spoken: _Spoken) -> tuple[Word, ...]:
    """Return when each word of `text` is heard, from the first sample of its take."""
    return word_times([(word, reading.phonemes(word)) for word in text.split()], spoken.phonemes, spoken.edges_s)


def _chunk(piece: Piece, made: Samples, words: tuple[Word, ...], at: tuple[int, float, int]) -> AudioChunk:
    """Return a take trimmed and with its pause, as it stands `at` (sample rate, speed, samples before it)."""
    sample_rate, speed, before = at
    samples, cut = trim(made, sample_rate)
    whole = np.concatenate([samples, pause(piece.boundary, speed, sample_rate)])
    shift_s, start_s, end_s = (before - cut) / sample_rate, before / sample_rate, (before + len(samples)) / sample_rate
    timed = tuple(
        Word(
            text=word.text,
            start_s=round(min(max(word.start_s + shift_s, start_s), end_s), 3),
            end_s=round(min(max(word.end_s + shift_s, start_s), end_s), 3),
        )
        for word in words
    )
    return AudioChunk(waveform=Waveform(pcm=to_pcm(whole), sample_rate=sample_rate), text=piece.text, words=timed)
