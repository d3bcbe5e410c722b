from __future__ import annotations

import pytest

from slimvoice.backends.stt.languages import check_english_only, language_code
from slimvoice.errors import InvalidRequest, Unsupported

KNOWN = {"en": "english", "de": "german", "zh": "chinese", "he": "hebrew", "no": "norwegian", "my": "myanmar"}


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
    assert language_code(asked, KNOWN) == code


@pytest.mark.parametrize("asked", ["xx", "auto", "klingon", "e", "yue", "en2", "deutsch"])
def test_unknown_language_is_an_error_and_never_a_guess(asked: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        language_code(asked, KNOWN)
    assert caught.value.param == "language"


def test_english_only_model_refuses_other_languages_and_translation() -> None:
    check_english_only(None, "transcribe", "whisper:tiny.en")
    check_english_only("en", "transcribe", "whisper:tiny.en")
    with pytest.raises(Unsupported, match="English only"):
        check_english_only("de", "transcribe", "whisper:tiny.en")
    with pytest.raises(Unsupported) as caught:
        check_english_only("en", "translate", "whisper:tiny.en")
    assert "whisper:tiny)" in caught.value.hint
