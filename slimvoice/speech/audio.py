"""Audio in memory: 16-bit PCM bytes everywhere outside a backend.

The server process needs no numpy, and half the bytes of float32 cross the pipe.
"""

from __future__ import annotations

import msgspec

STT_SAMPLE_RATE = 16_000
"""Hertz that every speech-to-text backend takes."""


class Waveform(msgspec.Struct, frozen=True, kw_only=True):
    """Mono audio: `pcm` is int16 little-endian [n_samples], full scale ±32767."""

    pcm: bytes
    sample_rate: int = STT_SAMPLE_RATE

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / 2 / self.sample_rate
