"""A server under test: slimvoice as a user starts it, and what its clients see of it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from benchmarks import machine
from benchmarks.clips import Clip
from benchmarks.figures import SLIMVOICE

POLL_S = 0.005
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Heard:
    """A transcription, and what it took."""

    text: str
    wall_s: float
    cpu_s: float = 0.0
    first_s: float = 0.0
    status: int = 200
    retry_after: str = ""


@dataclass(frozen=True)
class Spoken:
    """Speech, and what it took."""

    audio_s: float
    wall_s: float
    cpu_s: float
    first_s: float


class Served:
    """A child process that answers HTTP on a port of this machine."""

    longest_s = math.inf
    """The longest clip that it takes."""

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path, ready: str) -> None:
        self._log = log.open("ab")
        self.began = time.perf_counter()
        self._process = subprocess.Popen(command, env=dict(env), stdout=self._log, stderr=self._log)
        self.pid = self._process.pid
        self.start_s = self._wait(ready, log)

    def _wait(self, ready: str, log: Path) -> float:
        while time.perf_counter() < self.began + PATIENCE_S:
            try:
                httpx.get(ready, timeout=5)
                return time.perf_counter() - self.began
            except httpx.TransportError:
                if self._process.poll() is not None:
                    raise RuntimeError(f"{self._process.args} ended: see {log}") from None
                time.sleep(POLL_S)
        raise RuntimeError(f"{ready} did not answer")

    def close(self) -> None:
        """Stop it, and wait until it is gone."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Slimvoice(Served):
    """`slimvoice serve`, asked as OpenAI's clients ask."""

    def __init__(self, env: Mapping[str, str], folder: Path, *, stt: str = "whisper-1") -> None:
        self.name, self._stt, self._env = SLIMVOICE, stt, env
        self.port = machine.free_port()
        base = f"http://127.0.0.1:{self.port}"
        command = ["slimvoice", "serve", "--port", str(self.port), "--keep-alive", "1h"]
        super().__init__(command, env, folder / "slimvoice.log", f"{base}/health/live")
        self.http = httpx.Client(
            base_url=base, timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None), trust_env=False
        )

    def upload(self, clip: Clip, **fields: str) -> httpx.Request:
        """Return the request that transcribes a clip."""
        form = {"model": self._stt, "language": "en", **fields}
        files = {"file": (clip.path.name, clip.path.read_bytes(), "audio/wav")}
        return self.http.build_request("POST", "/v1/audio/transcriptions", data=form, files=files)

    def transcribe(self, clip: Clip) -> Heard:
        """Transcribe a clip; its status tells whether it was."""
        request = self.upload(clip)
        cpu_s, began = machine.cpu_s(self.pid), time.perf_counter()
        response = self.http.send(request)
        wall_s = time.perf_counter() - began
        used_s = machine.cpu_s(self.pid) - cpu_s
        text = response.json()["text"] if response.status_code == 200 else response.text
        retry_after = response.headers.get("retry-after", "")
        return Heard(text, wall_s, used_s, 0.0, response.status_code, retry_after)

    def follow(self, clip: Clip) -> Heard:
        """Transcribe a clip as a stream of events; raises HTTPStatusError."""
        request = self.upload(clip, stream="true")
        cpu_s, began = machine.cpu_s(self.pid), time.perf_counter()
        first_s, text = 0.0, ""
        response = self.http.send(request, stream=True)
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            first_s = first_s or time.perf_counter() - began
            text = event["text"] if event["type"] == "transcript.text.done" else text
        return Heard(text, time.perf_counter() - began, machine.cpu_s(self.pid) - cpu_s, first_s)

    def speak(self, text: str, model: str, voice: str = "") -> Spoken:
        """Say a text; raises HTTPStatusError."""
        body: dict[str, Any] = {"model": model, "input": text, "response_format": "pcm"}
        request = self.http.build_request("POST", "/v1/audio/speech", json=body | ({"voice": voice} if voice else {}))
        cpu_s, began = machine.cpu_s(self.pid), time.perf_counter()
        size, first_s = 0, 0.0
        response = self.http.send(request, stream=True)
        response.raise_for_status()
        for chunk in response.iter_raw():
            first_s = first_s or time.perf_counter() - began
            size += len(chunk)
        wall_s = time.perf_counter() - began
        return Spoken(size / 2 / 24_000, wall_s, machine.cpu_s(self.pid) - cpu_s, first_s)

    def load(self, model: str) -> None:
        """Load a model; raises HTTPStatusError."""
        self.http.post(f"/v1/audio/models/{model}/load").raise_for_status()

    def unload(self, model: str) -> None:
        """Unload a model, and wait until its worker is gone; raises HTTPStatusError."""
        self.http.post(f"/v1/audio/models/{model}/unload").raise_for_status()
        until = time.perf_counter() + 30
        while len(machine.tree(self.pid)) > 1 + len(self.workers()) and time.perf_counter() < until:
            time.sleep(POLL_S)

    def workers(self) -> list[dict[str, Any]]:
        """Return what is loaded."""
        return list(self.http.get("/system/audio/status").json()["workers"])

    def close(self) -> None:
        """Stop it."""
        self.http.close()
        super().close()


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user who has set nothing but where models are."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    return plain | {"SLIMVOICE_HOME": str(home), "SLIMVOICE_OFFLINE": "1"}
