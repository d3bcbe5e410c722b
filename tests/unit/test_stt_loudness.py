"""How much quiet recordings are amplified."""

from __future__ import annotations

import numpy as np
import pytest

from slimvoice.backends.stt.loudness import BLOCK, MOST, TARGET, amplified, gain


def tone(peak: float, seconds: float = 2.0) -> np.ndarray:
    return np.rint(peak * 32768 * np.sin(np.arange(int(seconds * 16_000)) * 0.3)).astype(np.int16)


@pytest.mark.parametrize("peak", [0.1, 0.3, 0.99])
def test_recordings_that_are_loud_enough_stay_as_they_are(peak: float) -> None:
    samples = tone(peak * 1.01)
    assert gain(samples) == 1.0
    assert np.array_equal(amplified(samples, 1.0) * 32768, samples)


@pytest.mark.parametrize("decibels", [-26, -40, -45])
def test_quiet_recordings_are_brought_to_one_peak(decibels: int) -> None:
    samples = tone(10 ** (decibels / 20))
    assert np.abs(amplified(samples, gain(samples))).max() == pytest.approx(TARGET, rel=0.02)


def test_no_recording_is_amplified_without_bound() -> None:
    assert gain(tone(2 / 32768)) == MOST
    assert gain(np.zeros(32_000, np.int16)) == 1.0
    assert gain(np.zeros(0, np.int16)) == 1.0
    assert gain(np.array([-32768] * BLOCK * 4, np.int16)) == 1.0


def test_clicks_do_not_keep_quiet_speech_quiet() -> None:
    samples = tone(0.01)
    expected = gain(samples)
    samples[5_000] = 32767
    samples[20_000] = -32768
    assert gain(samples) == expected > 10
    assert np.abs(amplified(samples, gain(samples))).max() == 1.0
