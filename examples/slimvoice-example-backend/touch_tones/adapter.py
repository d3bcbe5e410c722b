"""The adapter: imported in worker processes only. A runtime would be imported here; this one is the Goertzel filter."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

from slimvoice.backends.base import JobControl
from slimvoice.errors import Cancelled, InvalidRequest, ModelLoad
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    LoadSpec,
    Progress,
    Segment,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    Word,
)
from slimvoice.text.languages import language_code
from touch_tones.files import Tones, read

FRAME = STT_SAMPLE_RATE // 50
FRAMES_PER_WINDOW = 500
FEWEST_FRAMES = 3
"""Shorter sounds are no key."""
QUIET = 200
SHARE = 0.6
"""The two tones of a key hold at least so much of the energy."""


class TouchTones:
    """A table of tones (SpeechToText)."""

    def __init__(self, tones: Tones) -> None:
        self._tones = tones

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Read the table."""
        try:
            return cls(read(Path(spec.installed.files["weights"]).read_bytes()))
        except (KeyError, OSError, ValueError) as error:
            raise ModelLoad(f"{spec.installed.model.name} has no table of tones", detail=str(error)) from error

    def close(self) -> None:
        """Nothing to give back."""

    def transcribe(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        """Yield the keys of one window per step."""
        if request.language and language_code(request.language) is None:
            raise InvalidRequest(f"{request.language!r} is no language", param="language")
        return self._steps(request, control)

    def _steps(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        samples, total_s, speech_s, number = array("h", request.waveform.pcm), request.waveform.duration_s, 0.0, 0
        cuts = [*range(0, len(samples), FRAME * FRAMES_PER_WINDOW), len(samples)]
        for start, end in pairwise(cuts if len(cuts) > 1 else [0, 0]):
            events: list[TranscribeEvent] = []
            words = self._words(samples, start, end, control)
            if words:
                timed = tuple(words) if request.word_timestamps else ()
                events.append(
                    Segment(
                        id=number,
                        seek=start * 100 // STT_SAMPLE_RATE,
                        start_s=words[0].start_s,
                        end_s=words[-1].end_s,
                        text="".join(f" {word.text}" for word in words),
                        words=timed,
                        language=request.language or "",
                    )
                )
                number += 1
                speech_s += sum(word.end_s - word.start_s for word in words)
            events.append(Progress(done_s=end / STT_SAMPLE_RATE, total_s=total_s))
            if end == len(samples):
                done = TranscriptDone(language=request.language or "", duration_s=total_s, speech_s=speech_s)
                events.append(done)
            yield events

    def _words(self, samples: array[int], start: int, end: int, control: JobControl) -> list[Word]:
        """Return the keys between two samples; asks in each frame whether anybody still wants to know."""
        found: list[Word] = []
        held, began = "", start
        for at in [*range(start, end - FRAME + 1, FRAME), end]:
            if control.cancelled:
                raise Cancelled("the client went away")
            key = self._key(samples[at : at + FRAME]) if at < end else ""
            if key != held:
                if held and at - began >= FEWEST_FRAMES * FRAME:
                    found.append(Word(text=held, start_s=began / STT_SAMPLE_RATE, end_s=at / STT_SAMPLE_RATE))
                held, began = key, at
        return found

    def _key(self, frame: array[int]) -> str:
        """Return the key whose two tones fill a frame; empty where there is none."""
        energy = sum(sample * sample for sample in frame) / len(frame)
        if energy < QUIET * QUIET:
            return ""
        row, column = (max((_power(frame, hertz), number) for number, hertz in enumerate(each))
                       for each in (self._tones.rows, self._tones.columns))  # fmt: skip
        return self._tones.keys[row[1]][column[1]] if row[0] + column[0] > SHARE * energy else ""


def _power(frame: array[int], hertz: int) -> float:
    """Return the mean square of one tone in a frame (Goertzel)."""
    factor = 2 * math.cos(2 * math.pi * hertz / STT_SAMPLE_RATE)
    last = before = 0.0
    for sample in frame:
        last, before = sample + factor * last - before, last
    return 2 * (last * last + before * before - factor * last * before) / len(frame) ** 2
