from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.backends.stt.windows import (
    CLEAR,
    FRAME,
    KEPT_SILENCE,
    LONGEST_GAP,
    WINDOW,
    Span,
    Window,
    find_speech,
    first_window,
    pad,
)
from slimvoice.speech import STT_SAMPLE_RATE as RATE
from slimvoice.speech import VoiceDetection

DETECTION = VoiceDetection()


def test_speech_begins_at_the_threshold_and_ends_after_the_asked_silence() -> None:
    quiet = [0.0] * 40
    assert find_speech([*quiet, *[1.0] * 20, *quiet], DETECTION) == [Span(40, 60)]


def test_short_pause_does_not_end_speech() -> None:
    pause = [0.0] * 10  # 320 ms
    speech = [1.0] * 20
    assert find_speech([*speech, *pause, *speech], DETECTION) == [Span(0, 50)]
    shorter = VoiceDetection(silence_duration_ms=100)
    assert find_speech([*speech, *pause, *speech], shorter) == [Span(0, 20), Span(30, 50)]


def test_speech_goes_on_a_little_below_the_threshold() -> None:
    assert find_speech([0.6] * 20 + [0.4] * 30, DETECTION) == [Span(0, 50)]
    assert find_speech([0.4] * 50, DETECTION) == []


def test_threshold_of_the_request_counts() -> None:
    assert find_speech([0.6] * 20, VoiceDetection(threshold=0.7)) == []
    assert find_speech([0.3] * 20, VoiceDetection(threshold=0.25)) == [Span(0, 20)]


def test_weak_burst_is_a_click_but_a_clear_one_is_a_word() -> None:
    quiet = [0.0] * 30
    assert find_speech([*quiet, 0.6, 0.6, 0.6, 0.6, *quiet], DETECTION) == []
    assert find_speech([*quiet, 0.6, CLEAR, 0.6, 0.6, *quiet], DETECTION) == [Span(30, 34)]
    assert find_speech([*quiet, 1.0, 1.0, *quiet], DETECTION) == []


def test_speech_that_goes_on_at_the_end_is_a_span() -> None:
    assert find_speech([0.0] * 10 + [1.0] * 10, DETECTION) == [Span(10, 20)]


def test_padding_stays_within_bounds_and_joins_neighbours() -> None:
    near = pad([Span(100, 1000), Span(1000 + 600 + KEPT_SILENCE, 20000)], 300, Span(0, 20100))
    assert near == [Span(0, 20100)]
    far = pad([Span(1000, 2000), Span(2001 + 600 + KEPT_SILENCE, 20000)], 300, Span(0, 30000))
    assert far == [Span(700, 2300), Span(2301 + KEPT_SILENCE, 20300)]


def test_window_takes_whole_pieces_up_to_its_length() -> None:
    pieces = [Span(0, 12 * RATE), Span(13 * RATE, 25 * RATE), Span(26 * RATE, 38 * RATE)]
    assert first_window(pieces) == Window(tuple(pieces[:2]))


def test_speech_after_a_long_silence_gets_a_window_of_its_own() -> None:
    pieces = [Span(0, RATE), Span(RATE + LONGEST_GAP + 1, 8 * RATE)]
    assert first_window(pieces) == Window((pieces[0],))


def test_endless_speech_is_cut_at_full_length() -> None:
    window = first_window([Span(512, 1200 * FRAME)])
    assert window.length == WINDOW


def test_shorter_windows_can_be_asked_for() -> None:
    pieces = [Span(0, 4 * RATE), Span(5 * RATE, 9 * RATE), Span(10 * RATE, 14 * RATE)]
    assert first_window(pieces, 8 * RATE) == Window(tuple(pieces[:2]))
    assert first_window([Span(0, 20 * RATE)], 8 * RATE).length == 8 * RATE


def test_window_clock_skips_what_was_left_out() -> None:
    window = Window((Span(1000, 2000), Span(5000, 6000)))
    assert window.length == 2000
    assert window.to_file(0) == 1000
    assert window.to_file(999) == 1999
    assert window.to_file(1000) == 5000
    assert window.to_file(1000, ending=True) == 2000
    assert window.to_file(1500, ending=True) == 5500
    assert window.to_file(99999) == 6000


def test_word_does_not_stretch_over_what_was_left_out() -> None:
    window = Window((Span(1000, 2000), Span(5000, 6000)))
    assert window.word_to_file(100, 900) == (1100, 1900)
    assert window.word_to_file(700, 1100) == (1700, 2000)
    assert window.word_to_file(950, 1300) == (5000, 5300)
    assert window.word_to_file(1900, 2500) == (5900, 6000)


spans = st.lists(st.integers(1, 200_000), min_size=2, max_size=20).map(
    lambda steps: [
        Span(start, end) for start, end in list(pairwise([sum(steps[: i + 1]) for i in range(len(steps))]))[::2]
    ]
)


@given(spans.filter(bool), st.integers(0, 8000))
def test_packing_loses_and_repeats_nothing(found: list[Span], padding: int) -> None:
    bounds = Span(0, found[-1].end + 100)
    pieces = pad(found, padding, bounds)
    assert all(a.end + KEPT_SILENCE < b.start for a, b in pairwise(pieces))
    assert all(any(p.start <= s.start and s.end <= p.end for p in pieces) for s in found)
    cursor, heard = 0, 0
    while pieces:
        window = first_window(pieces)
        assert 0 < window.length <= WINDOW
        assert window.start >= cursor
        heard += window.length
        cursor = window.end
        pieces = [Span(max(p.start, cursor), p.end) for p in pieces if p.end > cursor]
    assert heard == sum(piece.length for piece in pad(found, padding, bounds))


@given(spans.filter(bool), st.lists(st.integers(0, 3_000_000), min_size=2, max_size=10))
def test_window_clock_never_runs_backwards(found: list[Span], samples: list[int]) -> None:
    window = Window(tuple(found))
    times = [window.to_file(sample) for sample in sorted(samples)]
    assert times == sorted(times)
    assert all(window.start <= time <= window.end for time in times)


@pytest.mark.parametrize("silence_ms", [0, 200, 2000])
def test_spans_are_apart_by_at_least_the_asked_silence(silence_ms: int) -> None:
    probabilities = ([1.0] * 30 + [0.0] * 20) * 5 + ([1.0] * 30 + [0.0] * 70) * 5
    found = find_speech(probabilities, VoiceDetection(silence_duration_ms=silence_ms))
    assert all((b.start - a.end) * FRAME >= silence_ms * RATE / 1000 - FRAME for a, b in pairwise(found))
