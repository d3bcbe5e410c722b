"""Text on its way to a voice: cleaned, cut into pieces, said as it is said."""
# ruff: noqa: RUF001, E501 - signs of many scripts; one case, one line

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.errors import InvalidRequest
from slimvoice.text.chunking import BREATH, CHUNK_LIMITS, SHORTEST, chunk_text, cut, letter_count
from slimvoice.text.cleanup import clean, clean_for_speech
from slimvoice.text.normalize import normalize

SIXTY_WORDS = (
    "When the old lighthouse keeper finally retired after forty years of watching ships pass safely through the narrow "
    "strait, the whole village gathered on the pier to thank him, singing songs that their grandparents had taught "
    "them, while the evening sun slowly sank behind the distant hills and the first stars appeared above the quiet "
    "and peaceful sea once again."
)


# --- pieces ---------------------------------------------------------------------------------------


def test_first_piece_is_short_and_later_ones_are_longer() -> None:
    lengths = [len(piece.text) for piece in chunk_text(SIXTY_WORDS)]
    assert lengths[0] <= CHUNK_LIMITS[0] < 0.35 * len(SIXTY_WORDS)
    assert all(length <= limit for length, limit in zip(lengths, (*CHUNK_LIMITS, CHUNK_LIMITS[-1]), strict=False))


def test_a_long_sentence_is_cut_at_a_comma_if_there_is_one() -> None:
    first, rest, boundary = cut("We went up the hill, through the wood and over the bridge to town.", 45)
    assert (first, boundary) == ("We went up the hill,", "clause")
    assert rest.startswith("through")


def test_without_a_comma_it_is_cut_before_a_small_word() -> None:
    first, rest, boundary = cut("The keeper finally retired after forty years of watching ships", 40)
    assert (first, rest[:5], boundary) == ("The keeper finally retired", "after", "word")


def test_numbers_and_names_are_not_cut() -> None:
    first, _, _ = cut("Its population is 1,234,567 people now and they all live there happily", 30)
    assert first == "Its population is 1,234,567"


def test_very_short_sentences_are_spoken_together() -> None:
    assert [piece.text for piece in chunk_text("Hi! How are you? Fine. And you? I am fine too, thanks.")] == [
        "Hi! How are you?",
        "Fine. And you? I am fine too, thanks.",
    ]


def test_the_first_of_two_short_sentences_goes_alone() -> None:
    assert [piece.text for piece in chunk_text("Hello there. The kettle is on.")] == [
        "Hello there.",
        "The kettle is on.",
    ]


@pytest.mark.parametrize(
    "text", ["Yes. The kettle is on.", "Hello there. " + "The kettle is on the stove and it whistles now."]
)
def test_a_first_sentence_that_is_too_short_for_the_next_waits_for_it(text: str) -> None:
    assert next(chunk_text(text)).text == text


def test_items_and_lines_are_pieces_unless_they_are_a_word() -> None:
    assert [piece.text for piece in chunk_text("1. Buy milk\n2. Call mom\n3. Walk the dog")] == [
        "1. Buy milk",
        "2. Call mom",
        "3. Walk the dog",
    ]
    assert [piece.text for piece in chunk_text("Milk\nEggs\nBread")] == ["Milk\nEggs\nBread"]


@pytest.mark.parametrize("pace", [0.1, 0.3, 0.5, 0.8])
def test_each_piece_is_ready_before_those_before_it_were_played(pace: float) -> None:
    ready = played = 0.0
    text = "He left. " + SIXTY_WORDS + " And so on, and so on, for ever and ever. " + SIXTY_WORDS
    for number, piece in enumerate(chunk_text(text, pace=lambda: pace)):
        ready += pace * letter_count(piece.text)
        if not number:
            played = ready  # the first piece is heard from now on
        assert ready <= played + BREATH * pace or len(piece.text) <= SHORTEST + 16
        played += letter_count(piece.text)


def test_boundaries_tell_the_pause() -> None:
    text = "The first sentence of this text is here. The second one is rather long as well.\n\nA new paragraph begins."
    assert [piece.boundary for piece in chunk_text(text)] == ["sentence", "paragraph", "end"]


def test_ideographs_count_for_the_time_they_take() -> None:
    text = "今天天气很好，我们去公园散步，然后在河边吃午饭，下午再去博物馆看展览，晚上和朋友一起吃饭聊天。" * 3
    assert all(letter_count(piece.text) <= CHUNK_LIMITS[-1] for piece in chunk_text(text))


@given(st.text(max_size=400), st.integers(5, 60))
def test_pieces_lose_nothing_but_white_space(text: str, limit: int) -> None:
    found = list(chunk_text(text, (limit,)))
    assert "".join("".join(piece.text.split()) for piece in found) == "".join(text.split())
    assert all(piece.text.strip() for piece in found)
    assert [piece.boundary for piece in found if piece.boundary == "end"] == (["end"] if found else [])


# --- cleaning -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("**Bold** and *italic* and __under__ and ~~gone~~", "Bold and italic and under and gone"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("See [the docs](https://example.com/a_(b)?c=d).", "See the docs."),
        ("![a cat](cat.png) sleeps", "a cat sleeps"),
        ("# Title\nText", "Title\n\nText"),
        ("- one\n- two", "one\n\ntwo"),
        ("```python\nprint(1)\n```\nDone", "print(1)\n\nDone"),
        ("Use `ls -l` now", "Use ls -l now"),
        ("> quoted", "quoted"),
        ("a | b\n---|---\nc | d", "a, b\n\nc, d"),
        ("Hi 👋🏽 there 👨‍👩‍👧 friend 🇩🇪!", "Hi there friend !"),
        ("one\u0000two\u001b[0m\u200bthree", "one two [0m three"),
        ("“Curly” ‘quotes’ … and – dashes", "\"Curly\" 'quotes' ... and – dashes"),
        ("line\r\nbreaks\u2028here\u00a0now", "line\nbreaks\nhere now"),
        ("No!!!!!!!!", "No!!!"),
        ("<b>bold</b> and a < b > c", "bold and a < b > c"),
        ("[[h@l@U]] you", "h@l@U you"),
        ("$5 & 10% @ 20°C #1", "$5 & 10% @ 20°C #1"),
        ("e\u0301te\u0301", "été"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_what_is_for_the_eye_goes_and_words_stay(written: str, read: str) -> None:
    assert clean(written) == read


@pytest.mark.parametrize("text", ["...", "😀", "---", "\u0000", "**", "「」", "\u200d"])
def test_text_without_a_word_is_nothing_to_say(text: str) -> None:
    assert clean_for_speech(text) == ""


@pytest.mark.parametrize("text", ["", " \n "])
def test_no_text_is_an_error_that_names_the_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        clean_for_speech(text)
    assert caught.value.param == "input"


@pytest.mark.parametrize("text", ["a", "1", "%", "你", "नमस्ते", "½"])
def test_a_single_sign_with_a_name_can_be_said(text: str) -> None:
    assert clean_for_speech(text)


@given(st.text(max_size=300))
def test_cleaning_twice_changes_no_word(text: str) -> None:
    assert [c for c in clean(text) if c.isalnum()] or not any(c.isalnum() for c in clean(clean(text)))


@pytest.mark.parametrize("unit", ["*", "_", "[", "[a](", "`", "<", "#\n", "|", "a* ", "> ", "😀", "(", "-"])
def test_hostile_markup_takes_bounded_time(unit: str) -> None:
    started = time.process_time()
    text = clean((unit * 100_000)[:100_000])
    list(chunk_text(text))
    assert time.process_time() - started < 5


# --- spoken forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Dr. Smith paid $1,234.56 on 3/4/2025 at 5:30 p.m.",
            "Doctor Smith paid 1,234 dollars and 56 cents on March 4th, 20 25 at 5 30 PM.",
        ),
        ("£0.99, €5, $1.5 million, US$3bn, -$1", "99 pence, 5 euros, 1.5 million dollars, 3 billion dollars, minus 1 dollar"),
        ("5,50 € or 7€ or $1.01", "5,50 euros or 7 euros or 1 dollar and 1 cent"),
        ("On 2025-11-21 at 9:00, 17:45 or 9:05 a.m. today", "On November 21st, 20 25 at 9 o'clock, 17 45 or 9 oh 5 AM today"),
        ("We met at 5 p.m. Then we left.", "We met at 5 PM. Then we left."),
        ("Call 555-1234 or (415) 555-2671.", "Call 5 5 5, 1 2 3 4 or 4 1 5, 5 5 5, 2 6 7 1."),
        ("10-20 people, pages 3–5", "10 to 20 people, pages 3 to 5"),
        ("It was 1984, 1905, 1800 or the 1990s", "It was 19 84, 19 oh 5, 18 hundred or the 19 nineties"),
        ("In 2025 but 2005 and 1,984 and 12345", "In 20 25 but 2005 and 1,984 and 12345"),
        ("5 km, 1 kg, 72°F, 3.5 GB", "5 kilometers, 1 kilogram, 72 degrees Fahrenheit, 3.5 gigabytes"),
        ("See https://example.com/docs?x=1.", "See example dot com slash docs question mark x equals 1."),
        ("Mail me@site.org now", "Mail me at site dot org now"),
        ("St. John's is on Main St. and Mt. Fuji", "Saint John's is on Main Street and Mount Fuji"),
        ("e.g. this, i.e. that, etc. and so on", "for example this, that is that, et cetera and so on"),
        ("the U.S. Senate in the U.S. Then", "the U S Senate in the U.S. Then"),
        ("1/2 cup, No. 5, #1, ~10%", "one half cup, number 5, number 1, about 10%"),
        ("Well... maybe", "Well; maybe"),
        ("I said no. Really", "I said no. Really"),
        ("version 1.2.3 and 5/99/2020", "version 1.2.3 and 5/99/2020"),
    ],
)  # fmt: skip
def test_english_figures_and_signs_become_words(written: str, said: str) -> None:
    assert normalize(written, "en-us") == said


def test_a_british_voice_reads_the_day_first() -> None:
    assert normalize("on 3/4/2025", "en-gb") == "on 3rd of April 20 25"
    assert normalize("on 25/12/2025", "en-us") == "on December 25th, 20 25"


def test_languages_without_rules_are_left_to_the_phonemizer() -> None:
    assert normalize("Dr. Müller zahlte $5 am 3.4.2025", "pl") == "Dr. Müller zahlte $5 am 3.4.2025"


def test_marks_of_other_scripts_become_those_that_espeak_pauses_at() -> None:
    assert normalize("你好，世界。नमस्ते। مرحبا، أنت؟", "zh") == "你好, 世界. नमस्ते.  مرحبا,  أنت? "


@given(st.text(alphabet=st.sampled_from(list("0159.,:/-$€ apmkgDrSt()@%x=")), max_size=60))
def test_any_figures_are_said_without_failing(text: str) -> None:
    assert isinstance(normalize(text, "en"), str)


@pytest.mark.parametrize("unit", ["1", "1,", "$1.", "a.", "-1", "1/", "(", "www.", "a@", "1 "])
def test_hostile_figures_take_bounded_time(unit: str) -> None:
    started = time.process_time()
    normalize((unit * 4096)[:4096], "en")  # a piece is far shorter
    assert time.process_time() - started < 5
