"""The library: what a name means when models are here, and when they are not."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec
import pytest

from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.errors import ConfigError, ModelNotFound, ModelNotPulled, PullError, Unsupported
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import Manifest, StoredFile
from slimvoice.models.store import SETTLED_S, Store
from slimvoice.speech import Capabilities, Task, Voice


def library(home: Path, **settings: str) -> ModelLibrary:
    return ModelLibrary(Settings(home=home, **settings), sources=[])


def install(home: Path, name: str, content: bytes = b"weights", voices: tuple[Voice, ...] = ()) -> None:
    """Put a model of the catalog into the volume without pulling it."""
    entry = library(home).catalog.find(name)
    store = Store(home)
    staging = store.staging(name)
    file = entry.files[0]
    (staging / file.path).parent.mkdir(parents=True, exist_ok=True)
    (staging / file.path).write_bytes(content)
    stored = StoredFile(
        role=file.role,
        repo=file.repo,
        path=file.path,
        revision="main",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    model = entry.model if not voices else type(entry.model)(**{**_fields(entry.model), "voices": voices})
    store.publish(Manifest(model=model, files=(stored,)))


def _fields(model: object) -> dict[str, object]:
    return {field: getattr(model, field) for field in model.__struct_fields__}  # type: ignore[attr-defined]


def test_openai_names_mean_the_default_that_is_set(tmp_path: Path) -> None:
    models = library(tmp_path, default_stt="whisper:tiny", default_tts="kokoro:fp16")
    assert models.find("whisper-1").name == "whisper:tiny"
    assert models.find("gpt-4o-transcribe").name == "whisper:tiny"
    assert models.find("tts-1-hd").name == "kokoro:fp16"
    assert models.find("", Task.TEXT_TO_SPEECH).name == "kokoro:fp16"


def test_only_model_of_a_task_stands_in_for_a_default_that_is_not_here(tmp_path: Path) -> None:
    models = library(tmp_path)
    default = Settings().default_stt
    assert models.find("whisper-1").name == default
    install(tmp_path, "whisper:tiny.en")
    assert models.find("whisper-1").name == "whisper:tiny.en"
    assert models.require("whisper-1").model.name == "whisper:tiny.en"
    assert models.find("tts-1").name == "kokoro"
    install(tmp_path, "whisper:small")
    with pytest.raises(ModelNotPulled) as several:  # which of the two is not ours to guess
        models.require("whisper-1")
    assert several.value.hint == f"slimvoice pull {default}"
    install(tmp_path, default)
    assert models.require("whisper-1").model.name == default


def test_wrong_task_and_unknown_names_are_not_found(tmp_path: Path) -> None:
    models = library(tmp_path)
    with pytest.raises(ModelNotFound, match="text-to-speech model"):
        models.find("kokoro", Task.SPEECH_TO_TEXT)
    with pytest.raises(ModelNotFound):
        models.find("tts-1", Task.SPEECH_TO_TEXT)
    with pytest.raises(ModelNotFound):
        models.find("gpt-5")
    with pytest.raises(Unsupported):
        models.find("gpt-4o-transcribe-diarize", Task.SPEECH_TO_TEXT)


def test_model_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelNotPulled) as missing:
        library(tmp_path).require("openai/whisper-small")
    assert missing.value.hint == "slimvoice pull whisper:small"


def test_model_that_lost_a_file_counts_as_not_here(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny")
    models = library(tmp_path)
    path = Path(models.require("whisper:tiny").files["weights"])
    path.write_bytes(b"short")
    with pytest.raises(ModelNotPulled):
        models.require("whisper:tiny")
    path.unlink()
    with pytest.raises(ModelNotPulled):
        models.require("whisper:tiny")


def test_installed_model_reads_as_todays_catalog_describes_it(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny", b"x" * 10)
    model = library(tmp_path).require("whisper:tiny").model
    assert (model.size_bytes, model.backend, model.licence) == (10, "whisper.cpp", "MIT")


def test_speakers_found_in_a_voice_outlive_the_catalogs_description(tmp_path: Path) -> None:
    speakers = (Voice(id="p1", language="en-GB"), Voice(id="p2", language="en-GB"))
    install(tmp_path, "piper:en_GB-vctk-medium", voices=speakers)
    assert library(tmp_path).require("piper:en_GB-vctk-medium").model.voices == speakers


def test_voices_that_were_pulled_before_the_catalog_had_notes_get_them(tmp_path: Path) -> None:
    old = (Voice(id="af_x", language="en-US"), Voice(id="jf_x", language="ja"))
    install(tmp_path, "kokoro", voices=old)
    models = library(tmp_path)
    manifest = models.store.manifest("kokoro")
    assert manifest is not None
    hub = msgspec.structs.replace(manifest.model, name="hf:a/kokoro", languages=("en", "ja"), voices=old)
    staging = models.store.staging("hf:a/kokoro")
    for file in manifest.files:
        (staging / file.path).parent.mkdir(parents=True, exist_ok=True)
        (staging / file.path).write_bytes(b"weights")
    models.store.publish(Manifest(model=hub, files=manifest.files))
    for name in ("kokoro", "hf:a/kokoro"):
        model = library(tmp_path).require(name).model
        assert "ja" not in model.languages
        assert {bool(voice.note) for voice in model.voices if voice.language == "ja"} == {True}
        assert not any(voice.note for voice in model.voices if voice.language == "en-US")


def test_models_lists_the_catalog_and_what_is_here(tmp_path: Path) -> None:
    install(tmp_path, "piper:xx_YY-unlisted-low")
    models = library(tmp_path)
    names = [model.name for model in models.models()]
    assert "piper:xx_YY-unlisted-low" in names
    assert len(names) == len(set(names)) > 150
    assert [each.model.name for each in models.installed()] == ["piper:xx_YY-unlisted-low"]


def test_removing_deletes_files_and_forgets_the_measurement(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny", b"x" * 5000)
    models = library(tmp_path)
    models.record_memory("whisper:tiny", 123)
    assert models.remove("whisper:tiny") >= 5000
    assert models.installed() == []
    assert models.measured_memory("whisper:tiny") == 0
    with pytest.raises(ModelNotPulled):
        models.remove("whisper:tiny")


@pytest.mark.parametrize("name", ["", ".", "..", "../..", ".pulling", "a\0b", "x" * 5000, "/etc/passwd", "a\nb"])
def test_name_out_of_a_request_is_never_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "models" / ".pulling").mkdir(parents=True)
    (tmp_path / "manifest.json").write_text("{}")
    for ask in (library(tmp_path).find, library(tmp_path).require, library(tmp_path).remove):
        with pytest.raises(ModelNotFound):
            ask(name)


def test_half_pulled_and_damaged_models_can_be_removed(tmp_path: Path) -> None:
    models = library(tmp_path)
    staging = models.store.staging("hf:a/b")
    (staging / "w.bin.part").write_bytes(b"x" * 3000)
    assert models.remove("hf:a/b") == 3000
    install(tmp_path, "whisper:tiny")
    (models.store.folder("whisper:tiny") / "manifest.json").write_text("damaged")
    assert models.remove("whisper:tiny") > 0
    assert not models.store.folder("whisper:tiny").exists()


def test_pulling_an_openai_name_means_the_default_and_no_stand_in(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny")
    models = library(tmp_path)
    assert models.find("whisper-1").name == "whisper:tiny"
    with pytest.raises(PullError, match=r"ggml-base\.bin"):
        models.pull("whisper-1")


def test_volume_that_is_only_read_keeps_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "whisper:small")
    models = library(tmp_path)

    def refused(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refused)
    models.record_memory("whisper:small", 5)
    assert models.pull("whisper:small").model.name == "whisper:small"
    with pytest.raises(ConfigError, match="Read-only file system"):
        models.pull("whisper:base")


def test_measured_memory_outlives_the_process_and_a_damaged_file(tmp_path: Path) -> None:
    library(tmp_path).record_memory("kokoro", 500)
    library(tmp_path).record_memory("whisper:tiny", 100)
    assert library(tmp_path).measured_memory("kokoro") == 500
    (tmp_path / "cache" / "memory.json").write_bytes(b"{damaged")
    assert library(tmp_path).measured_memory("kokoro") == 0
    library(tmp_path).record_memory("kokoro", 600)
    assert library(tmp_path).measured_memory("kokoro") == 600


def test_empty_volume_and_foreign_folders_are_no_error(tmp_path: Path) -> None:
    assert library(tmp_path / "nowhere").installed() == []
    (tmp_path / "models" / "stray").mkdir(parents=True)
    (tmp_path / "models" / "note.txt").write_text("hello")
    assert library(tmp_path).installed() == []


def test_volume_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(ConfigError) as refused:
        library(blocked).pull("whisper:tiny")
    assert "SLIMVOICE_HOME" in refused.value.hint


# --- lookups out of memory ---------------------------------------------------------------------------


def settled(home: Path) -> None:
    """Let the store's last change lie some time back, so that what was read counts."""
    past = time.time() - 10 * SETTLED_S
    os.utime(home / "models", (past, past))


def test_looking_a_model_up_costs_one_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "kokoro")
    settled(tmp_path)
    models = library(tmp_path)
    first = models.require("tts-1", Task.TEXT_TO_SPEECH, check_files=False)
    looked: list[object] = []
    stat = os.stat

    def counted(path: object, *args: object, **options: object) -> os.stat_result:
        looked.append(path)
        return stat(path, *args, **options)  # type: ignore[arg-type,call-overload,no-any-return]

    monkeypatch.setattr(os, "stat", counted)
    assert models.require("tts-1", Task.TEXT_TO_SPEECH, check_files=False) is first
    assert len(looked) == 1


def test_what_another_process_pulls_and_removes_is_seen_at_once(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny")
    settled(tmp_path)
    models = library(tmp_path)
    assert [each.model.name for each in models.installed()] == ["whisper:tiny"]
    install(tmp_path, "whisper:base")
    assert models.require("whisper:base", check_files=False).model.name == "whisper:base"
    settled(tmp_path)
    assert len(models.installed()) == 2
    assert library(tmp_path).remove("whisper:tiny") > 0
    with pytest.raises(ModelNotPulled):
        models.require("whisper:tiny", check_files=False)


def test_changes_within_one_tick_of_the_clock_are_seen(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny")
    models = library(tmp_path)
    stamp = (tmp_path / "models").stat()
    assert len(models.installed()) == 1
    install(tmp_path, "whisper:base")
    os.utime(tmp_path / "models", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert len(models.installed()) == 2


def test_model_carries_what_it_can_do_whatever_its_manifest_says(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny.en")
    manifest = library(tmp_path).store.manifest("whisper:tiny.en")
    assert manifest is not None
    lies = msgspec.structs.replace(manifest.model, provider="somebody", capabilities=Capabilities(diarization=True))
    path = tmp_path / "models" / "whisper@tiny.en" / "manifest.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, model=lies)))
    model = library(tmp_path).require("whisper:tiny.en").model
    assert (model.provider, model.capabilities.word_timestamps) == ("local", True)
    assert not (model.capabilities.diarization or model.capabilities.translate)
    assert library(tmp_path).find("whisper:tiny").capabilities.translate  # one that is not here, too


def test_fingerprint_changes_with_the_files_and_not_with_the_day(tmp_path: Path) -> None:
    def fingerprint(home: Path, content: bytes) -> str:
        install(home, "whisper:tiny", content)
        return library(home).require("whisper:tiny").model.fingerprint

    first = fingerprint(tmp_path, b"weights")
    assert first
    assert fingerprint(tmp_path / "other", b"weights") == first
    assert fingerprint(tmp_path, b"others") != first


def truncate(path: str) -> None:
    os.truncate(path, 3)


async def test_engine_looks_at_the_files_of_a_model_that_is_not_loaded(tmp_path: Path) -> None:
    install(tmp_path, "whisper:tiny")
    models = library(tmp_path)
    engine = Engine(Settings(home=tmp_path), models)
    model = await engine.resolve("whisper:tiny", Task.SPEECH_TO_TEXT)
    assert [model] == engine.models()
    truncate(models.require("whisper:tiny").files["weights"])
    with pytest.raises(ModelNotPulled):
        await engine.resolve("whisper:tiny", Task.SPEECH_TO_TEXT)
    with pytest.raises(ModelNotPulled):
        await engine.load(model)
