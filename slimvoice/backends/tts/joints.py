"""Join pieces of speech: trim the silence a model leaves at its ends, add the pause the text asks for. Pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slimvoice.text.pieces import Boundary

Samples = NDArray[np.float32]

PAUSE_S: dict[Boundary, float] = {"paragraph": 0.5, "sentence": 0.28, "clause": 0.1, "word": 0.02, "end": 0.06}
"""Silence after a piece, besides the breath of the model's own that `trim` leaves."""

_FRAME_S = 0.01
_QUIET = 10 ** (-50 / 20)
"""A frame this far below the loudest one is silence; softer consonants than that are not heard."""
_HEAD_S, _TAIL_S = 0.03, 0.05
_FADE_S = 0.005


def trim(samples: Samples, sample_rate: int) -> tuple[Samples, int]:
    """Return `samples` without the silence at both ends, faded in and out, and how many were cut off the front."""
    frame = max(1, int(_FRAME_S * sample_rate))
    count = len(samples) // frame
    if not count:
        return samples, 0
    loudness = np.sqrt(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1))
    heard = np.flatnonzero(loudness > max(float(loudness.max()) * _QUIET, 1e-5))
    if not len(heard):
        return samples[:0], 0
    start = max(0, int(heard[0]) * frame - int(_HEAD_S * sample_rate))
    end = min(len(samples), (int(heard[-1]) + 1) * frame + int(_TAIL_S * sample_rate))
    return _faded(samples[start:end], int(_FADE_S * sample_rate)), start


def _faded(samples: Samples, length: int) -> Samples:
    """Return a copy that begins and ends at zero: no click at the joint."""
    out = samples.copy()
    length = min(length, len(out) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        out[:length] *= ramp
        out[-length:] *= ramp[::-1]
    return out


def pause(boundary: Boundary, speed: float, sample_rate: int) -> Samples:
    """Return the silence after a piece; faster speech pauses less."""
    return np.zeros(int(PAUSE_S[boundary] / speed * sample_rate), dtype=np.float32)


def to_pcm(samples: Samples) -> bytes:
    """Return int16 little-endian PCM; what exceeds full scale is clipped."""
    scaled = np.clip(samples, -1.0, 1.0) * 32767.0
    pcm: bytes = np.rint(scaled).astype("<i2").tobytes()
    return pcm
