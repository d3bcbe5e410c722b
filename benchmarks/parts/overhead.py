"""What the HTTP face costs: the same job over HTTP and by a call of the engine, with backends that take no time.

Speech is asked for with the real catalog's Kokoro, its 54 voices and as many files, and a fake backend behind it.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.bench import Bench, say
from benchmarks.clips import Clip
from benchmarks.server import Slimvoice, environment

PART = "overhead of HTTP"
STT, TTS = "fake-stt", "kokoro"
CATALOG = Path(__file__).parents[2] / "slimvoice" / "backends" / "kokoro" / "models.yaml"
TEXT = "Hello."

Job = tuple[str, bytes, Mapping[str, str]]
"""Path, body and headers of a request."""


def measure(bench: Bench) -> None:
    """Alternate between both, a few rounds."""
    env = environment(_home(bench.folder)) | {"SLIMVOICE_DEFAULT_STT": STT}
    clip, count, rounds = bench.clips[3][0], bench.some(100, 30), bench.some(3, 1)
    say(f"{PART}: {count} requests of each kind, {rounds} rounds")
    server = Slimvoice(env, bench.folder, stt=STT)
    kinds = (
        (f"{clip.duration_s:.0f} s clip", PART, _upload(server, clip.path), (STT, str(clip.path))),
        ("speech of a word", f"{PART}, speech", _speech(), (TTS, TEXT)),
    )
    try:
        for label, overhead, job, arguments in kinds:
            _over_http(server, job, 3)
            for _ in range(rounds):
                over_http, health = _over_http(server, job, count)
                direct = _direct(env, count, *arguments)
                for name, times in (
                    ("over HTTP", over_http),
                    ("engine called directly", direct),
                    ("GET /health", health),
                ):
                    bench.figures.add(PART, f"{label}, {name}", 1000 * median(times), "ms")
                bench.figures.add(PART, overhead, 1000 * (median(over_http) - median(direct)), "ms")
    finally:
        server.close()


def _upload(server: Slimvoice, path: Path) -> Job:
    request = server.upload(Clip(path.stem, b"", "", path))
    return "/v1/audio/transcriptions", request.read(), dict(request.headers)


def _speech() -> Job:
    body = {"model": "tts-1", "input": TEXT, "voice": "alloy", "response_format": "pcm"}
    return "/v1/audio/speech", json.dumps(body).encode(), {"content-type": "application/json"}


def _over_http(server: Slimvoice, job: Job, count: int) -> tuple[list[float], list[float]]:
    """Return seconds of jobs and of bare requests, over one kept connection; the client is as lean as can be."""
    path, body, headers = job
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    jobs: list[float] = []
    bare: list[float] = []
    for _ in range(count):
        requests: tuple[tuple[list[float], tuple[Any, ...]], ...] = (
            (jobs, ("POST", path, body, headers)),
            (bare, ("GET", "/health")),
        )
        for times, arguments in requests:
            began = time.perf_counter()
            connection.request(*arguments)
            response = connection.getresponse()
            answer = response.read()
            times.append(time.perf_counter() - began)
            if response.status != 200:
                raise RuntimeError(answer.decode())
    connection.close()
    return jobs, bare


def _direct(env: dict[str, str], count: int, model: str, what: str) -> list[float]:
    python = Path(shutil.which("slimvoice") or "").with_name("python")
    command = [str(python), "-m", "benchmarks.direct", model, what, str(count)]
    ran = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(ran.stdout.splitlines()[-1])]  # logs come before


def _home(folder: Path) -> Path:
    """Make a volume with a fake recogniser in it, and the catalog's Kokoro as a fake backend runs it."""
    home, mirror = folder / "fake-home", folder / "fake-mirror"
    home.mkdir(parents=True, exist_ok=True)
    kokoro = next(model for model in yaml.safe_load(CATALOG.read_text("utf-8"))["models"] if model["name"] == TTS)
    kokoro |= {"backend": "fake-tts", "repo": "bench/fake", "starter": False}
    recogniser = {"name": STT, "task": "speech-to-text", "backend": STT, "repo": "bench/fake", "languages": ["en"]}
    models = [recogniser | {"files": {"weights": "stt.bin"}}, kokoro]
    (home / "models.yaml").write_text(yaml.safe_dump({"models": models}), encoding="utf-8")
    voices = [voice for genders in kokoro["voices"].values() for names in genders.values() for voice in names]
    for path in ("stt.bin", kokoro["files"]["weights"], *(f"voices/{voice}.bin" for voice in voices)):
        file = mirror / "bench" / "fake" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"fake {path}".encode())
    env = environment(home) | {"SLIMVOICE_MIRROR": str(mirror)}
    subprocess.run(["slimvoice", "pull", STT, TTS], env=env, check=True, capture_output=True)
    return home
