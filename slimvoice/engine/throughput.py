"""Measured throughput of a model, and the waiting times that follow from it. Pure."""

from __future__ import annotations

import math

from slimvoice.engine.messages import Event
from slimvoice.speech import AudioChunk, SynthesizeRequest, TranscribeRequest

CHARS_PER_SECOND = 15.0
"""Pace of speech, to compare a text with audio."""
LONG_S = 60.0
"""More sound than this is worked on in more than two steps."""
MAX_RETRY_AFTER_S = 120.0
"""The openai client does not retry at all above this."""
GUESSED_FACTOR = 0.5
"""Seconds per second of sound before anything was measured."""
SMOOTHING = 0.2
"""Weight of the newest measurement in a smoothed one."""


class Throughput:
    """Smoothed real-time factor and latency of one model; the clock is passed in."""

    def __init__(self) -> None:
        self.realtime_factor: float | None = None
        self.first_result_s: float | None = None
        self._running = 0
        self._since = 0.0
        self._busy_s = 0.0
        self._done_s = 0.0

    def begin(self, now: float) -> None:
        """Note that a job begins."""
        if self._running == 0:
            self._since = now
        self._running += 1

    def end(self) -> None:
        """Note that a job has ended, well or not."""
        self._running -= 1

    def record(self, now: float, *, audio_s: float, compute_s: float, first_s: float | None) -> None:
        """Record one successful job."""
        if audio_s > 0:
            self.realtime_factor = _smoothed(self.realtime_factor, compute_s / audio_s)
        if first_s is not None:
            self.first_result_s = _smoothed(self.first_result_s, first_s)
        # However many jobs run at once: what was done in the time since the last one ended.
        self._busy_s = (1 - SMOOTHING) * self._busy_s + now - self._since
        self._done_s = (1 - SMOOTHING) * self._done_s + audio_s
        self._since = now

    def expected_s(self, audio_s: float) -> float:
        """Return the seconds that processing this much audio will take."""
        return audio_s * (self._busy_s / self._done_s if self._done_s else GUESSED_FACTOR)

    def retry_after_s(self, backlog_s: float) -> float:
        """Return the seconds until the backlog is done: whole seconds, at most what clients obey."""
        return float(min(MAX_RETRY_AFTER_S, max(1, math.ceil(self.expected_s(backlog_s)))))


def _smoothed(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)


def audio_seconds(request: TranscribeRequest | SynthesizeRequest) -> float:
    """Return the seconds of audio in a request; for a text, an estimate of its speech."""
    if isinstance(request, SynthesizeRequest):
        return len(request.text) / CHARS_PER_SECOND / request.speed
    return request.waveform.duration_s


def produced_seconds(event: Event) -> float:
    """Return the seconds of audio in an event."""
    return event.waveform.duration_s if isinstance(event, AudioChunk) else 0.0
