"""Peers: what a user would pick instead of slimvoice, each in a process of its own."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx

from benchmarks import machine
from benchmarks.clips import Clip
from benchmarks.server import PATIENCE_S, Heard, Served, Spoken

REPOSITORY = Path(__file__).resolve().parents[1]


class Peer:
    """A library called directly: benchmarks/peer_main.py as a child."""

    def __init__(
        self, name: str, options: Mapping[str, Any], longest_s: float = math.inf, *, streams: bool = True
    ) -> None:
        self.name = name
        self.longest_s = longest_s
        self._streams = streams
        self._process = subprocess.Popen(
            [*self._command(), json.dumps(dict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.load_s = float(self._answer()["load_s"])

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.peer_main", self.name]

    def _ask(self, verb: str, argument: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(json.dumps([verb, argument]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
        return dict(json.loads(line))

    def transcribe(self, clip: Clip) -> Heard:
        """Transcribe a clip."""
        answer = self._ask("transcribe", str(clip.path))
        return Heard(answer["text"], answer["wall_s"], answer["cpu_s"], answer["first_s"])

    follow = transcribe

    def speak(self, text: str) -> Spoken:
        """Say a text; the first audio is that of the library's stream, where it has one of its own, else 0."""
        answer = self._ask("speak", text)
        if "first_s" not in answer and self._streams:
            answer["first_s"] = self._ask("stream", text)["first_s"]
        first_s = answer.get("first_s", 0.0)
        return Spoken(answer["audio_s"], answer["wall_s"], answer["cpu_s"], first_s)

    def rss_mb(self) -> float:
        """Return its resident megabytes."""
        return machine.rss_mb(self._process.pid)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


class Backend(Peer):
    """slimvoice's own whisper backend called directly, by slimvoice's own Python: benchmarks/backend_main.py."""

    def _command(self) -> list[str]:
        program = shutil.which("slimvoice")
        if program is None:
            raise RuntimeError("slimvoice is not on the PATH")
        return [str(Path(program).with_name("python")), "-m", "benchmarks.backend_main"]


class WhisperServer(Served):
    """whisper.cpp's own server, default build and settings."""

    name = "whisper.cpp server"

    def __init__(self, program: Path, weights: str, folder: Path) -> None:
        self._base = f"http://127.0.0.1:{machine.free_port()}"
        threads = str(machine.cores())
        command = [str(program), "-m", weights, "-t", threads, "-l", "en", "--port", self._base.rpartition(":")[2]]
        super().__init__(command, os.environ, folder / "whisper-server.log", self._base)

    def transcribe(self, clip: Clip) -> Heard:
        """Transcribe a clip; raises HTTPStatusError."""
        files = {"file": (clip.path.name, clip.path.read_bytes(), "audio/wav")}
        cpu_s, began = machine.cpu_s(self.pid), time.perf_counter()
        response = httpx.post(
            f"{self._base}/inference",
            files=files,
            data={"response_format": "json"},
            timeout=PATIENCE_S,
            trust_env=False,
        )
        wall_s = time.perf_counter() - began
        response.raise_for_status()
        return Heard(response.json()["text"], wall_s, machine.cpu_s(self.pid) - cpu_s)

    follow = transcribe


class PiperServer(Served):
    """piper's own HTTP server."""

    name = "piper server"

    def __init__(self, weights: str, folder: Path) -> None:
        self._base = f"http://127.0.0.1:{machine.free_port()}"
        command = [sys.executable, "-m", "piper.http_server", "-m", weights, "--host", "127.0.0.1"]
        command += ["--port", self._base.rpartition(":")[2]]
        super().__init__(command, os.environ, folder / "piper-server.log", f"{self._base}/voices")

    def speak(self, text: str) -> Spoken:
        """Say a text; raises HTTPStatusError."""
        cpu_s, began = machine.cpu_s(self.pid), time.perf_counter()
        response = httpx.post(f"{self._base}/synthesize", json={"text": text}, timeout=PATIENCE_S, trust_env=False)
        wall_s = time.perf_counter() - began
        response.raise_for_status()
        rate = int.from_bytes(response.content[24:28], "little")
        audio_s = (len(response.content) - 44) / 2 / rate
        return Spoken(audio_s, wall_s, machine.cpu_s(self.pid) - cpu_s, wall_s)


def build_whisper_server(folder: Path) -> Path:
    """Build whisper.cpp's server from pywhispercpp's sdist with CMake's defaults, once; needs cmake and a compiler."""
    program = folder / "whisper.cpp" / "build" / "bin" / "whisper-server"
    if program.exists():
        return program
    print("building whisper.cpp's server (minutes) ...", file=sys.stderr)
    unpacked = folder / "pywhispercpp"
    unpacked.mkdir(exist_ok=True)
    subprocess.run([REPOSITORY / "scripts" / "whisper-source", unpacked], check=True)
    (unpacked / "whisper.cpp").rename(folder / "whisper.cpp")
    source, build = str(folder / "whisper.cpp"), str(folder / "whisper.cpp" / "build")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DWHISPER_BUILD_TESTS=OFF"]
    subprocess.run(["cmake", "-S", source, "-B", build, *options], check=True, stdout=subprocess.DEVNULL)
    target = ["--target", "whisper-server", "-j", str(os.cpu_count())]
    subprocess.run(["cmake", "--build", build, *target], check=True, stdout=subprocess.DEVNULL)
    return program
