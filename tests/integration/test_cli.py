"""The command line as a process, with real workers of fake models: pipes, files, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from api_fakes import make_home, make_settings, tone, wav

from slimvoice.audio.decode import decode
from slimvoice.backends.fake.adapter import clip_text
from slimvoice.models.library import ModelLibrary

WORDS = clip_text(tone(2.0)).strip()
Run = Callable[..., subprocess.CompletedProcess[bytes]]
COMMAND = [sys.executable, "-m", "slimvoice"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("volume")
    home, _ = make_home(folder)
    library = ModelLibrary(make_settings(folder))
    for name in ("fake-stt", "fake-stt-en", "fake-tts"):
        library.pull(name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    own = {"HOME": home, "OFFLINE": "1", "DEFAULT_STT": "fake-stt", "DEFAULT_TTS": "fake-tts"}
    return kept | {f"SLIMVOICE_{name}": str(value) for name, value in own.items()}


@pytest.fixture
def run(environment, tmp_path) -> Run:
    def run_command(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *words], input=stdin, env=environment, capture_output=True, cwd=tmp_path, timeout=60, check=False
        )

    return run_command


def test_transcribe_prints_text_and_nothing_else(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    ran = run("transcribe", "a.wav")
    assert (ran.returncode, ran.stdout.decode(), ran.stderr) == (0, WORDS + "\n", b"")


def test_transcribe_reads_stdin(run):
    assert run("transcribe", "-", stdin=wav()).stdout.decode() == WORDS + "\n"


def test_every_format_is_the_one_of_the_api(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    assert json.loads(run("transcribe", "a.wav", "-f", "json").stdout)["text"] == WORDS
    verbose = json.loads(run("transcribe", "a.wav", "-f", "verbose_json", "--words", "-l", "en").stdout)
    assert verbose["language"] == "english"
    assert verbose["segments"][0]["text"].strip() == WORDS
    assert [word["word"] for word in verbose["words"]] == WORDS.split()
    assert run("transcribe", "a.wav", "-f", "srt").stdout.decode().startswith("1\n00:00:00,000 --> ")
    assert run("transcribe", "a.wav", "-f", "vtt").stdout.decode().startswith("WEBVTT\n\n00:00:00.000 --> ")


def test_several_files_go_to_a_folder_or_to_a_line_each(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    (tmp_path / "b.wav").write_bytes(wav(1.0))
    (tmp_path / "bad.wav").write_bytes(b"not audio")
    ran = run("transcribe", "a.wav", "bad.wav", "b.wav", "-f", "srt", "-o", "out/")
    assert ran.returncode == 1
    assert b"error: bad.wav: the file is not audio" in ran.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.srt", "b.srt"]
    lines = [json.loads(line) for line in run("transcribe", "a.wav", "b.wav", "-f", "json").stdout.splitlines()]
    assert [(line["file"], line["text"]) for line in lines] == [
        ("a.wav", WORDS),
        ("b.wav", clip_text(tone(1.0)).strip()),
    ]


def test_the_extension_of_the_output_chooses_the_format(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    assert run("transcribe", "a.wav", "-o", "talk.vtt").returncode == 0
    assert (tmp_path / "talk.vtt").read_text().startswith("WEBVTT")


def test_no_folder_is_made_for_a_single_file(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    for words in (["transcribe", "a.wav", "-o", "no/a.txt"], ["say", "Hello", "-o", "no/a.wav"]):
        ran = run(*words)
        assert (ran.returncode, ran.stderr.decode()) == (
            1,
            f"error: cannot write {words[-1]}: No such file or directory\n",
        )
    assert not (tmp_path / "no").exists()


def test_output_into_a_named_pipe_reaches_its_reader(environment, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for words, begins in ((["say", "Hello to all"], b"RIFF"), (["transcribe", "a.wav"], WORDS.encode())):
        process = subprocess.Popen([*COMMAND, *words, "-o", "pipe"], env=environment, cwd=tmp_path)
        reader = subprocess.run(["timeout", "30", "cat", str(pipe)], capture_output=True, check=False)
        assert process.wait(30) == 0
        assert reader.stdout.startswith(begins)
        assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "pipe"]


def test_ctrl_c_ends_the_wait_for_a_pipe_that_nobody_reads(environment, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen([*COMMAND, "say", "Hello", "-o", "pipe"], env=environment, cwd=tmp_path)
    _waits_to_open(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert (tmp_path / "pipe").is_fifo()


def test_output_through_a_link_goes_where_it_points(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    for words, name in ((["say", "Hello to all"], "real.wav"), (["transcribe", "a.wav"], "real.txt")):
        target, link = tmp_path / name, tmp_path / f"link-{name}"
        target.write_bytes(b"old")
        link.symlink_to(name)
        assert run(*words, "-o", link.name).returncode == 0
        assert link.is_symlink()
        assert len(target.read_bytes()) > 10


def test_output_to_dev_stdout_is_added_to_a_file(environment, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("ab") as log:
        subprocess.run(
            [*COMMAND, "transcribe", "a.wav", "-o", "/dev/stdout"],
            env=environment, cwd=tmp_path, stdout=log, check=True, timeout=60,
        )  # fmt: skip
    assert (tmp_path / "log").read_text() == f"before\n{WORDS}\n"


def test_a_failed_write_leaves_what_was_there_and_no_draft(environment, tmp_path):
    (tmp_path / "hello.wav").write_bytes(b"old")
    ran = subprocess.run(
        ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *COMMAND, "say", "Hello to all of you", "-o", "hello.wav"],
        env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr.decode()) == (1, "error: cannot write hello.wav: File too large\n")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("hello.wav", b"old")]


def test_inputs_of_one_name_give_a_transcript_each(run, tmp_path):
    for folder, seconds in (("a", 1.0), ("b", 2.0)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.wav").write_bytes(wav(seconds))
    assert run("transcribe", "a/same.wav", "b/same.wav", "-o", "out").returncode == 0
    texts = {path.name: path.read_text().strip() for path in (tmp_path / "out").iterdir()}
    assert texts == {"a-same.wav.txt": clip_text(tone(1.0)).strip(), "b-same.wav.txt": WORDS}


def test_translate_needs_a_model_that_can(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    assert run("translate", "a.wav").returncode == 0
    refused = run("translate", "a.wav", "-m", "fake-stt-en")
    assert refused.returncode == 1
    assert refused.stderr.decode() == "error: model fake-stt-en does not translate\n"


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
def test_say_writes_any_format_by_its_extension(run, tmp_path, form):
    ran = run("say", "Hello to all of you", "-o", f"hello.{form}")
    assert (ran.returncode, ran.stdout) == (0, b""), ran.stderr
    spoken = decode((tmp_path / f"hello.{form}").read_bytes(), max_duration_s=60)
    assert spoken.duration_s == pytest.approx(1.25, abs=0.15)


def test_say_streams_to_a_pipe_and_transcribe_hears_it(run):
    spoken = run("say", "-o", "-", "-f", "wav", stdin=b"Hello to all of you")
    assert spoken.stdout.startswith(b"RIFF")
    assert run("transcribe", "-", stdin=spoken.stdout).stdout.startswith(b"clip ")


def test_a_reader_that_leaves_ends_the_command_quietly(environment, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(30.0))
    process = subprocess.Popen(
        [*COMMAND, "transcribe", "a.wav"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (141, b"")


def test_ctrl_c_stops_within_two_seconds_and_leaves_no_worker(environment, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    process = subprocess.Popen(
        [*COMMAND, "transcribe", "a.wav", "--prompt", "!hang", "-o", "a.txt"],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    workers = _workers_of(process)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=30)
    took_s = time.monotonic() - began
    assert process.returncode == 130
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    assert not (tmp_path / "a.txt").exists()
    assert took_s < 10  # two seconds on a machine that is not busy


def test_a_killed_command_leaves_no_worker(environment, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav())
    process = subprocess.Popen(
        [*COMMAND, "transcribe", "a.wav", "--prompt", "!hang"], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    workers = _workers_of(process)
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def _waits_to_open(process: subprocess.Popen[bytes]) -> None:
    """Return once a thread of the process waits in the kernel for a pipe's reader."""
    for _ in range(1500):
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with suppress(OSError):
                if "wait_for_partner" in (thread / "wchan").read_text():
                    return
        time.sleep(0.02)
    raise AssertionError("it never opened the pipe")


def test_help_and_list_load_nothing_heavy(environment):
    for words in (["--help"], ["list"]):
        ran = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "slimvoice", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {
            line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")
        }
        heavy = {"fastapi", "uvicorn", "av", "numpy", "onnxruntime", "huggingface_hub", "httpx2", "prometheus_client"}
        assert loaded & (heavy | {"rich", "asyncio", "pydantic"}) == set(), words


def _workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Wait for the command's worker to be busy: it takes the audio once it has loaded."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        workers = psutil.Process(process.pid).children()
        if workers and workers[0].num_threads() > 1:
            return workers
        time.sleep(0.05)
    raise AssertionError("no worker came")
