"""Settings: values, and the order of their sources."""

from pathlib import Path

import pytest
from msgspec import structs

from slimvoice.config import Settings, budget_bytes, described, duration_s, names, read
from slimvoice.config_sources import Configuration, load
from slimvoice.errors import ConfigError


def load_text(tmp_path: Path, text: str, **others: object) -> Configuration:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return load(file=file, **{"environ": {}, **others})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("90s", 90), ("1.5h", 5400), ("30", 30), ("0", 0), ("-1", -1), ("250ms", 0.25), ("2d", 172800)],
)
def test_durations_are_read_as_ollama_writes_them(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5x", "m", "five", "5m30", "1e3", "--1"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="5m"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "budget"),
    [("auto", None), ("4GB", 4 * 10**9), ("512MiB", 512 * 2**20), ("1000000", 10**6), ("50%", 500), ("1.5k", 1500)],
)
def test_budgets_are_bytes_or_a_share(text: str, budget: int | None) -> None:
    assert budget_bytes(text, 1000) == budget


@pytest.mark.parametrize("text", ["", "lots", "0%", "101%", "-4GB", "4XB"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        budget_bytes(text, 1000)


def test_names_are_separated_by_spaces_or_commas() -> None:
    assert names("whisper:base, kokoro\tpiper:x") == ("whisper:base", "kokoro", "piper:x")
    assert names("") == ()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    environ = {"SLIMVOICE_PORT": "2", "SLIMVOICE_QUEUE": "2"}
    found = load_text(tmp_path, "port: 1\nqueue: 1\nslots: 1\n", environ=environ, flags={"port": 3, "host": None})
    assert (found.settings.port, found.settings.queue, found.settings.slots) == (3, 2, 1)
    assert [found.origin(name) for name in ("port", "queue", "host")] == ["flag", "environment", "default"]
    assert found.origin("slots").startswith("file ")


def test_the_environment_of_the_process_is_not_read_behind_the_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMVOICE_PORT", "1234")
    assert load_text(tmp_path, "").settings.port == 8000


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("port: 7\n")
    assert load(environ={"SLIMVOICE_CONFIG": str(file)}).settings.port == 7


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    found = load(environ={}, system_file=tmp_path / "none.yaml")
    assert found.origins == {}
    assert found.settings.port == 8000


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(environ={"SLIMVOICE_PORT": "", "SLIMVOICE_OFFLINE": ""}).settings == load(environ={}).settings


def test_a_yaml_file_may_give_numbers_and_lists_where_text_is_meant(tmp_path: Path) -> None:
    settings = load_text(tmp_path, "keep_alive: -1\npull: [whisper:base, kokoro]\nram_budget: 50%\n").settings
    assert settings.keep_alive == "-1"
    assert names(settings.pull) == ("whisper:base", "kokoro")


def test_an_unknown_setting_in_the_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown setting 'prot'") as error:
        load_text(tmp_path, "prot: 8000\n")
    assert error.value.hint == "did you mean port?"


def test_an_unknown_variable_is_a_warning() -> None:
    found = load(environ={"SLIMVOICE_PROT": "1", "SLIMVOICE_API_KEY": "sv-x", "SLIMVOICE_TEST_HOME": "/x"})
    assert found.warnings == ("SLIMVOICE_PROT is no setting; did you mean SLIMVOICE_PORT?",)


def test_a_bad_value_names_the_variable_it_came_from() -> None:
    with pytest.raises(ConfigError, match="SLIMVOICE_KEEP_ALIVE: must be like 5m"):
        load(environ={"SLIMVOICE_KEEP_ALIVE": "soon"})
    with pytest.raises(ConfigError, match=r"port: .* \(from flag\)"):
        load(environ={}, flags={"port": 70000})


@pytest.mark.parametrize("text", ["- a list", "a: [", "1: 2", "\x00"])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load_text(tmp_path, text)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(environ={}, file=tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("port", " 80 ", 80),
        ("offline", "yes", True),
        ("offline", "Off", False),
        ("offline", 1, True),
        ("auth", False, "off"),  # what YAML makes of `auth: off`
        ("auth", True, "on"),
        ("drain_s", "1.5", 1.5),
        ("home", "~/x", Path("~/x")),
    ],
)
def test_values_are_read_as_people_write_them(name: str, written: object, value: object) -> None:
    assert read(name, written) == value


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("port", "70000", "must be <= 65535"),
        ("port", "http", "must be a whole number"),
        ("port", True, "must be a whole number"),
        ("request_timeout_s", "nan", "must be > 0"),
        ("offline", "maybe", "must be true or false"),
        ("log_level", "loud", "must be one of debug, info, warning, error"),
        ("device", "vulcan", "must be auto, cpu, cuda"),
        ("home", 5, "must be a path"),
        ("host", 5, "must be text"),
        ("pull", {"a": 1}, "must be text"),
        ("ram_budget", "lots", "must be auto, bytes like 4GB"),
    ],
)
def test_what_a_setting_cannot_be_is_told_with_what_it_can(name: str, written: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(name, written)


def test_every_wrong_value_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"SLIMVOICE_PORT: .*; SLIMVOICE_QUEUE: "):
        load(environ={"SLIMVOICE_PORT": "x", "SLIMVOICE_QUEUE": "-1"})


def test_every_setting_describes_itself_and_its_default_is_one_of_its_values() -> None:
    assert set(described()) == set(Settings.__struct_fields__)
    assert {name: read(name, getattr(Settings(), name)) for name in described()} == structs.asdict(Settings())


BRAGI = """
device: cuda
hf_token: hf_secret
models:
  whisper-1: {repo: openai/whisper-base, compute_type: float16}
  tts-1: {repo: hexgrad/Kokoro-82M}
  house-voice: {repo: someone/else}
voices: {alloy: {speaker_id: af_alloy}}
model_ttl: 0
"""


def test_a_bragi_file_is_mapped_with_notes(tmp_path: Path) -> None:
    found = load_text(tmp_path, BRAGI)
    settings = found.settings
    assert (settings.device, settings.keep_alive) == ("cuda", "-1")
    assert (settings.default_stt, settings.default_tts) == ("openai/whisper-base", "hexgrad/Kokoro-82M")
    assert names(settings.pull) == ("openai/whisper-base", "hexgrad/Kokoro-82M", "someone/else")
    notes = "\n".join(found.notes)
    assert "model_ttl of Bragi is read as keep_alive=-1" in notes
    assert "house-voice of Bragi is not a name here: ask for someone/else" in notes
    assert "voices of Bragi is not used" in notes
    assert "hf_secret" not in notes


def test_bragi_variables_are_read_below_our_own() -> None:
    environ = {"BRAGI_PORT": "1", "BRAGI_HOST": "0.0.0.0", "BRAGI_API_KEY": "secret", "BRAGI_MAX_FILE_SIZE": "25MB"}
    found = load(environ={**environ, "SLIMVOICE_PORT": "2", "BRAGI_LOG_LEVEL": "warn", "BRAGI_WORKERS": "2"})
    settings = found.settings
    assert (settings.port, settings.host, settings.auth) == (2, "0.0.0.0", "on")
    assert (settings.max_upload_mb, settings.log_level) == (25, "warning")
    assert not any("secret" in note for note in found.notes)
    assert any("BRAGI_WORKERS of Bragi is not used" in note for note in found.notes)
