"""Where speech is, and how to cut it into windows whisper can take. Pure: frames and samples in, windows out.

A frame is 512 samples (32 ms), the step of Silero VAD. A window is at most 30 s of speech, made of one or more
pieces of the file; long silences between pieces are left out, so a window's clock is not the file's: `Window.to_file`
translates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slimvoice.speech import STT_SAMPLE_RATE, VoiceDetection

FRAME = 512
WINDOW = 30 * STT_SAMPLE_RATE
"""Most samples in a window."""
LONGEST_GAP = 5 * STT_SAMPLE_RATE
"""Speech after a longer silence begins a window of its own."""
KEPT_SILENCE = 2 * STT_SAMPLE_RATE
"""Samples of padding-free silence that stay in a window: whisper tells sentences by them. A longer gap is left out."""
CLICK_FRAMES = 2
"""Bursts no longer than this (64 ms) are never speech."""
DOUBTFUL_FRAMES = 8
"""Bursts shorter than this (250 ms, Silero's own minimum) are speech only if they once sound `CLEAR`."""
CLEAR = 0.9
HYSTERESIS = 0.15
"""Speech that has begun goes on down to this much below the threshold (Silero's own rule)."""


@dataclass(frozen=True)
class Span:
    """A half-open stretch [start, end), in frames or samples."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Frames or samples in it."""
        return self.end - self.start


@dataclass(frozen=True)
class Window:
    """Spans of the file, in samples and in order, that are transcribed in one go."""

    spans: tuple[Span, ...]

    @property
    def start(self) -> int:
        """First sample, on the file's clock."""
        return self.spans[0].start

    @property
    def end(self) -> int:
        """Sample after the last, on the file's clock."""
        return self.spans[-1].end

    @property
    def length(self) -> int:
        """Samples in the window."""
        return sum(span.length for span in self.spans)

    def to_file(self, sample: int, *, ending: bool = False) -> int:
        """Map a position in the window to the file; at a joint, `ending` picks the span before it."""
        offset = 0
        for span in self.spans:
            position = sample - offset
            if position < span.length or (ending and position == span.length):
                return span.start + max(0, position)
            offset += span.length
        return self.end

    def word_to_file(self, start: int, end: int) -> tuple[int, int]:
        """Map a word's times to the file; a word belongs to one span, and its middle decides which."""
        offset = 0
        for span in self.spans:
            if (start + end) // 2 < offset + span.length or span is self.spans[-1]:
                break
            offset += span.length
        first, last = (max(span.start, min(span.end, span.start + time - offset)) for time in (start, end))
        return first, last


def find_speech(probabilities: Sequence[float], detection: VoiceDetection) -> list[Span]:
    """Return the spans of speech, in frames. Speech still going on at the end of `probabilities` is a span too."""
    low = max(0.01, detection.threshold - HYSTERESIS)
    patience = max(1, round(detection.silence_duration_ms * STT_SAMPLE_RATE / 1000 / FRAME))
    spans: list[Span] = []

    def close(span: Span) -> None:
        clear = span.length >= DOUBTFUL_FRAMES or max(probabilities[span.start : span.end]) >= CLEAR
        if span.length > CLICK_FRAMES and clear:
            spans.append(span)

    start: int | None = None
    last = 0
    for frame, probability in enumerate(probabilities):
        if start is None:
            if probability >= detection.threshold:
                start, last = frame, frame
        elif probability >= low:
            last = frame
        elif frame - last > patience:
            close(Span(start, last + 1))
            start = None
    if start is not None:
        close(Span(start, last + 1))
    return spans


def pad(spans: Sequence[Span], padding: int, bounds: Span) -> list[Span]:
    """Widen spans (samples) by `padding` on both sides within `bounds`, and join those that come near each other."""
    joined: list[Span] = []
    for span in spans:
        wide = Span(max(bounds.start, span.start - padding), min(bounds.end, span.end + padding))
        if joined and wide.start - joined[-1].end <= KEPT_SILENCE:
            joined[-1] = Span(joined[-1].start, wide.end)
        else:
            joined.append(wide)
    return joined


def first_window(spans: Sequence[Span], longest: int = WINDOW) -> Window:
    """Pack spans (samples) into one window of at most `longest` samples.

    What does not fit waits for the next window. A piece longer than a window is cut at its full length, wherever that
    is: whisper ends with the last whole sentence, and the next window begins there. A cut at a pause within a sentence
    looks kinder, but makes whisper invent an ending.
    """
    first = spans[0]
    if first.length > longest:
        return Window((Span(first.start, first.start + longest),))
    taken: list[Span] = []
    room = longest
    for span in spans:
        if span.length > room or (taken and span.start - taken[-1].end > LONGEST_GAP):
            break
        taken.append(span)
        room -= span.length
    return Window(tuple(taken))
