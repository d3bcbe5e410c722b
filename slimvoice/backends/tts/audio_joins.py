"""Joins chunks of synthesized audio: trims silence, fades, adds pauses, stretches time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slimvoice.text.chunking import Boundary

Samples = NDArray[np.float32]

PAUSE_S: dict[Boundary, float] = {"paragraph": 0.5, "sentence": 0.28, "clause": 0.1, "word": 0.02, "end": 0.06}
"""Silence after a chunk, besides the breath of the model's own that `trim` leaves."""

_FRAME_S = 0.01
_QUIET = 10 ** (-50 / 20)
"""A frame this far below the loudest one is silence; softer consonants than that are not heard."""
_HEAD_S, _TAIL_S = 0.03, 0.05
_FADE_S = 0.005


def trim(samples: Samples, sample_rate: int, speed: float = 1.0) -> tuple[Samples, int]:
    """Return `samples` without the silence at both ends, faded in and out, and how many were cut off the front.

    Faster speech keeps less of it, or at four times the pace a fifth of a short sentence would be silence.
    """
    head_s, tail_s = _HEAD_S / max(1.0, speed), _TAIL_S / max(1.0, speed)
    frame = max(1, int(_FRAME_S * sample_rate))
    count = len(samples) // frame
    if not count:
        return samples, 0
    loudness = np.sqrt(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1))
    audible = np.flatnonzero(loudness > max(float(loudness.max()) * _QUIET, 1e-5))
    if not len(audible):
        return samples[:0], 0
    start = max(0, int(audible[0]) * frame - int(head_s * sample_rate))
    end = min(len(samples), (int(audible[-1]) + 1) * frame + int(tail_s * sample_rate))
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
    """Return the silence after a chunk; faster speech pauses less."""
    return np.zeros(int(PAUSE_S[boundary] / speed * sample_rate), dtype=np.float32)


def to_pcm(samples: Samples) -> bytes:
    """Return int16 little-endian PCM; what exceeds full scale is clipped."""
    scaled = np.clip(samples, -1.0, 1.0) * 32767.0
    pcm: bytes = np.rint(scaled).astype("<i2").tobytes()
    return pcm


_SLOWEST = 0.5
"""Slower than this the models stutter."""
_TAIL_LOST_S = 0.1
"""atempo keeps as much of its output's end to itself, so silence is put behind its input."""
_LARGEST_STEP = 2.0
"""atempo blends up to here and drops samples beyond."""


def model_speed(speed: float, fastest: float) -> float:
    """Return the part of `speed` that the model itself should make; from `fastest` on it swallows syllables."""
    return min(max(speed, _SLOWEST), fastest)


def time_stretched(samples: Samples, factor: float, sample_rate: int) -> Samples:
    """Return `samples` played `factor` times as fast, at the same pitch: a `factor`-th of their number, rounded.

    By FFmpeg's atempo, which overlaps and adds where the waveform fits best (WSOLA).
    """
    if abs(factor - 1) < 0.01 or not len(samples):
        return samples
    import av
    from av.audio.frame import AudioFrame
    from av.filter import Graph

    steps = 1
    while not 1 / _LARGEST_STEP <= factor ** (1 / steps) <= _LARGEST_STEP:
        steps += 1
    graph = Graph()
    chain = [graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono")]
    chain += [graph.add("atempo", f"{factor ** (1 / steps):.6f}") for _ in range(steps)]
    chain += [graph.add("aformat", "sample_fmts=flt:channel_layouts=mono"), graph.add("abuffersink")]
    graph.link_nodes(*chain).configure()
    whole = np.concatenate([samples, np.zeros(int(_TAIL_LOST_S * factor * sample_rate), np.float32)])
    frame = AudioFrame.from_ndarray(whole[None], format="flt", layout="mono")
    frame.sample_rate = sample_rate
    graph.push(frame)
    graph.push(None)
    parts: list[Samples] = []
    while True:
        try:
            made = graph.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate([samples[:0], *parts])[: round(len(samples) / factor)]
        if isinstance(made, AudioFrame):
            parts.append(made.to_ndarray().reshape(-1).astype(np.float32))
