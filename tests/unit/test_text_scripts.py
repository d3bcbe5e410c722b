"""Which script a text is in, and who reads it."""
# ruff: noqa: RUF001 - letters of many scripts are the matter here

from __future__ import annotations

import pytest

from slimvoice.backends.tts import phonemizer
from slimvoice.speech import Voice
from slimvoice.text.chunking import chunk_text
from slimvoice.text.scripts import own_script, script_of, stretches
from slimvoice.text.voices import OPENAI_VOICES, cannot_read, follows_text, voice_of_script


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hello", "en"),
        ("Please say 你好 now.", "en"),
        ("你好 OK", "zh"),
        ("東京へ行きます", "ja"),
        ("नमस्ते", "hi"),
        ("Привет, мир", "ru"),
        ("한국어", "ko"),
        ("π ≈ 3", ""),
        ("Καλημέρα", "el"),
        ("12:30 …", ""),
        ("", ""),
    ],
)
def test_the_script_of_a_text_is_that_of_most_of_it(text: str, script: str) -> None:
    assert script_of(text) == script


def test_languages_read_their_script() -> None:
    assert [own_script(tag) for tag in ("en-US", "cmn", "zh", "ja", "uk", "fa", "hi", "pt-BR", "")] == [
        "en", "zh", "zh", "ja", "ru", "ar", "hi", "en", "en",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "language", "parts"),
    [
        ("Please say 你好 now.", "en-us", [("Please say ", ""), ("你好 ", "zh"), ("now.", "")]),
        ("你好，世界。", "cmn", [("你好，世界。", "")]),
        ("こんにちは, 世界", "en-us", [("こんにちは, ", "ja"), ("世界", "zh")]),
        ("नमस्ते and 한국어", "en-us", [("नमस्ते and 한국어", "")]),
        ("α and β, but λόγος", "en-us", [("α and β, but ", ""), ("λόγος", "el")]),
        ("NHK です", "ja", [("NHK ", "en"), ("です", "")]),
        ("Привет OK", "uk", [("Привет OK", "")]),
        ("1, 2.", "en-us", [("1, 2.", "")]),
    ],
)
def test_only_what_espeak_would_spell_is_a_stretch_of_its_own(text: str, language: str, parts: list) -> None:
    found = stretches(text, language)
    assert found == parts
    assert "".join(part for part, _ in found) == text


@pytest.mark.parametrize("text", ["Please say 你好 now.", "こんにちは", "Москва is big.", "שלום to all", "مرحبا"])
def test_no_letter_is_read_by_its_name(text: str) -> None:
    said = "".join(phonemes for phonemes, _ in phonemizer.clauses(text, "en-us"))
    for name in ("letter", "Chinese", "Japanese", "Arabic", "Hebrew", "Cyrillic"):
        assert phonemizer.clauses(name, "en-us")[0][0].replace("ˈ", "ˌ")[1:] not in said.replace("ˈ", "ˌ")


def test_a_stretch_of_another_script_makes_no_pause() -> None:
    assert [mark for _, mark in phonemizer.clauses("Please say 你好 now.", "en-us")] == ["."]


def test_sentences_in_other_scripts_are_pieces_of_their_own() -> None:
    assert [piece.text for piece in chunk_text("I said hi to her. 你好吗？ She smiled at me then.")] == [
        "I said hi to her.",
        "你好吗？",
        "She smiled at me then.",
    ]


VOICES = (
    Voice(id="af_bella", language="en-US", gender="female"),
    Voice(id="zf_a", language="zh", gender="female"),
    Voice(id="zf_b", language="zh", gender="female"),
    Voice(id="zm_a", language="zh", gender="male"),
    Voice(id="jf_a", language="ja", gender="female"),
)


def test_openai_names_and_none_follow_the_text() -> None:
    assert all(follows_text(name) for name in ("", " ", "alloy", "Onyx", "alloy+nova"))
    assert not any(follows_text(name) for name in ("af_bella", "alloy+af_bella", "nobody"))


def test_a_voice_of_the_script_has_the_gender_of_the_one_asked_for() -> None:
    male = Voice(id="am_x", language="en-US", gender="male")
    assert {voice_of_script("zh", name, VOICES, male).id for name in OPENAI_VOICES} == {"zm_a"}  # type: ignore[union-attr]
    assert {voice_of_script("zh", name, VOICES, VOICES[0]).id for name in OPENAI_VOICES} == {"zf_a", "zf_b"}  # type: ignore[union-attr]
    assert voice_of_script("ja", "onyx", VOICES, male) == VOICES[4], "where there is one"
    assert voice_of_script("ru", "onyx", VOICES, male) is None


def test_a_voice_that_cannot_read_names_one_that_can() -> None:
    error = cannot_read("zh", VOICES, "kokoro")
    assert (error.param, "Chinese" in error.message, "zf_a" in error.hint) == ("input", True, True)
    assert "piper:ru_RU" in cannot_read("ru", VOICES, "kokoro").hint
    assert cannot_read("th", VOICES, "kokoro").hint
