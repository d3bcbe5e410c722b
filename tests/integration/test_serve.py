"""`slimvoice serve` from its start to its end: the first boot, the key, signals, a taken port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import psutil
import pytest
from api_fakes import make_home, wav
from served import Served

from slimvoice import hardware


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    home, mirror = make_home(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    own = {"HOME": home, "MIRROR": mirror, "OFFLINE": "1", "DEFAULT_STT": "fake-stt", "DEFAULT_TTS": "fake-tts"}
    return kept | {f"SLIMVOICE_{name}": str(value) for name, value in own.items()}


@contextmanager
def served(environment: dict[str, str], *options: str, **settings: str) -> Iterator[Served]:
    server = Served(environment | {f"SLIMVOICE_{name.upper()}": value for name, value in settings.items()}, *options)
    try:
        yield server
    finally:
        server.close()


def transcribe(url: str, **data: str) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/audio/transcriptions", files={"file": ("a.wav", wav())}, data=data, timeout=60)


def until_ready(url: str) -> None:
    end = time.monotonic() + 60
    while httpx2.get(f"{url}/health/ready", timeout=10).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_first_start_serves_at_once_pulls_meanwhile_and_then_is_ready(environment, tmp_path):
    weights = tmp_path / "mirror" / "test" / "fake" / "stt.bin"
    hidden = weights.rename(tmp_path / "hidden")
    with served(environment, "--pull", "fake-stt fake-tts") as server:
        assert httpx2.get(f"{server.url}/health/live", timeout=10).status_code == 200
        server.line("pull failed")
        waiting = httpx2.get(f"{server.url}/health/ready", timeout=10)
        assert waiting.status_code == 503
        assert [pull["model"] for pull in waiting.json()["pulls"]] == ["fake-stt", "fake-tts"]
        assert waiting.json()["pulls"][0]["error"]
        assert transcribe(server.url).status_code == 404
        hidden.rename(weights)
        until_ready(server.url)
        assert transcribe(server.url).status_code == 200


def test_a_later_start_pulls_nothing(environment, tmp_path):
    with served(environment, "--pull", "fake-stt,fake-tts") as server:
        until_ready(server.url)
    (tmp_path / "mirror").rename(tmp_path / "gone")
    with served(environment, "--pull", "fake-stt,fake-tts") as server:
        assert httpx2.get(f"{server.url}/health/ready", timeout=10).status_code == 200


def test_models_are_loaded_before_anyone_asks(environment):
    with served(environment, "--pull", "fake-stt", "--preload", "fake-stt") as server:
        server.line('"preloaded"')
        status = httpx2.get(f"{server.url}/system/audio/status", timeout=10).json()
        assert [(worker["model"], worker["expires_at"]) for worker in status["workers"]] == [("fake-stt", None)]


def test_the_first_key_is_printed_once_and_works(environment):
    with served(environment, "--host", "0.0.0.0", pull="fake-stt") as server:
        token = server.line("shown this once").split()[-1]
        until_ready(server.url)
        assert transcribe(server.url).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx2.get(f"{server.url}/system/audio/status", headers=headers, timeout=10).status_code == 200
        assert sum(token in line for line in server.lines) == 1
    with served(environment, "--host", "0.0.0.0") as server:
        assert server.url
        assert not any("shown this once" in line for line in server.lines)


def test_ps_load_and_unload_ask_the_running_server(environment):
    with served(environment, pull="fake-stt") as server:
        until_ready(server.url)

        def ask(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "slimvoice", *words, "--server", server.url]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        assert ask("load", "fake-stt", "--keep-alive", "1h").stderr.startswith("loaded fake-stt: ")
        name, *_, restarts = ask("ps").stdout.splitlines()[1].split()
        assert (name, restarts) == ("fake-stt", "0")
        assert ask("stop", "fake-stt").stderr == "unloaded fake-stt\n"
        assert len(ask("ps").stdout.splitlines()) == 1
        failed = ask("load", "fake-tts")
        assert failed.returncode == 1
        assert "slimvoice pull fake-tts" in failed.stderr


def test_a_signal_lets_a_running_request_end(environment):
    with served(environment, pull="fake-stt", drain_s="30") as server:
        until_ready(server.url)
        answers: list[httpx2.Response] = []
        asking = threading.Thread(target=lambda: answers.append(transcribe(server.url, prompt="!slow=1")))
        asking.start()
        server.line('"model loaded"')
        assert server.stop(signal.SIGTERM) == 0
        asking.join(30)
        assert answers[0].status_code == 200


@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM,)])
def test_an_idle_server_stops_at_once_and_leaves_no_worker(environment, signals):
    with served(environment, pull="fake-stt", preload="fake-stt") as server:
        server.line('"preloaded"')
        workers = psutil.Process(server.process.pid).children()
        assert workers
        assert server.stop(*signals) == 0
        assert psutil.wait_procs(workers, timeout=5)[1] == []


def test_a_second_signal_does_not_wait(environment):
    with served(environment, pull="fake-stt", drain_s="600") as server:
        until_ready(server.url)
        asking = threading.Thread(target=_ask_in_vain, args=(server.url,))
        asking.start()
        server.line('"model loaded"')
        workers = psutil.Process(server.process.pid).children()
        server.process.send_signal(signal.SIGTERM)
        server.line('"stopping"')
        assert server.stop(signal.SIGTERM) == 130
        assert psutil.wait_procs(workers, timeout=10)[1] == []
        asking.join(30)


def test_a_killed_server_leaves_no_worker(environment):
    with served(environment, pull="fake-stt", preload="fake-stt") as server:
        server.line('"preloaded"')
        workers = psutil.Process(server.process.pid).children()
        server.stop(signal.SIGKILL)
        assert psutil.wait_procs(workers, timeout=10)[1] == []


def refused(environment: dict[str, str], *words: str) -> str:
    """Return what a server says that does not start."""
    command = [sys.executable, "-m", "slimvoice", *words]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_a_taken_port_is_a_sentence(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(environment, "serve", "--port", str(taken.getsockname()[1]))
    assert said.startswith("error: cannot listen on 127.0.0.1:")


@pytest.mark.skipif(bool(hardware.gpus()), reason="there is a GPU")
def test_a_gpu_that_was_asked_for_and_is_not_there_is_a_sentence(environment):
    hidden = {"NVIDIA_VISIBLE_DEVICES": "none", "CUDA_VISIBLE_DEVICES": ""}
    said = refused(environment | hidden, "serve", "--port", "0", "--device", "cuda")
    assert said.startswith("error: the setting device is cuda, and no NVIDIA GPU is seen")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"models: [\n  - name: {{{\n", "is not valid YAML"),
        (b"models:\n  - name: 3\n    tusk: x\n", "models[0]"),
        (b"models: []  # caf\xe9\n", "cannot be read"),
    ],
    ids=["no YAML", "no catalog", "no UTF-8"],
)
def test_a_models_yaml_that_cannot_be_read_is_a_sentence(environment, tmp_path, text, said):
    file = tmp_path / "home" / "models.yaml"
    file.write_bytes(text)
    refusal = refused(environment, "serve", "--port", "0")
    assert refusal.startswith(f"error: {file}")
    assert said in refusal


def test_a_volume_without_room_for_a_key_is_a_sentence(environment, tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(environment, "--home", str(tmp_path / "file"), "serve", "--host", "0.0.0.0", "--port", "0")
    assert said.startswith("error: cannot keep an API key in")


def test_each_request_is_one_line_with_its_id(environment):
    with served(environment) as server:
        httpx2.get(f"{server.url}/v1/models", headers={"x-request-id": "mine-1"}, timeout=10)
        line = json.loads(server.line("mine-1"))
    assert (line["message"], line["method"], line["path"], line["status"]) == ("request", "GET", "/v1/models", 200)


def test_a_line_about_audio_tells_what_its_time_was_spent_on(environment):
    with served(environment, "--pull", "fake-stt fake-tts") as server:
        until_ready(server.url)
        assert transcribe(server.url, prompt="!slow=0.3").status_code == 200
        heard = json.loads(server.line("/v1/audio/transcriptions"))
        body = {"model": "tts-1", "input": "Hello there."}
        assert httpx2.post(f"{server.url}/v1/audio/speech", json=body, timeout=60).status_code == 200
        spoken = json.loads(server.line("/v1/audio/speech"))
        assert transcribe(server.url, model="not-there").status_code == 404
        refused = json.loads(server.line('"status": 404'))
    assert heard["compute_ms"] >= 300
    assert heard["queue_ms"] > 0  # the model was loaded meanwhile
    assert heard["decode_ms"] > 0
    assert heard["decode_ms"] + heard["queue_ms"] + heard["compute_ms"] <= heard["duration_ms"]
    assert "decode_ms" not in spoken
    assert 0 < spoken["queue_ms"] + spoken["compute_ms"] <= spoken["duration_ms"]
    assert not {"decode_ms", "queue_ms", "compute_ms"} & refused.keys()


def _ask_in_vain(url: str) -> None:
    with pytest.raises(httpx2.HTTPError):
        transcribe(url, prompt="!hang")
