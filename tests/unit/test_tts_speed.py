"""Speech at any speed: what the model does not make is stretched, words, times and joins with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from slimvoice.backends.tts.audio_joins import model_speed
from slimvoice.backends.tts.pipeline import RawAudio, synthesize
from slimvoice.speech import AudioChunk, SynthesizeRequest

RATE = 24_000
BEEP_S, GAP_S, PITCH = 0.2, 0.2, 300
TEXT = " ".join(5 * ["ab ab ab ab ab ab ab ab ab ab ab ab ab."])


@dataclass
class Beeps:
    """A model that beeps for each letter and is silent for each space, at speeds up to 1.2."""

    speed: float
    sample_rate: int = RATE
    chunk_limits: Sequence[int] = (12, 12)
    has_durations: bool = True

    def phonemes(self, text: str) -> str:
        return text.replace("ab", "a")

    def runs(self, phonemes: Sequence[str]) -> list[Sequence[str]]:
        return [phonemes]

    def run(self, phonemes: Sequence[str], *, last: bool) -> RawAudio:
        beep = 0.5 * np.sin(2 * np.pi * PITCH * np.arange(int(BEEP_S / self.speed * RATE)) / RATE)
        silence = np.zeros(int(GAP_S / self.speed * RATE))
        parts = [beep if phoneme.isalpha() else silence for phoneme in phonemes]
        edges = np.cumsum([0, *map(len, parts)]) / RATE
        return RawAudio(np.concatenate(parts).astype(np.float32), edges.tolist())


def say(speed: float) -> list[AudioChunk]:
    request = SynthesizeRequest(model="m", text=TEXT, speed=speed, word_timestamps=True)
    steps = list(synthesize(request, Beeps(model_speed(speed, 1.2))))
    return [event for events in steps for event in events if isinstance(event, AudioChunk)]


def joined(chunks: list[AudioChunk]) -> np.ndarray:
    return np.concatenate([np.frombuffer(chunk.waveform.pcm, "<i2") for chunk in chunks]).astype(np.float64)


SPEEDS = [0.25, 0.5, 1.5, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("speed", SPEEDS)
def test_length_follows_the_speed_and_the_pitch_stays(speed: float) -> None:
    chunks = say(speed)
    samples = joined(chunks)
    ends_s = 0.05 * len(chunks)  # what `trim` leaves at the end of each is the same at every speed
    assert len(samples) / RATE - ends_s == pytest.approx((len(joined(say(1.0))) / RATE - ends_s) / speed, rel=0.04)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * RATE / len(samples) == pytest.approx(PITCH, rel=0.03)


@pytest.mark.parametrize("speed", SPEEDS)
def test_every_word_is_where_its_time_says(speed: float) -> None:
    chunks = say(speed)
    samples, words = np.abs(joined(chunks)), [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == TEXT.split()
    for word in words:
        length_s = BEEP_S / speed
        assert word.end_s - word.start_s == pytest.approx(length_s, abs=0.25 * length_s + 0.01)
        inner = samples[int((word.start_s + 0.2 * length_s) * RATE) : int((word.end_s - 0.3 * length_s) * RATE)]
        assert inner.max() > 10_000


@pytest.mark.parametrize("speed", SPEEDS)
def test_pieces_join_without_a_click(speed: float) -> None:
    chunks = say(speed)
    assert len(chunks) >= 3
    steepest = 0.5 * 32767 * 2 * np.pi * PITCH / RATE
    at = 0
    samples = joined(chunks)
    for chunk in chunks:
        piece = np.frombuffer(chunk.waveform.pcm, "<i2")
        assert abs(int(piece[0])) < 100
        assert abs(int(piece[-1])) < 100
        at += len(piece)
        assert np.abs(np.diff(samples[max(0, at - 400) : at + 400])).max() < 1.2 * steepest
