"""The synthesis pipeline that text-to-speech backends share: chunk, phonemize, run, stretch, trim, time words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from slimvoice.backends.tts.audio_joins import Samples, pause, time_stretched, to_pcm, trim
from slimvoice.backends.tts.word_times import word_times
from slimvoice.errors import InvalidRequest, Unsupported
from slimvoice.speech import AudioChunk, SpeechDone, SynthesizeEvent, SynthesizeRequest, Waveform, Word
from slimvoice.text.chunking import USUAL_PACE, TextChunk, chunk_text
from slimvoice.text.cleanup import clean_for_speech


class RawAudio(NamedTuple):
    """The model's audio for some phonemes; `edges_s` has one entry more than they, if the model tells durations."""

    samples: Samples
    edges_s: Sequence[float] | None = None


class Utterance(Protocol):
    """One request to one model, its voice, language and speed resolved."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the audio."""
        ...

    @property
    def speed(self) -> float:
        """The part of the requested speed that `run` makes; the rest is stretched."""
        ...

    @property
    def chunk_limits(self) -> Sequence[int]:
        """Longest first chunks in letters: see `chunk_text`."""
        ...

    @property
    def has_durations(self) -> bool:
        """Whether the model's audio has edges."""
        ...

    def phonemes(self, text: str) -> Sequence[str]:
        """Return the phonemes of `text`; raises InvalidRequest where it has no pronunciation."""
        ...

    def runs(self, phonemes: Sequence[str]) -> Sequence[Sequence[str]]:
        """Cut phonemes into runs that the model can take in one go."""
        ...

    def run(self, phonemes: Sequence[str], *, last: bool) -> RawAudio:
        """Run the model; `last` means that its memory pool may go afterwards."""
        ...


def check(request: SynthesizeRequest, utterance: Utterance) -> None:
    """Raise InvalidRequest or Unsupported for what is wrong before any work."""
    if not 0.25 <= request.speed <= 4.0:
        raise InvalidRequest(f"speed must be between 0.25 and 4.0, not {request.speed:g}", param="speed")
    if request.word_timestamps and not utterance.has_durations:
        raise Unsupported(
            f"the weights of {request.model.name} do not tell when a word is spoken",
            hint="the catalog's own models do",
            param="word_timestamps",
        )


def synthesize(
    request: SynthesizeRequest, utterance: Utterance, reading_of: Callable[[str], Utterance] | None = None
) -> Iterator[Sequence[SynthesizeEvent]]:
    """Yield the audio of one chunk per step, a short silence for text without a word.

    `reading_of` may choose another voice for a chunk, at the same sample rate, by its text.
    Raises InvalidRequest(param="input") before the first if the voice has no sound for any word.
    """
    check(request, utterance)
    text = clean_for_speech(request.text)
    if not text:
        yield _silence(request, utterance)
        return
    pace = [USUAL_PACE]
    samples_done = tokens = 0
    for text_chunk in chunk_text(text, utterance.chunk_limits, lambda: pace[-1]):
        last = text_chunk.boundary == "end"
        events: list[SynthesizeEvent] = []
        voice = reading_of(text_chunk.text) if reading_of else utterance
        phonemes = voice.phonemes(_voiced(text_chunk))
        if has_sound(phonemes):
            started = time.monotonic()
            audio = _run_model(voice, phonemes, last=last)
            audio = _stretched(audio, request.speed / voice.speed, utterance.sample_rate)
            words = _words(voice, text_chunk.text, audio) if request.word_timestamps else ()
            chunk = _chunk(text_chunk, audio.samples, words, (utterance.sample_rate, request.speed, samples_done))
            samples_done += len(chunk.waveform.pcm) // 2
            tokens += len(phonemes)
            events.append(chunk)
            pace.append((time.monotonic() - started) / max(0.1, len(audio.samples) / utterance.sample_rate))
        if last:
            if not samples_done:
                raise InvalidRequest(
                    "the input has nothing that this voice can speak", hint="give at least one word", param="input"
                )
            events.append(SpeechDone(duration_s=samples_done / utterance.sample_rate, input_tokens=tokens))
        if events:
            yield events


def _silence(request: SynthesizeRequest, utterance: Utterance) -> Sequence[SynthesizeEvent]:
    """Return the events of a text that has no word: the pause that a reader would make."""
    samples = pause("sentence", request.speed, utterance.sample_rate)
    waveform = Waveform(pcm=to_pcm(samples), sample_rate=utterance.sample_rate)
    return (
        AudioChunk(waveform=waveform, text=request.text.strip()),
        SpeechDone(duration_s=waveform.duration_s, input_tokens=0),
    )


def _voiced(text_chunk: TextChunk) -> str:
    """Return the text to speak: a cut between two words gets a comma, so that the voice does not fall there."""
    return text_chunk.text + "," if text_chunk.boundary == "word" else text_chunk.text


def has_sound(phonemes: Sequence[str]) -> bool:
    """Tell whether there is more than punctuation."""
    return any(phoneme.isalpha() for phoneme in phonemes)


class TimedAudio(NamedTuple):
    """The audio of one chunk with the phonemes and their edges in seconds."""

    samples: Samples
    phonemes: list[str]
    edges_s: list[float]


def _run_model(utterance: Utterance, phonemes: Sequence[str], *, last: bool) -> TimedAudio:
    """Run the model on the phonemes of one chunk, in several runs if they are too many."""
    runs = utterance.runs(phonemes)
    parts: list[Samples] = []
    timed: list[str] = []
    edges: list[float] = [0.0]
    before_s = 0.0
    for number, run in enumerate(runs, 1):
        audio = utterance.run(run, last=last and number == len(runs))
        parts.append(audio.samples)
        if audio.edges_s is not None:
            timed += run
            edges[-1:] = [before_s + edge for edge in audio.edges_s]
        before_s += len(audio.samples) / utterance.sample_rate
    return TimedAudio(parts[0] if len(parts) == 1 else np.concatenate(parts), timed, edges)


def _stretched(audio: TimedAudio, factor: float, sample_rate: int) -> TimedAudio:
    """Return audio `factor` times as fast as the model made it, and its edges with it."""
    samples = time_stretched(audio.samples, factor, sample_rate)
    ratio = len(samples) / max(1, len(audio.samples))
    return TimedAudio(samples, audio.phonemes, [edge * ratio for edge in audio.edges_s])


def _words(utterance: Utterance, text: str, audio: TimedAudio) -> tuple[Word, ...]:
    """Return the times of each word of `text`, from the first sample of its audio."""
    return word_times([(word, utterance.phonemes(word)) for word in text.split()], audio.phonemes, audio.edges_s)


def _chunk(text_chunk: TextChunk, made: Samples, words: tuple[Word, ...], at: tuple[int, float, int]) -> AudioChunk:
    """Return audio trimmed and with its pause, placed `at` (sample rate, speed, samples before it)."""
    sample_rate, speed, before = at
    samples, cut = trim(made, sample_rate, speed)
    whole = np.concatenate([samples, pause(text_chunk.boundary, speed, sample_rate)])
    shift_s, start_s, end_s = (before - cut) / sample_rate, before / sample_rate, (before + len(samples)) / sample_rate
    timed = tuple(
        Word(
            text=word.text,
            start_s=round(min(max(word.start_s + shift_s, start_s), end_s), 3),
            end_s=round(min(max(word.end_s + shift_s, start_s), end_s), 3),
        )
        for word in words
    )
    return AudioChunk(waveform=Waveform(pcm=to_pcm(whole), sample_rate=sample_rate), text=text_chunk.text, words=timed)
