"""Cuts a recording into windows, running voice detection no further ahead than the next window needs."""

from __future__ import annotations

from typing import Protocol

from slimvoice.backends.stt.windows import FRAME, WINDOW, Span, Window, find_speech, first_window, pad
from slimvoice.speech import STT_SAMPLE_RATE, VoiceDetection

MARGIN = 6 * STT_SAMPLE_RATE
"""Samples examined beyond a window: what speech comes so soon might still be part of it."""
MOST_SILENCE = 300 * STT_SAMPLE_RATE
"""Samples searched in vain before a step gives way to other jobs (0.8 s of CPU)."""
LEAST_ADVANCE = STT_SAMPLE_RATE // 2
"""Whisper must get on by as much with each run, or the rest of the window is given up: it could crawl for ever."""
LEAST_LEFT = STT_SAMPLE_RATE // 2
"""Speech that whisper left over at the end of a window is heard again only if it is longer than this."""


class Detector(Protocol):
    """Probabilities of speech, a frame each, computed no further than asked for."""

    @property
    def known(self) -> int:
        """Samples whose probability has been computed."""
        ...

    def advance_to(self, until: int) -> None:
        """Compute probabilities up to sample `until`, at most the whole recording."""
        ...

    def probabilities(self, start: int) -> list[float]:
        """Return what is known from the frame that holds sample `start` on."""
        ...


class FixedWindows:
    """Consecutive windows of the longest length: for requests that switch voice detection off."""

    def __init__(self, length: int, longest: int = WINDOW) -> None:
        self._length = length
        self._longest = longest
        self.cursor = 0
        self.speech = length

    def next_window(self) -> Window | None:
        """Return the next window; None at the end."""
        if self.cursor >= self._length:
            return None
        return Window((Span(self.cursor, min(self._length, self.cursor + self._longest)),))

    def advance(self, window: Window, until: int | None) -> None:
        """Go on after `window`, or from `until` where whisper stopped early."""
        left_over = until is not None and window.start + LEAST_ADVANCE <= until <= window.end - LEAST_ADVANCE
        self.cursor = until if left_over and until is not None else window.end

    def finished(self) -> bool:
        """True once every sample has been transcribed."""
        return self.cursor >= self._length


class SpeechWindows:
    """Windows of speech, cut at pauses; silence is skipped."""

    def __init__(self, detector: Detector, length: int, detection: VoiceDetection, longest: int = WINDOW) -> None:
        self._longest = longest
        self._detector = detector
        self._length = length
        self._detection = detection
        self._padding = detection.prefix_padding_ms * STT_SAMPLE_RATE // 1000
        self.cursor = 0
        self.speech = 0

    def next_window(self) -> Window | None:
        """Return the next window; None when the next 5 minutes, or the rest of the recording, hold no speech."""
        searched_to = min(self._length, self.cursor + MOST_SILENCE)
        while self.cursor < searched_to:
            if self._spans(self.cursor + WINDOW):
                return self._packed()
            self.cursor = self._after_silence()
        return None

    def _spans(self, until: int) -> list[Span]:
        """Return spans of speech in samples, from the cursor to `until`, or as far as probabilities are known."""
        self._detector.advance_to(until)
        origin = self.cursor // FRAME * FRAME
        found = find_speech(self._detector.probabilities(self.cursor), self._detection)
        return [
            Span(max(self.cursor, origin + span.start * FRAME), min(self._length, origin + span.end * FRAME))
            for span in found
        ]

    def _packed(self) -> Window:
        """Return the window that begins with the next speech, computing probabilities until its end is certain."""
        while True:
            known = self._detector.known
            spans = pad(self._spans(known), self._padding, Span(self.cursor, self._length))
            window = first_window(spans, self._longest)
            if window.end + MARGIN <= known or known >= self._length:
                return window
            self._detector.advance_to(window.end + 2 * MARGIN)

    def _after_silence(self) -> int:
        """Return where to go on: a little back, as speech may just begin there."""
        known = self._detector.known
        return known if known >= self._length else max(self.cursor + FRAME, known - STT_SAMPLE_RATE // 2)

    def advance(self, window: Window, until: int | None) -> None:
        """Go on after `window`, or from `until` where whisper stopped early and speech is left."""
        self.speech += window.length
        self.cursor = window.end
        if (
            until is not None
            and until >= window.start + LEAST_ADVANCE
            and self._speech_in(until, window.end) > LEAST_LEFT
        ):
            self.speech -= window.end - until
            self.cursor = until
        elif self._length - self.cursor < WINDOW and not self._spans(self._length):
            self.cursor = self._length  # nothing follows: end with this step rather than take another turn

    def _speech_in(self, start: int, end: int) -> int:
        probabilities = self._detector.probabilities(start)[: (end - start) // FRAME]
        return sum(span.length for span in find_speech(probabilities, self._detection)) * FRAME

    def finished(self) -> bool:
        """True once every sample has been transcribed or skipped."""
        return self.cursor >= self._length
