"""Speech faster or slower than a model can say it: stretched in time at the same pitch, by FFmpeg's atempo (WSOLA)."""

from __future__ import annotations

import numpy as np

from slimvoice.backends.tts.joints import Samples

_SLOWEST, _FASTEST = 0.5, 1.5
"""Beyond these the models swallow or stutter syllables: each phoneme takes one whole frame at least."""
_LARGEST_STEP = 2.0
"""atempo blends up to here and drops samples beyond."""


def model_speed(speed: float) -> float:
    """Return the part of `speed` that the model itself should make."""
    return min(max(speed, _SLOWEST), _FASTEST)


def stretched(samples: Samples, factor: float, sample_rate: int) -> Samples:
    """Return `samples` played `factor` times as fast, at the same pitch."""
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
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
    frame.sample_rate = sample_rate
    graph.push(frame)
    graph.push(None)
    parts: list[Samples] = []
    while True:
        try:
            made = graph.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate(parts) if parts else samples[:0]
        if isinstance(made, AudioFrame):
            parts.append(made.to_ndarray().reshape(-1).astype(np.float32))
