"""The first minute of the README, run as it stands."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from slimvoice.audio.decode import decode

README = Path(__file__).parents[2] / "README.md"
PORT = "127.0.0.1:8000"


def blocks() -> list[tuple[str, str]]:
    """Return the fenced blocks of the section, as (language, text)."""
    section = README.read_text().split("\n## A first minute\n")[1].split("\n## ")[0]
    return re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def environment(model_home) -> dict[str, str]:
    """Return what the commands run with: the tests' models, `slimvoice` on the PATH, and no other settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept | {"PATH": path, "SLIMVOICE_HOME": str(model_home), "SLIMVOICE_PORT": str(free_port())}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(command: str, environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a command in the background until the server that it starts is ready; yields its address."""
    address = f"127.0.0.1:{environment['SLIMVOICE_PORT']}"
    process = subprocess.Popen(command.split(), env=environment, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not is_ready(address):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not become ready"
            time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def is_ready(address: str) -> bool:
    try:
        return httpx2.get(f"http://{address}/health/ready").is_success
    except httpx2.TransportError:
        return False


def test_each_command_of_the_first_minute_does_what_it_says(environment, tmp_path):
    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (_, first), (_, second), (python, script) = blocks()
    assert python == "python"
    *before, serve = first.strip().splitlines()
    assert "kettle is on" in run("bash", "-ec", "\n".join(before))
    with running(serve, environment, tmp_path) as address:
        curl = second.replace("curl ", "curl -sS --fail-with-body ").replace(PORT, address)
        assert "kettle is on" in run("bash", "-ec", curl)
        assert decode((tmp_path / "hello.mp3").read_bytes(), max_duration_s=60).duration_s > 0.2
        assert "kettle is on" in run(sys.executable, "-c", script.replace(PORT, address))
