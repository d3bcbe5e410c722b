from __future__ import annotations

import pytest

from slimvoice.backends.whisper_cpp.languages import (
    LikelyLanguage,
    RecordingLanguage,
    check_english_only,
    known_language,
)
from slimvoice.errors import InvalidRequest, Unsupported

KNOWN = {"en", "de", "zh", "he", "no", "my"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        (" English ", "en"),
        ("en-US", "en"),
        ("en_GB", "en"),
        ("zh-Hans-CN", "zh"),
        ("German", "de"),
        ("mandarin", "zh"),
        ("iw", "he"),
        ("nb-NO", "no"),
        ("Burmese", "my"),
    ],
)
def test_codes_names_and_tags_are_understood(asked: str, code: str) -> None:
    assert known_language(asked, KNOWN) == code


@pytest.mark.parametrize("asked", ["xx", "auto", "klingon", "e", "yue", "en2", "deutsch"])
def test_unknown_language_is_an_error_and_never_a_guess(asked: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        known_language(asked, KNOWN)
    assert caught.value.param == "language"


def test_english_only_model_refuses_other_languages_and_translation() -> None:
    check_english_only(None, "transcribe", "whisper:tiny.en")
    check_english_only("en", "transcribe", "whisper:tiny.en")
    with pytest.raises(Unsupported, match="English only"):
        check_english_only("de", "transcribe", "whisper:tiny.en")
    with pytest.raises(Unsupported) as caught:
        check_english_only("en", "translate", "whisper:tiny.en")
    assert "whisper:tiny)" in caught.value.hint


def test_language_asked_for_is_never_changed() -> None:
    spoken = RecordingLanguage("de", frozenset(), LikelyLanguage())
    assert not spoken.update({"en": 0.99, "de": 0.01})
    assert (spoken.code, spoken.found, spoken.probability) == ("de", "de", 1.0)


def test_right_guess_needs_no_second_hearing() -> None:
    spoken = RecordingLanguage(None, frozenset(), LikelyLanguage())
    assert not spoken.update({"en": 0.9, "de": 0.1})
    assert (spoken.found, spoken.probability) == ("en", 0.9)


def test_next_recording_is_guessed_to_be_in_the_language_of_the_last() -> None:
    usual = LikelyLanguage()
    assert RecordingLanguage(None, frozenset(), usual).update({"en": 0.1, "de": 0.9})
    assert RecordingLanguage(None, frozenset(), usual).code == "de"


def test_found_language_stays_for_the_rest_of_the_recording() -> None:
    spoken = RecordingLanguage(None, frozenset(), LikelyLanguage())
    spoken.update({"en": 0.2, "de": 0.8})
    assert not spoken.update({"en": 0.9, "de": 0.1})
    assert spoken.code == "de"


def test_doubtful_first_window_does_not_decide_for_the_rest() -> None:
    spoken = RecordingLanguage(None, frozenset(), LikelyLanguage())
    spoken.update({"en": 0.3, "de": 0.4, "nl": 0.3})
    assert spoken.update({"en": 0.9, "de": 0.1})
    assert (spoken.found, spoken.probability) == ("en", 0.9)


def test_only_candidates_are_found() -> None:
    spoken = RecordingLanguage(None, frozenset({"de", "fr"}), LikelyLanguage())
    spoken.update({"en": 0.8, "de": 0.15, "fr": 0.05})
    assert spoken.found == "de"
    assert abs(spoken.probability - 0.75) < 1e-9
    assert RecordingLanguage(None, frozenset({"fr"}), LikelyLanguage()).found == "fr"
