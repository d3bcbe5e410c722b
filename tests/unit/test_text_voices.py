"""What a `voice` means among the voices of a model."""
# ruff: noqa: E501 - one line, one list

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.errors import InvalidRequest, SlimvoiceError, Unsupported
from slimvoice.models.catalog import Catalog
from slimvoice.speech import Model, Task, Voice
from slimvoice.text.voices import OPENAI_VOICES, notes_on, resolve_voice

ALIASES = {voice.id: voice.aliases for voice in Catalog.load().find("kokoro").model.voices}


def voice(voice_id: str, language: str, gender: str) -> Voice:
    name = voice_id.partition("_")[2] or voice_id
    return Voice(id=voice_id, language=language, name=name, gender=gender, aliases=ALIASES[voice_id])


KOKORO = tuple(
    voice(voice_id, language, {"f": "female", "m": "male"}[voice_id[1]])
    for language, ids in {
        "en-US": "af_alloy af_aoede af_bella af_heart af_nova af_sarah af_sky am_adam am_echo am_fenrir am_michael am_onyx "
        "am_puck am_santa",
        "en-GB": "bf_emma bm_fable bm_george",
        "es": "ef_dora em_santa",
        "fr-FR": "ff_siwis",
    }.items()
    for voice_id in ids.split()
)
JOE = (Voice(id="joe", language="en-US", name="joe"),)
VCTK = tuple(Voice(id=f"p{n}", language="en-GB", name=str(n)) for n in range(225, 235))


def resolve(wanted: str, voices=KOKORO, *, default: str = "af_heart", mixing: bool = True) -> dict[str, float]:
    choice = resolve_voice(wanted, voices, model="kokoro", default=default, mixing=mixing)
    return {voice.id: round(weight, 4) for voice, weight in choice.parts}


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        ("", {"af_heart": 1}),
        ("  ", {"af_heart": 1}),
        ("bf_emma", {"bf_emma": 1}),
        ("BF_Emma", {"bf_emma": 1}),
        ("emma", {"bf_emma": 1}),
        ("af_bella(2)+af_sky(1)", {"af_bella": 0.6667, "af_sky": 0.3333}),
        ("af_bella+af_sky", {"af_bella": 0.5, "af_sky": 0.5}),
        (" af_bella ( 0.3 ) + sky ( .1 ) ", {"af_bella": 0.75, "af_sky": 0.25}),
        ("af_bella(3)", {"af_bella": 1}),
        ("af_bella+af_bella", {"af_bella": 1}),
        ("alloy+af_sky", {"af_alloy": 0.5, "af_sky": 0.5}),
        ("Magpie-Multilingual.EN-US.Mia", {"af_alloy": 1}),
        ("Magpie-Multilingual.EN-GB.Mia.Happy", {"bf_emma": 1}),
        ("Magpie-Multilingual.FR-CA.Mia", {"ff_siwis": 1}),
        ("Magpie-Multilingual.EN-US.Bella", {"af_bella": 1}),
    ],
)
def test_a_name_means_these_voices(wanted: str, parts: dict[str, float]) -> None:
    assert resolve(wanted) == parts


@pytest.mark.parametrize("name", OPENAI_VOICES)
def test_every_openai_voice_has_its_own_kokoro_voice_of_its_gender(name: str) -> None:
    (local,) = resolve(name)
    assert local[1] == OPENAI_VOICES[name][0]
    assert sum(resolve(other) == resolve(name) for other in OPENAI_VOICES) == 1
    assert resolve(name.upper()) == resolve(name)


@pytest.mark.parametrize("name", OPENAI_VOICES)
def test_openai_voices_work_with_any_model(name: str) -> None:
    assert resolve(name, JOE, default="joe", mixing=False) == {"joe": 1}
    assert resolve(name, VCTK, default="p225", mixing=False)


def test_openai_voices_never_mean_one_that_does_not_speak_well() -> None:
    poor = tuple(Voice(id=f"zf_{n}", language="zh", gender="female", note="no tones") for n in range(3))
    good = (Voice(id="im_nicola", language="it", gender="male"),)
    for name in OPENAI_VOICES:
        assert resolve(name, poor + good, default="zf_1") == {"im_nicola": 1}
        assert resolve(name, poor, default="zf_1")  # better than none


def test_notes_are_those_of_what_will_be_spoken() -> None:
    voices = (*KOKORO, Voice(id="zf_xiaoni", language="zh", note="no tones"))
    model = Model(name="kokoro", task=Task.TEXT_TO_SPEECH, backend="kokoro", voices=voices, default_voice="af_heart")
    for voice, language in (
        ("zf_xiaoni", None), ("af_heart", "zh"), ("", "cmn"), ("nova", "zh-CN"), ("zf_xiaoni(2)+af_sky", None),
    ):  # fmt: skip
        assert notes_on(voice, language, model) == {"zh": "no tones"}, (voice, language)
    for voice, language in (("", None), ("alloy", None), ("zf_xiaoni", "en"), ("zf_xiaoni+af_sky(2)", None)):
        assert notes_on(voice, language, model) == {}, (voice, language)


def test_openai_voices_spread_over_speakers() -> None:
    assert len({next(iter(resolve(name, VCTK, default="p225"))) for name in OPENAI_VOICES}) > 5


def test_the_language_of_a_mix_is_that_of_its_heaviest_voice() -> None:
    choice = resolve_voice("bf_emma(3)+af_sky(1)", KOKORO, model="kokoro", mixing=True)
    assert choice.language == "en-GB"


def test_a_speaker_is_found_by_number_and_by_name() -> None:
    assert resolve("p230", VCTK) == resolve("230", VCTK) == {"p230": 1}


@pytest.mark.parametrize("wanted", ["af_bela", "nobody", "santa", "af_bella+", "+", "()", "af_bella(2", "x.EN-US.y.z.w", "Magpie-Multilingual.TH-TH.Mia", "a" * 5000, "+".join(["af_sky"] * 9)])  # fmt: skip
def test_an_unknown_voice_is_refused_with_what_to_do(wanted: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve(wanted)
    assert caught.value.param == "voice"
    assert "slimvoice voices kokoro" in caught.value.hint
    assert len(caught.value.message) < 200


def test_a_misspelt_voice_is_answered_with_close_ones() -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve("af_bela")
    assert "af_bella" in caught.value.hint


@pytest.mark.parametrize("weight", ["0", "-1", "x", "", "1e9", "nan", "inf"])
def test_a_weight_must_be_a_positive_number(weight: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve(f"af_bella({weight})+af_sky")
    assert caught.value.param == "voice"


def test_mixing_is_refused_where_the_model_cannot() -> None:
    with pytest.raises(Unsupported) as caught:
        resolve("joe+joe", JOE, mixing=False)
    assert caught.value.param == "voice"


@given(st.text(alphabet=st.sampled_from(list("af_sky()+.1-EN US")), max_size=40))
def test_any_name_is_a_voice_or_a_clear_error(wanted: str) -> None:
    try:
        assert sum(resolve(wanted).values()) == pytest.approx(1, abs=0.01)
    except SlimvoiceError as error:
        assert error.param == "voice"
