from __future__ import annotations

from slimvoice.backends.stt.segmenter import FixedWindows, SpeechWindows
from slimvoice.backends.stt.windows import FRAME, WINDOW, Span, Window
from slimvoice.speech import STT_SAMPLE_RATE as RATE
from slimvoice.speech import VoiceDetection


class Detector:
    """Knows the probabilities beforehand, and how far it was asked to listen."""

    def __init__(self, probabilities: list[float]) -> None:
        self.all = probabilities
        self.known = 0

    def advance_to(self, until: int) -> None:
        self.known = max(self.known, min(until, len(self.all) * FRAME) // FRAME * FRAME)

    def probabilities(self, start: int) -> list[float]:
        return self.all[start // FRAME : self.known // FRAME]


def frames(seconds: float) -> int:
    return round(seconds * RATE / FRAME)


def parts(*stretches: tuple[float, float]) -> SpeechWindows:
    """Speech with these probabilities for these seconds."""
    probabilities = [p for p, seconds in stretches for _ in range(frames(seconds))]
    return SpeechWindows(Detector(probabilities), len(probabilities) * FRAME, VoiceDetection())


def windows_of(source: SpeechWindows | FixedWindows) -> list[Window]:
    found = []
    for _ in range(1000):
        if source.finished():
            return found
        window = source.next_window()
        if window is not None:
            found.append(window)
            source.advance(window, None)
    raise AssertionError("it never ends")


def test_silence_has_no_windows() -> None:
    assert windows_of(parts((0, 700))) == []


def test_speech_is_found_after_long_silence_and_ends_with_its_window() -> None:
    source = parts((0, 400), (1, 5), (0, 10))
    (window,) = windows_of(source)
    assert abs(window.start - 400 * RATE) < RATE
    assert abs(window.end - 405 * RATE) < RATE


def test_a_step_searches_a_bounded_stretch_of_silence() -> None:
    source = parts((0, 700), (1, 5))
    assert source.next_window() is None
    assert not source.finished()
    assert source.cursor < 340 * RATE


def test_no_further_is_heard_than_the_window_needs() -> None:
    source = parts((1, 10), (0, 10), (1, 3000))
    source.next_window()
    assert source._detector.known < 60 * RATE


def test_window_is_not_cut_where_listening_stopped() -> None:
    source = parts((1, 2), (0, 3), (1, 24), (0, 3), (1, 5), (0, 9))
    assert [round(window.length / RATE) for window in windows_of(source)] == [27, 6]


def test_speech_left_over_by_whisper_is_heard_again() -> None:
    source = parts((1, 20), (0, 10))
    window = source.next_window()
    assert window is not None
    source.advance(window, 12 * RATE)
    assert not source.finished()
    again = source.next_window()
    assert again is not None
    assert again.start == 12 * RATE


def test_a_rest_without_speech_is_not_heard_again() -> None:
    source = parts((1, 20), (0, 10))
    window = source.next_window()
    assert window is not None
    source.advance(window, round(19.8 * RATE))
    assert source.finished()


def test_whisper_that_does_not_get_on_cannot_hold_up_the_job() -> None:
    for source in (parts((1, 20), (0, 1)), FixedWindows(50 * RATE)):
        window = source.next_window()
        assert window is not None
        source.advance(window, window.start + 100)
        assert source.cursor == window.end or source.finished()


def test_whole_recording_is_heard_without_gaps() -> None:
    found = windows_of(FixedWindows(70 * RATE))
    assert [window.spans for window in found] == [
        (Span(0, WINDOW),),
        (Span(WINDOW, 2 * WINDOW),),
        (Span(2 * WINDOW, 70 * RATE),),
    ]
