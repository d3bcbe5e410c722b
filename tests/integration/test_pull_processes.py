"""Pulling as separate processes do it: killed, at the same time, and told by the environment."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 8_000_000
WEIGHTS = b"lmgg" + random.Random(7).randbytes(SIZE - 4)
CATALOG = """
models:
  - name: mini
    task: speech-to-text
    backend: whisper.cpp
    repo: lab/voice
    files: {weights: weights.bin}
"""
PULL = """
import sys
from slimvoice.config_sources import load
from slimvoice.errors import SlimvoiceError
from slimvoice.models.library import ModelLibrary

def tell(progress):
    print(progress.status, progress.done_bytes, flush=True)

try:
    installed = ModelLibrary(load().settings).pull("mini", tell)
except SlimvoiceError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(installed.files["weights"])
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub(repos={"lab/voice": {"weights.bin": WEIGHTS}}) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "models.yaml").write_text(CATALOG)
    return tmp_path


@pytest.fixture
def pull(hub: FakeHub, home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a process which pulls `mini`, with more environment if given."""
    started: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> subprocess.Popen[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "SLIMVOICE_"))}
        settings = {"SLIMVOICE_HOME": str(home), "HF_ENDPOINT": hub.endpoint, "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(
            [sys.executable, "-c", PULL],
            env=kept | settings | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def visible(home: Path) -> list[str]:
    return [path.name for path in (home / "models").iterdir() if not path.name.startswith(".")]


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this did not happen in time"
        time.sleep(0.02)


def part_bytes(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "models").rglob("*.part"))


def test_killed_pull_is_resumed_by_a_later_process(hub: FakeHub, home: Path, pull: Callable) -> None:
    hub.stall_at = SIZE // 2
    first = pull()
    wait_for(lambda: part_bytes(home) > SIZE // 4)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = part_bytes(home)
    assert visible(home) == []

    hub.released.set()
    output, errors = pull().communicate(timeout=30)
    assert errors == ""
    path = Path(output.splitlines()[-1])
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(WEIGHTS).digest()
    first_asked, second_asked = (asked for asked in hub.asked if asked.server == "storage")
    assert "range" not in first_asked.headers
    assert second_asked.headers["range"] == f"bytes={kept}-"
    assert visible(home) == ["mini"]


def test_two_processes_share_one_download(hub: FakeHub, home: Path, pull: Callable) -> None:
    hub.stall_at = SIZE // 2
    both = [pull(), pull()]
    wait_for(lambda: part_bytes(home) > SIZE // 4)
    hub.released.set()
    outputs = [process.communicate(timeout=30) for process in both]
    assert [errors for _, errors in outputs] == ["", ""]
    assert len({output.splitlines()[-1] for output, _ in outputs}) == 1
    assert hub.count("GET", "storage") == 1
    assert hub.sent_bytes == SIZE


def test_second_process_goes_on_when_the_first_is_killed(hub: FakeHub, home: Path, pull: Callable) -> None:
    hub.stall_at = SIZE // 2
    first = pull()
    wait_for(lambda: part_bytes(home) > SIZE // 4)
    second = pull()
    line = ""
    while not line.startswith("waiting"):
        line = second.stdout.readline()
        assert line, second.stderr.read()
    assert int(line.split()[1]) > SIZE // 4
    first.kill()
    first.wait()
    hub.released.set()
    output, errors = second.communicate(timeout=30)
    assert errors == ""
    assert Path(output.splitlines()[-1]).read_bytes() == WEIGHTS


def test_token_of_the_environment_is_used_and_nothing_phones_home(hub: FakeHub, home: Path, pull: Callable) -> None:
    hub.gated, hub.token = {"lab/voice"}, "from-env"
    output, errors = pull().communicate(timeout=30)
    assert "Gated" in errors
    output, errors = pull(HF_TOKEN="from-env").communicate(timeout=30)
    assert errors == ""
    assert output.splitlines()[-2].startswith("done")
    assert {asked.path for asked in hub.asked} == {"/lab/voice/resolve/main/weights.bin", "/lab/voice/weights.bin"}
    assert "torch" not in hub.asked[0].headers["user-agent"]


@pytest.mark.parametrize("setting", ["HF_HUB_OFFLINE", "SLIMVOICE_OFFLINE"])
def test_offline_asks_nobody(hub: FakeHub, home: Path, pull: Callable, setting: str) -> None:
    _, errors = pull(**{setting: "1"}).communicate(timeout=30)
    assert errors.startswith("Offline:")
    assert hub.asked == []


def test_mirror_of_the_environment_comes_first(hub: FakeHub, home: Path, pull: Callable) -> None:
    output, errors = pull(SLIMVOICE_MIRROR=f"{hub.endpoint}/mirror", HF_ENDPOINT="http://127.0.0.1:9").communicate(
        timeout=30
    )
    assert errors == ""
    assert Path(output.splitlines()[-1]).read_bytes() == WEIGHTS


def test_reading_imports_no_network_client(home: Path) -> None:
    code = (
        "import sys; from slimvoice.config_sources import load; from slimvoice.models.library import ModelLibrary\n"
        "models = ModelLibrary(load().settings); models.installed(); models.find('whisper-1'); models.models()\n"
        "print([name for name in ('huggingface_hub', 'httpx2') if name in sys.modules])"
    )
    environment = os.environ | {"SLIMVOICE_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    output = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
