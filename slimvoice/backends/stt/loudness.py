"""How much a quiet recording is amplified before anything listens to it. Pure: samples in, a factor out.

Silero misses quiet speech: of 63 s in 18 clips it finds 58 when they are 20 dB quieter, 39 at 40 dB and none at 60.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slimvoice.speech import STT_SAMPLE_RATE

PcmSamples = npt.NDArray[np.int16]

FULL_SCALE = 32768.0
LOUD_ENOUGH = 0.1
"""Recordings whose peak reaches this share of full scale stay as they are."""
TARGET = 0.5
MOST = 100.0
"""40 dB: more would make speech of the least significant bits' noise."""
BLOCK = STT_SAMPLE_RATE // 10
CLICKS = 2
"""Blocks (tenths of a second) that may be louder than what counts as the peak."""


def gain(samples: PcmSamples) -> float:
    """Return the factor, 1.0 to `MOST`, that brings the peak of a quiet recording to `TARGET`."""
    whole = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    if len(whole) <= CLICKS:
        return 1.0
    peaks = np.maximum(whole.max(axis=1), -whole.min(axis=1).astype(np.int32))
    peak = float(np.partition(peaks, -CLICKS - 1)[-CLICKS - 1]) / FULL_SCALE
    if peak >= LOUD_ENOUGH or peak <= 0:
        return 1.0
    return min(MOST, TARGET / peak)


def amplified(samples: PcmSamples, factor: float) -> npt.NDArray[np.float32]:
    """Return samples as floats from -1 to 1, `factor` times as loud."""
    floats = samples.astype(np.float32) / np.float32(FULL_SCALE)
    return floats if factor == 1.0 else np.clip(floats * np.float32(factor), -1.0, 1.0)
