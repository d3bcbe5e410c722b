"""Sentence splitting: abbreviations, numbers, addresses, scripts, streams."""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.text.sentences import SentenceSplitter, sentences

CASES = [
    "Hello.|How are you?|I am fine!",
    "Dr. Smith paid $1,234.56 on 3/4/2025 at 5:30 p.m. in the U.S.|Then he left.",
    "Mr. and Mrs. Brown met Prof. Jones vs. Gen. Lee.|It rained.",
    "It is 3.14, e.g. pi, i.e. a number!|Really?!|Yes.",
    "See https://a.b.c/d?e=f.g or www.example.com.|Mail me@x.org!|Version v1.2.3 is out.",
    '"Why?" he asked.|"I know!" she said.|She left.',
    '"It is late."|Then he left.',
    "J. R. R. Tolkien wrote it.|Plan B.|Then C.",
    "Well... maybe.|Ok...|Yes.",
    "The U.S. President met him at 5 p.m.|The end.",
    "We left at 5 p.m. on Monday.|So did I.|Then we slept.",
    "No. 5 is alive.|No.|That is wrong.",
    "I live at St. James.|It is in Fig. 3 and Vol. 2.",
    "ok. sounds good.|see you later.|bye",
    "1. First item|2. Second item|- a bullet|Paragraph",
    "A heading\n\nA paragraph.|And more",
    "你好。|今天天气很好！|你呢？|我很好。",
    "「こんにちは。」|彼は言った。|元気ですか？",
    "नमस्ते।|आप कैसे हैं?|मैं ठीक हूँ।",
    "ما اسمك؟|اسمي علي.",
    "¿Cómo estás?|¡Muy bien!|El Sr. García llegó.",
    "Das ist z.B. gut.|Er kam um 5 Uhr.|Dr. Müller ging.",
    "C'est M. Dupont.|Il est là.",
    "Really?!?|Wow!!!|Fine.",
]


def expected(case: str) -> list[str]:
    return [part for whole in case.split("|") for part in whole.split("\n\n")]


def text_of(case: str) -> str:
    parts = case.split("|")
    if any(part[:2] in {"2.", "- "} for part in parts):
        return "\n".join(parts[:-1]) + "\n\n" + parts[-1]
    wide = any(mark in case for mark in "。！？")
    return ("" if wide else " ").join(parts)


@pytest.mark.parametrize("case", CASES)
def test_text_is_cut_where_sentences_end_and_nowhere_else(case: str) -> None:
    assert sentences(text_of(case)) == expected(case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_gives_the_same_sentences_as_the_whole(case: str, size: int) -> None:
    text = text_of(case)
    splitter = SentenceSplitter()
    found: list[str] = []
    for at in range(0, len(text), size):
        found += splitter.feed(text[at : at + size])
    assert [*found, *splitter.finish()] == expected(case)


def test_a_stream_gives_a_sentence_as_soon_as_the_next_word_is_there() -> None:
    splitter = SentenceSplitter()
    assert list(splitter.feed("It is late. ")) == []
    assert list(splitter.feed("Go ")) == ["It is late."]


@given(st.text(alphabet=st.sampled_from(list("aB1. !?…\n\"'。你।-")), max_size=80))
def test_no_character_but_white_space_is_lost(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(alphabet=st.sampled_from(list('aB1. !?\n"。你')), max_size=60), st.integers(1, 9))
def test_any_stream_equals_the_whole(text: str, size: int) -> None:
    splitter = SentenceSplitter()
    found = [s for at in range(0, len(text), size) for s in splitter.feed(text[at : at + size])]
    assert [*found, *splitter.finish()] == sentences(text)


@pytest.mark.parametrize("unit", [".", "a.b ", "Dr. ", "\n", '"."', "! ", "1. "])
def test_a_hostile_text_takes_linear_time(unit: str) -> None:
    def cpu_s(count: int) -> float:
        text, started = unit * count, time.process_time()
        sentences(text)
        return time.process_time() - started

    assert cpu_s(40_000) < 40 * max(cpu_s(4_000), 0.002)
