from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.backends.whisper_cpp.encoder_context import (
    FULL,
    LONGEST,
    MARGIN,
    MARGIN_IN_SILENCE,
    STEP,
    audio_ctx,
    audio_ctx_in_silence,
    max_tokens,
    outlasts,
    trustworthy,
)


@given(st.floats(0.1, 30))
def test_short_context_holds_the_audio_and_is_never_padded_by_flash_attention(duration_s: float) -> None:
    positions = audio_ctx(duration_s, multilingual=True, prompted=False)
    assert positions % STEP == 0
    assert positions == FULL or duration_s * 50 + MARGIN <= positions <= LONGEST


def test_short_command_takes_a_sixth_of_the_encoder() -> None:
    assert audio_ctx(3, multilingual=True, prompted=False) == 256
    assert audio_ctx(5, multilingual=True, prompted=False) == 512
    assert audio_ctx(25, multilingual=True, prompted=False) == FULL


@given(st.floats(0.1, 30))
def test_context_in_silence_holds_the_audio_and_little_more(duration_s: float) -> None:
    positions = audio_ctx_in_silence(duration_s)
    assert positions == FULL or duration_s * 50 + MARGIN_IN_SILENCE <= positions <= LONGEST
    assert positions == FULL or positions <= max(64, duration_s * 50 + MARGIN_IN_SILENCE + 33)
    assert (positions == FULL) == (duration_s > 11)


def test_short_command_in_silence_takes_an_eighth_of_the_encoder() -> None:
    assert audio_ctx_in_silence(3) == 192
    assert audio_ctx_in_silence(0.1) == 64
    assert audio_ctx_in_silence(11) == 576
    assert audio_ctx_in_silence(11.1) == FULL


def test_english_only_model_hears_a_short_command_with_the_full_context() -> None:
    assert audio_ctx(2.9, multilingual=False, prompted=False) == FULL
    assert audio_ctx(3, multilingual=False, prompted=False) == 256


def test_short_command_after_a_prompt_is_heard_with_the_full_context() -> None:
    assert audio_ctx(2.9, multilingual=True, prompted=True) == FULL
    assert audio_ctx(3, multilingual=True, prompted=True) == 256


def test_text_that_goes_on_after_the_audio_is_heard_again() -> None:
    assert not outlasts(2.0, 1.54)
    assert outlasts(4.0, 1.54)


def test_translation_may_be_less_likely_than_a_transcript() -> None:
    likely = [-1.1] * 7
    assert not trustworthy(" Turn the living room light on.", likely, 2.3)
    assert trustworthy(" Turn the living room light on.", likely, 2.3, translated=True)
    assert not trustworthy(" The Chinese government is promoting it.", [-2.1] * 7, 2.3, translated=True)


def test_plain_speech_is_trusted() -> None:
    assert trustworthy(" Turn on the living room lamp.", [-0.2] * 8, 1.8)


def test_doubtful_results_are_heard_again() -> None:
    assert not trustworthy(" Turn on the living room lamp.", [-0.9] * 8, 1.8)
    assert not trustworthy("", [], 1.8)
    assert not trustworthy(" der" * 60, [-0.1] * 60, 2.3)
    assert not trustworthy(" Ich bin ein Mann, der das alles sagt" * 3, [-0.1] * 60, 2.3)


def test_words_made_up_at_the_end_are_noticed_in_a_long_text() -> None:
    assert not trustworthy(" and I hope that next year we are going to", [-0.1] * 50 + [-0.4, -2.7, -1.3, -0.9], 20)


def test_runaway_decoder_is_bounded_by_the_length_of_the_audio() -> None:
    assert max_tokens(2) == 70


@pytest.mark.parametrize(
    "text",
    [
        " Turn on the light. Turn on the light.",
        " Turn on the living room light, turn on the living room lights!",
        " Turn on the light. Okay. Turn on the light.",
        " Turn on the lamp. Turn on the lamp. Turn on the lamp. Turn on the lamp. Turn on the lamp.",
        " Stop. Stop.",
        " 電気をつけて。電気をつけて",
        " Schalte das Licht an. schalte das Licht an",
        " The invention of movable type, in the middle of the fifteenth century, the middle of the fifteenth century.",
    ],
)
def test_text_that_comes_twice_is_heard_again_however_likely(text: str) -> None:
    assert not trustworthy(text, [-0.1] * 10, 5)


@pytest.mark.parametrize(
    "text",
    [
        " Turn on the light.",
        " Turn on the kitchen light and turn on the hall light.",
        " Hello, hello, turn the lamp on.",
        " 我不知道",
        " Yes.",
        " I",
    ],
)
def test_words_that_recur_in_plain_speech_are_trusted(text: str) -> None:
    assert trustworthy(text, [-0.1] * 10, 5)
