"""Phonemes, pauses, tempo and word times: what is between text and audio, without a model."""
# ruff: noqa: RUF001 - phonetic letters are the matter here

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from slimvoice.backends.kokoro import phonemes as kokoro
from slimvoice.backends.tts import phonemizer
from slimvoice.backends.tts.audio_joins import model_speed, pause, time_stretched, to_pcm, trim
from slimvoice.backends.tts.word_times import word_times
from slimvoice.errors import InvalidRequest

RATE = 24_000


def tone(duration_s: float, level: float = 0.3, hertz: float = 220.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(duration_s * RATE)) / RATE)).astype(np.float32)


def quiet(duration_s: float) -> np.ndarray:
    return np.zeros(int(duration_s * RATE), dtype=np.float32)


# --- phonemes -------------------------------------------------------------------------------------


def test_the_vocabulary_is_kokoros_own() -> None:
    # Spot values of hexgrad/Kokoro-82M's config.json.
    known = {
        ";": 1,
        "—": 9,
        " ": 16,
        "A": 24,
        "Y": 41,
        "a": 43,
        "z": 68,
        "ɡ": 92,
        "ɹ": 123,
        "ˈ": 156,
        "ː": 158,
        "ᵻ": 177,
    }
    assert {symbol: kokoro.VOCABULARY[symbol] for symbol in known} == known
    assert len(kokoro.VOCABULARY) == 114
    assert len(set(kokoro.VOCABULARY.values())) == 114


@pytest.mark.parametrize(
    ("espeak", "language", "spelled"),
    [
        ("həlˈoʊ", "en-us", "həlˈO"),
        ("pˈiːpəl lˈɪɾəl", "en-us", "pˈipᵊl lˈɪɾᵊl"),
        ("dʒˈʌdʒ", "en-us", "ʤˈʌʤ"),
        ("tʃˈɔɪs", "en-us", "ʧˈYs"),
        ("ɡoʊɪŋ", "en-gb", "ɡoʊɪŋ"),
        ("ɡˈəʊ", "en-gb", "ɡˈQ"),
        ("bˈɜːd", "en-us", "bˈɜɹd"),
        ("lˈeɪzi", "fr", "lˈAzi"),
    ],
)
def test_espeak_phonemes_are_spelled_as_kokoro_learned_them(espeak: str, language: str, spelled: str) -> None:
    assert kokoro.from_espeak(espeak, language) == spelled


def test_marks_of_a_language_switch_are_not_spoken() -> None:
    found = phonemizer.clauses("Il est parti en weekend avec le software.", "fr")
    assert "(" not in "".join(phonemes for phonemes, _ in found)
    assert "en" not in kokoro.joined(found, "fr", kokoro.VOCABULARY).split()


def test_phonemes_outside_the_vocabulary_are_dropped() -> None:
    assert kokoro.joined([("ab5&g", ".")], "es", kokoro.VOCABULARY) == "ab."
    assert kokoro.joined([("hä o̞", "")], "ja", kokoro.VOCABULARY) == "ha o", "but for their accents"


def test_too_many_phonemes_are_cut_at_the_end_of_a_sentence_or_word() -> None:
    phonemes = ("abc defgh, " * 20 + "last. ") * 5
    runs = kokoro.split(phonemes.strip())
    assert all(0 < len(run) <= kokoro.LONGEST for run in runs)
    assert " ".join(runs) == phonemes.strip()
    assert all(run.endswith(".") for run in runs)
    assert [len(run) for run in kokoro.split("a" * 1200)] == [510, 510, 180]


def test_a_language_takes_the_region_of_the_voice() -> None:
    assert phonemizer.espeak_voice("en", "en-GB") == "en-gb"
    assert phonemizer.espeak_voice("en", "fr-FR") == "en-us"
    assert phonemizer.espeak_voice("pt-BR") == "pt-br"
    assert phonemizer.espeak_voice("zh", "en-US") == "cmn"
    assert phonemizer.espeak_voice("fr-FR") == "fr"


@pytest.mark.parametrize("tag", ["en", "en-US", "en-GB", "es-MX", "fr-CA", "hi", "ja", "pt-BR", "zh-TW", "de", "no"])
def test_usual_language_tags_have_a_pronunciation(tag: str) -> None:
    assert phonemizer.clauses("1", phonemizer.espeak_voice(tag))[0][0]


@pytest.mark.parametrize("tag", ["xx", "", "english", "../../etc", "en\x00", "e" * 5000])
def test_an_unknown_language_is_refused(tag: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        phonemizer.clauses("hello", phonemizer.espeak_voice(tag))
    assert caught.value.param == "language"


# --- joints ---------------------------------------------------------------------------------------


def test_silence_at_both_ends_goes_but_for_a_breath() -> None:
    samples, cut = trim(np.concatenate([quiet(0.4), tone(1.0), quiet(0.6)]), RATE)
    assert cut / RATE == pytest.approx(0.37, abs=0.011)
    assert len(samples) / RATE == pytest.approx(1.08, abs=0.021)


def test_a_pause_within_speech_stays() -> None:
    samples, _ = trim(np.concatenate([tone(0.3), quiet(0.5), tone(0.3)]), RATE)
    assert len(samples) / RATE == pytest.approx(1.1, abs=0.02)


def test_pieces_begin_and_end_at_zero_so_that_joints_do_not_click() -> None:
    cosine = np.roll(tone(0.5), RATE // 880)
    samples, _ = trim(cosine, RATE)
    assert samples[0] == samples[-1] == 0
    assert np.abs(np.diff(samples)).max() <= np.abs(np.diff(cosine)[10:-10]).max() * 1.05


def test_trimming_changes_no_level() -> None:
    loud, _ = trim(tone(1.0, level=0.9), RATE)
    soft, _ = trim(tone(1.0, level=0.01), RATE)
    assert np.abs(loud).max() == pytest.approx(0.9, rel=0.01)
    assert np.abs(soft).max() == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("samples", [quiet(0), quiet(0.001), quiet(1)])
def test_silence_trims_to_nothing_or_itself(samples: np.ndarray) -> None:
    trimmed, _ = trim(samples, RATE)
    assert len(trimmed) <= len(samples)


def test_pauses_follow_the_text_and_the_speed() -> None:
    lengths = [len(pause(boundary, 1.0, RATE)) for boundary in ("word", "clause", "sentence", "paragraph")]
    assert all(shorter < longer for shorter, longer in pairwise(lengths))
    assert len(pause("sentence", 2.0, RATE)) == pytest.approx(lengths[2] / 2, abs=1)


def test_pcm_clips_and_rounds() -> None:
    assert np.frombuffer(to_pcm(np.array([0, 1, -1, 2, -2, 0.5], np.float32)), "<i2").tolist() == [
        0, 32767, -32767, 32767, -32767, 16384,
    ]  # fmt: skip


# --- tempo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.33, 2.0, 2.67])
def test_stretching_changes_the_length_and_not_the_pitch(factor: float) -> None:
    samples = time_stretched(tone(2.0), factor, RATE)
    assert len(samples) == round(2.0 * RATE / factor)
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4]
    rises = np.count_nonzero((middle[:-1] < 0) & (middle[1:] >= 0))
    assert rises * RATE / len(middle) == pytest.approx(220, rel=0.02)


def test_the_model_makes_what_it_can_of_a_speed() -> None:
    assert [model_speed(speed, 1.5) for speed in (0.25, 0.5, 1.0, 1.3, 4.0)] == [0.5, 0.5, 1.0, 1.3, 1.5]
    assert model_speed(2.0, 1.2) == 1.2
    samples = tone(0.1)
    assert time_stretched(samples, 1.0, RATE) is samples


# --- word times -----------------------------------------------------------------------------------


def times(words: list[tuple[str, str]], normalize: str) -> list[tuple[str, float, float]]:
    edges = [float(index) for index in range(len(normalize) + 1)]
    return [(word.text, word.start_s, word.end_s) for word in word_times(words, normalize, edges)]


def test_words_are_found_where_their_phonemes_are() -> None:
    assert times([("The", "ðə"), ("cat.", "kˈæt.")], "ðə kˈæt.") == [("The", 0, 2), ("cat.", 3, 7)]


def test_words_that_were_run_together_are_told_apart() -> None:
    found = times([("of", "ʌv"), ("the", "ðə"), ("men", "mˈɛn")], "ʌvðə mˈɛn")
    assert found == [("of", 0, 2), ("the", 2, 4), ("men", 5, 9)]


def test_a_word_that_is_said_otherwise_in_its_sentence_is_found() -> None:
    found = times([("a", "ˈeɪ"), ("big", "bˈɪɡ"), ("cat", "kˈæt")], "ɐ bˈɪɡ kˈæt")
    assert [word[0] for word in found] == ["a", "big", "cat"]
    assert found[1][1:] == (2, 6)


def test_a_word_without_a_sound_has_no_time() -> None:
    assert [word[0] for word in times([("one", "wʌn"), ("—", ";"), ("two", "tuː")], "wʌn; tuː")] == ["one", "two"]


def test_no_words_and_no_sounds_are_no_error() -> None:
    assert times([], "abc") == []
    assert times([("x", "")], "") == []
