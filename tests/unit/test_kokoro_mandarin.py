"""Mandarin text to the phonemes that Kokoro learned from misaki, without a model."""
# ruff: noqa: RUF001 - phonetic letters and Chinese marks are the matter here

from __future__ import annotations

import pytest
from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_tone3

from slimvoice.backends.kokoro import mandarin
from slimvoice.backends.kokoro.mandarin_numbers import in_words
from slimvoice.backends.kokoro.phonemes import VOCABULARY


def read(text: str) -> str:
    return " ".join(mandarin.phonemes(text, lambda words: f"<{words.strip()}>").split())


@pytest.mark.parametrize(
    ("pinyin", "phonemes"),
    [
        # As misaki 0.9.4 writes them.
        ("zhong1", "ꭧʊ→ŋ"), ("shi4", "ʂɨ↘"), ("zi5", "ʦɨ"), ("qu4", "ʨʰy↘"), ("lv4", "ly↘"), ("xue2", "ɕɥe↗"),
        ("yuan2", "ɥɛ↗n"), ("yan3", "jɛ↓n"), ("you3", "jou↓"), ("jiu3", "ʨjou↓"), ("gui4", "kwei↘"), ("wei4", "wei↘"),
        ("chun1", "ꭧʰwə→n"), ("wen4", "wə↘n"), ("yun2", "y↗n"), ("er2", "ɚ↗"), ("bo1", "pwo→"), ("yi1", "i→"),
        ("wu3", "u↓"), ("ying2", "i↗ŋ"), ("xiong2", "ɕjʊ↗ŋ"), ("o1", "ɔ→"), ("ng2", "ŋ↗"), ("ca1", "ʦʰa→"), ("!", ""),
    ],
)  # fmt: skip
def test_a_syllable_is_spelled_as_kokoro_learned_it(pinyin: str, phonemes: str) -> None:
    assert mandarin.of_syllable(pinyin) == phonemes


def test_every_syllable_of_the_dictionary_has_phonemes_of_the_vocabulary() -> None:
    syllables = {
        to_tone3(reading, neutral_tone_with_five=True)
        for readings in PINYIN_DICT.values()
        for reading in readings.split(",")
    }
    assert len(syllables) > 1500
    spelled = {syllable: mandarin.of_syllable(syllable) for syllable in syllables}
    assert {
        syllable for syllable, phonemes in spelled.items() if not phonemes or set(phonemes) - set(VOCABULARY)
    } == set()


def test_words_of_several_readings_are_read_by_their_phrase() -> None:
    assert read("银行行长") == "i↗nxa↗ŋ xa↗ŋꭧa↓ŋ"
    assert read("重新") != read("重要").replace("jau↘", "ɕi→n")
    assert read("頭髮") == "tʰou↗ fa↘", "traditional letters too"


def test_marks_are_kokoros() -> None:
    assert read("你好，《世界》。") == "ni↓xau↓, “ʂɨ↘ ʨje↘”."
    assert read("是吗？好！") == "ʂɨ↘ ma? xau↓!"


def test_words_in_other_letters_are_read_by_another() -> None:
    assert read("用Google Maps找") == "jʊ↘ŋ <Google Maps> ꭧau↓"
    assert read("don't停") == "<don't> tʰi↗ŋ"
    assert read("ひらがな") == "<ひらがな>"


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ("0", "零"), ("10", "十"), ("15", "十五"), ("20", "二十"), ("101", "一百零一"), ("110", "一百一十"),
        ("1010", "一千零一十"), ("10500", "一万零五百"), ("12000", "一万二千"), ("100050", "十万零五十"),
        ("110000", "十一万"), ("100002000", "一亿零二千"), ("2000000000", "二十亿"), ("007", "零零七"),
        ("25.5", "二十五点五"), ("3.02", "三点零二"), ("2个", "两个"), ("12个", "十二个"), ("第2个", "第二个"),
        ("2月", "二月"), ("5月1日", "五月一日"), ("没有", "没有"), ("1" * 17, "一" * 17),
    ],
)  # fmt: skip
def test_figures_are_said_in_words(figures: str, words: str) -> None:
    assert in_words(figures) == words
