"""Finds the gaps in a file's sound, so that a time in the samples is a time in the file. Pure but for PyAV's frames.

A film's sound may begin seconds after its pictures, and a recording may have holes where nothing was stored. Time
zero is where the file's first track begins, as players show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

LEAST_GAP_S = 0.1
"""Shorter ones are the jitter of a container's clock (`min_hard_comp` of FFmpeg's aresample)."""
LONGEST_JUMP_S = 10.0
"""A longer one is a clock that was set anew, where the format has such (`dts_delta_threshold` of ffmpeg)."""


class FileClock:
    """Compares the time of each frame with the samples before it."""

    def __init__(self, container: InputContainer) -> None:
        from av.format import Flags

        self._zero_s = (container.start_time or 0) / 1e6
        self._length_s = (container.duration or 0) / 1e6
        self._may_be_set = bool(container.format.flags & Flags.ts_discont.value)  # type: ignore[operator]  # an int
        self._samples_s = 0.0
        self._expected_s: float | None = None

    def gap_before(self, frame: AudioFrame) -> float:
        """Return the seconds of silence that belong before `frame`, the next in the stream; mostly 0."""
        length_s = frame.samples / frame.sample_rate
        gap_s = 0.0
        expected_s = self._expected_s or 0.0
        time_s = expected_s if frame.time is None else frame.time - self._zero_s
        if time_s - expected_s >= LEAST_GAP_S and self._is_believed(time_s, length_s):
            gap_s = max(0.0, time_s - self._samples_s)
        self._expected_s = time_s + length_s
        self._samples_s += gap_s + length_s
        return gap_s

    def _is_believed(self, time_s: float, length_s: float) -> bool:
        """Return whether a jump to `time_s` is a gap, and not damage or a clock that was set anew."""
        inside = time_s + length_s <= self._length_s + 1.0
        if self._expected_s is None:
            return inside or not self._length_s
        return time_s - self._expected_s <= LONGEST_JUMP_S or (inside and not self._may_be_set)
