from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.backends.whisper_cpp import segments
from slimvoice.backends.whisper_cpp.segments import Token


def tokens(*pieces: str | bytes) -> list[Token]:
    return [
        Token(
            id=i,
            data=piece.encode() if isinstance(piece, str) else piece,
            probability=0.5,
            logprob=-0.5,
            start=10 * i,
            end=10 * i + 10,
        )
        for i, piece in enumerate(pieces)
    ]


def in_seconds(start: int, end: int) -> tuple[float, float]:
    return start / 100, end / 100


def words(*pieces: str | bytes, language: str = "en") -> list[str]:
    return [word.text for word in segments.words(tokens(*pieces), language, in_seconds)]


def test_words_begin_at_a_space() -> None:
    assert words(" And", " so", " my", " Amer", "icans", ",") == ["And", "so", "my", "Americans,"]


def test_first_word_needs_no_space() -> None:
    assert words("Hello", " there") == ["Hello", "there"]


def test_opening_quote_goes_with_the_next_word_and_closing_with_the_one_before() -> None:
    assert words(" He", " said", ' "', "yes", '"', " and", " left", " .") == ["He", "said", '"yes"', "and", "left", "."]


def test_hyphens_and_apostrophes_stay_inside_words() -> None:
    assert words(" It", "'s", " a", " well", "-", "known", " 3", ".", "5") == ["It's", "a", "well-known", "3.5"]


def test_languages_without_spaces_have_a_word_per_character() -> None:
    assert words("今", "天", "。", "是", language="zh") == ["今", "天。", "是"]


def test_latin_words_stay_whole_in_languages_without_spaces() -> None:
    assert words("用", "Mic", "rosoft", "的", language="zh") == ["用", "Microsoft", "的"]


def test_character_spread_over_tokens_is_one_word() -> None:
    data = "語".encode()
    assert words("日", data[:1], data[1:2], data[2:], "!", language="ja") == ["日", "語!"]


def test_damaged_bytes_do_not_swallow_what_follows() -> None:
    assert words(" a", b"\xff", " b") == ["a\ufffd", "b"]
    assert words(" a", " b", b"\xe8\xaa") == ["a", "b\ufffd"]


def test_word_times_and_probability_come_from_its_tokens() -> None:
    found = segments.words(tokens(" Amer", "icans", " ask"), "en", in_seconds)
    assert [(word.start_s, word.end_s) for word in found] == [(0.0, 0.2), (0.2, 0.3)]
    assert found[0].probability == 0.5


def test_words_never_overlap() -> None:
    late = [Token(0, b" a", 1, 0, 0, 50), Token(1, b" b", 1, 0, 20, 30)]
    found = segments.words(late, "en", in_seconds)
    assert found[1].start_s == found[0].end_s <= found[1].end_s


def test_words_that_whisper_gives_no_time_last_a_moment_each() -> None:
    nothing = [Token(0, b" a", 1, 0, 50, 50), Token(1, b" b", 1, 0, 50, 50), Token(2, b" c", 1, 0, 50, 90)]
    found = segments.words(nothing, "en", in_seconds)
    assert [(word.start_s, word.end_s) for word in found] == [(0.5, 0.52), (0.52, 0.54), (0.54, 0.9)]


def test_words_of_no_time_at_the_end_of_the_recording_stay_inside_it() -> None:
    late = [Token(0, b" a", 1, 0, 10, 99), Token(1, b" b", 1, 0, 100, 100), Token(2, b" c", 1, 0, 100, 100)]
    found = segments.words(late, "en", in_seconds, (0.0, 1.0))
    assert [(word.start_s, word.end_s) for word in found] == [(0.1, 0.96), (0.96, 0.98), (0.98, 1.0)]


@given(
    spans=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=30),
    first_s=st.floats(0, 3),
    room_s=st.floats(0, 3),
)
def test_spans_follow_one_another_and_none_is_of_no_length(spans, first_s: float, room_s: float) -> None:
    made = segments.lasting(spans, (first_s, first_s + room_s))
    assert len(made) == len(spans)
    assert all(start_s < end_s for start_s, end_s in made)
    assert all(before[1] <= after[0] for before, after in pairwise(made))
    if made and room_s >= 0.001 * len(spans):
        assert made[0][0] >= first_s - 0.001
        assert made[-1][1] <= first_s + room_s + 0.001


def test_text_is_joined_from_bytes() -> None:
    data = "né".encode()
    assert segments.joined(tokens(data[:2], data[2:])) == "né"


def test_repetition_compresses() -> None:
    assert segments.compression_ratio("even " * 40) > 2.4
    assert segments.compression_ratio("A normal sentence does not compress that well at all.") < 2.4
    assert segments.compression_ratio("") == 0.0


def test_logprobs_name_every_token() -> None:
    found = segments.logprobs(tokens(" né", "e"))
    assert [(entry.token, entry.logprob) for entry in found] == [(" né", -0.5), ("e", -0.5)]
    assert segments.mean_logprob(tokens(" a", "b")) == pytest.approx(-0.5)
    assert segments.mean_logprob([]) == 0.0


@pytest.mark.parametrize("text", ["", "  ", " [BLANK_AUDIO]", " (music)", " *sighs* ...", " ♪♪", " ♪ la la ♪", " ."])
def test_notes_are_no_words(text: str) -> None:
    assert not segments.has_words(text)


@pytest.mark.parametrize("text", [" Yes.", " (laughs) Yes.", "是", " 42", " 2 * 3 * 4 is 24"])
def test_words_beside_notes_are_words(text: str) -> None:
    assert segments.has_words(text)
