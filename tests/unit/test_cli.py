"""The command line, in this process: what it prints, where, and how it exits."""

import io
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import structlog
from api_fakes import make_home, wav

from slimvoice.cli import main, output
from slimvoice.keys import KeyStore
from slimvoice.speech import Task, WorkerStatus


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command with a volume of fake models that can be pulled."""
    home, mirror = make_home(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SLIMVOICE_", "BRAGI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLIMVOICE_HOME", str(home))
    monkeypatch.setenv("SLIMVOICE_MIRROR", str(mirror))
    monkeypatch.setenv("SLIMVOICE_OFFLINE", "1")
    monkeypatch.setenv("SLIMVOICE_DEFAULT_STT", "fake-stt")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("slimvoice.config_sources.SYSTEM_FILE", tmp_path / "none.yaml")

    def run_command(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["slimvoice", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield run_command
    root.handlers, root.level = handlers, level  # --debug sends logs to a stream that ends with the test
    structlog.reset_defaults()


def test_version_is_data(run):
    assert run("--version") == (0, "slimvoice 0.2.0\n", "")


def test_misuse_exits_with_2_and_prints_no_data(run):
    for words in (["pul"], ["pull"], ["list", "--nope"], ["transcribe"], ["keys", "create"], ["--set", "port", "list"]):
        ran = run(*words)
        assert (ran.code, ran.out) == (2, ""), words
        assert ran.err


def test_failure_exits_with_1_and_says_what_to_do(run):
    ran = run("show", "fake-st")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: no model is named 'fake-st'\nhint: did you mean fake-stt, fake-tts, fake-stt-en?\n"


def test_an_unexpected_error_is_a_sentence_unless_debugging(run, monkeypatch):
    monkeypatch.setattr("slimvoice.models.library.ModelLibrary.installed", lambda _self: 1 / 0)
    ran = run("list")
    assert ran.code == 1
    assert ran.err.startswith("error: unexpected ZeroDivisionError")
    assert "Traceback" not in ran.err
    monkeypatch.setattr(sys, "argv", ["slimvoice", "--debug", "list"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_models_come_are_listed_and_go(run):
    assert run("list").err.startswith("no models here yet: slimvoice pull whisper:base kokoro")
    pulled = run("pull", "fake-stt", "fake-tts")
    assert (pulled.code, pulled.out) == (0, "")
    assert "fake-stt: done" in pulled.err
    listed = run("list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "fake-stt", "fake-tts"]
    assert [model["name"] for model in json.loads(run("ls", "--json", "--task", "tts").out)] == ["fake-tts"]
    assert len(run("list", "--all").out.splitlines()) > 100
    assert run("rm", "fake-stt", "fake-tts").err.count("freed") == 2
    assert run("rm", "fake-stt").code == 1


def test_list_tells_which_models_have_lost_a_file(run):
    run("pull", "fake-stt", "fake-tts")
    path = Path(next(iter(json.loads(run("show", "fake-tts", "--json").out)["files"].values())))
    path.unlink()
    listed = run("list")
    assert [line.split()[4] for line in listed.out.splitlines()[1:]] == ["yes", "damaged"]
    assert listed.err == "files are missing or cut: slimvoice pull fake-tts\n"
    flags = {model["name"]: (model["pulled"], model["damaged"]) for model in json.loads(run("list", "--json").out)}
    assert flags == {"fake-stt": (True, False), "fake-tts": (False, True)}
    assert run("pull", "fake-tts").code == 0
    assert run("list").err == ""


def test_a_pull_of_several_goes_on_after_a_failure(run):
    ran = run("pull", "no-such", "fake-stt")
    assert ran.code == 1
    assert "error: no-such: no model is named" in ran.err
    assert "fake-stt: done" in ran.err


def test_show_tells_where_the_files_are(run):
    run("pull", "fake-tts")
    shown = json.loads(run("show", "fake-tts", "--json").out)
    assert shown["pulled"] is True
    assert all(Path(path).exists() for path in shown["files"].values())
    assert "backend         fake-tts" in run("show", "fake-tts").out


def test_voices_are_filtered_by_language(run):
    assert {voice["model"] for voice in json.loads(run("voices", "kokoro", "--json").out)} == {"kokoro"}
    british = run("voices", "kokoro", "--language", "en-GB").out.splitlines()[1:]
    assert {line.split()[1] for line in british} == {"en-GB"}
    english = run("voices", "kokoro", "-l", "en").out.splitlines()[1:]
    assert len(english) > len(british) > 0
    assert "no voice fits" in run("voices", "kokoro", "-l", "tlh").err


def test_voices_and_show_tell_what_a_voice_does_not_do_well(run):
    noted = [line for line in run("voices", "kokoro").out.splitlines() if "only kana" in line]
    assert {line.split()[1] for line in noted} == {"ja"}
    assert len(noted) == 5
    shown = run("show", "kokoro").out
    assert "ja: only kana" in shown
    assert json.loads(run("show", "kokoro", "--json").out)["languages"] == ["en", "es", "fr", "hi", "it", "pt", "zh"]
    assert all(voice["note"] for voice in json.loads(run("voices", "kokoro", "-l", "ja", "--json").out))


def test_say_refuses_a_folder_and_an_unknown_extension_by_name(run, tmp_path):
    for path, words in (
        (str(tmp_path), "is a folder"),
        ("x.m4a", "the extension .m4a means no format here: use .aac"),
        ("x.xyz", "the extension .xyz means no format here"),
        ("speech", "has no extension"),
    ):
        ran = run("say", "Hello", "-o", path)
        assert (ran.code, ran.out) == (2, "")
        assert words in " ".join(ran.err.replace("│", " ").split())
        assert "--output" in ran.err


def test_a_volume_that_cannot_be_written_is_told_alike_by_every_command(run, monkeypatch):
    monkeypatch.setenv("SLIMVOICE_HOME", "/proc/slimvoice")
    told = "error: cannot write to /proc/slimvoice: No such file or directory\nhint: point SLIMVOICE_HOME to a folder"
    for words in (["pull", "whisper:tiny"], ["keys", "create", "phone"]):
        ran = run(*words)
        assert ran.code == 1
        assert ran.err.startswith(told)


def test_an_export_needs_a_file(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    ran = run("export", "fake-stt", "-o", str(tmp_path / "pipe"))
    assert ran.code == 2
    assert "is no file" in ran.err


@pytest.mark.parametrize(("encoding", "printed"), [("ascii", "日本 é".encode()), ("latin-1", "?? é".encode("latin-1"))])
def test_letters_that_stdout_does_not_know_lose_no_output(monkeypatch, encoding, printed):
    for write, expected in (
        (output.write, printed),
        (output.write_json, b'"\\u65e5\\u672c \\u00e9"\n'),
    ):
        stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stdout)
        write("日本 é")
        assert stdout.buffer.getvalue() == expected


def test_arguments_in_letters_that_the_locale_does_not_know_are_read():
    assert output.letters("日本 é") == "日本 é"
    assert output.letters("日本".encode().decode("ascii", "surrogateescape")) == "日本"
    assert output.letters("a\udcff", "replace") == "a\ufffd"
    with pytest.raises(UnicodeDecodeError):
        output.letters("a\udcff")


def test_keys_are_made_listed_and_revoked(run, tmp_path):
    made = run("keys", "create", "phone", "--scope", "use", "--scope", "metrics", "--expires", "30d")
    token = made.out.strip()
    assert token.startswith("sv-")
    assert token not in made.err
    key = KeyStore(tmp_path / "home" / "keys").verify(token)
    assert key is not None
    assert key.scopes == ("use", "metrics")
    assert key.expires_at == pytest.approx(time.time() + 30 * 86400, abs=60)
    listed = run("keys", "list")
    assert "phone" in listed.out
    assert token not in listed.out
    assert run("keys", "revoke", "phone").code == 0
    assert KeyStore(tmp_path / "home" / "keys").verify(token) is None
    assert run("keys", "create", "x", "--scope", "everything").code == 1
    assert run("keys", "create", "x", "--expires", "soon").code == 2


def test_config_tells_where_each_value_came_from(run, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("queue: 3\n")
    rows = json.loads(run("--config", str(file), "--set", "threads=2", "config", "--json").out)
    found = {row["name"]: (row["value"], row["origin"]) for row in rows}
    assert found["queue"] == (3, f"file {file}")
    assert found["threads"] == (2, "flag")
    assert found["offline"] == (True, "environment")
    assert found["port"] == (8000, "default")
    assert "threads" not in run("config", "--changed").out


def test_config_hides_the_password_of_a_url(run):
    shown = run("--set", "mirror=https://me:secret@example.org/hub", "config").out
    assert "https://me:***@example.org/hub" in shown
    assert "secret" not in shown


def test_warnings_and_errors_of_settings_reach_the_person(run, monkeypatch):
    monkeypatch.setenv("SLIMVOICE_PROT", "1")
    assert "warning: SLIMVOICE_PROT is no setting; did you mean SLIMVOICE_PORT?" in run("list").err
    monkeypatch.setenv("SLIMVOICE_KEEP_ALIVE", "soon")
    ran = run("list")
    assert ran.code == 1
    assert "SLIMVOICE_KEEP_ALIVE: must be like 5m" in ran.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["transcribe", "a.wav", "--words"], "--words"),
        (["transcribe", "a.wav", "b.wav", "-f", "srt"], "--output"),
        (["transcribe", "a.wav", "-l", "klingon"], "--language"),
        (["say", "Hello", "-o", "a.xyz"], "--format"),
        (["say", "Hello", "--file", "a.txt", "-o", "a.wav"], "--file"),
        (["pull", "whisper:tiny", "--as", "mine"], "--as"),
        (["list", "--task", "music"], "--task"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_any_work(run, words, complaint):
    ran = run(*words)
    assert ran.code == 2
    assert complaint in ran.err


def test_a_model_that_is_not_here_is_named_with_its_cure(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    ran = run("transcribe", str(tmp_path / "a.wav"))
    assert ran.code == 1
    assert "hint: slimvoice pull fake-stt" in ran.err


def test_commands_about_a_server_say_when_there_is_none(run):
    ran = run("--set", "port=1", "ps")
    assert ran.code == 1
    assert ran.err == (
        "error: no server answers at http://127.0.0.1:1\nhint: slimvoice serve starts one; --server URL asks another\n"
    )


def test_export_and_import_carry_models(run, tmp_path, monkeypatch):
    run("pull", "fake-stt", "fake-tts")
    tar = tmp_path / "models.tar"
    assert json.loads(run("export", "fake-stt", "fake-tts", "-o", str(tar), "--json").out) == [str(tar)]
    monkeypatch.setenv("SLIMVOICE_HOME", str(tmp_path / "other"))
    assert json.loads(run("import", str(tar), "--json").out) == ["fake-stt", "fake-tts"]
    assert run("import", str(tmp_path / "none.tar")).code == 1


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "-"), (0, "0s"), (59, "59s"), (252, "4m12s"), (3600, "1h00m"), (-5, "0s")]
)
def test_a_moment_is_shown_as_the_time_until_then(seconds, shown):
    assert output.until(None if seconds is None else 1000.0 + seconds, now=1000.0) == shown


@pytest.mark.parametrize(("count", "shown"), [(1_500, "2 kB"), (78_000_000, "78 MB"), (1_620_000_000, "1.6 GB")])
def test_bytes_are_shown_as_people_read_them(count, shown):
    assert output.megabytes(count) == shown


def test_ps_tells_that_a_runtime_runs_a_lower_variant(run, monkeypatch):
    worker = WorkerStatus(model="m", task=Task.SPEECH_TO_TEXT, backend="fake-stt", state="ready", runtime="haswell")
    workers = [msgspec.to_builtins(each) for each in (worker, msgspec.structs.replace(worker, runtime=""))]
    monkeypatch.setattr("slimvoice.cli.client.call_server", lambda *_, **__: {"workers": workers})
    _, lowered, best = run("ps").out.splitlines()
    assert "cpu (haswell)" in lowered
    assert "(" not in best
