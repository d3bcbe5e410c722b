"""What the HTTP face costs: the same clip over HTTP and by a call of the engine, with a backend that takes no time."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, say
from benchmarks.clips import Clip
from benchmarks.server import Slimvoice, environment

PART = "overhead of HTTP"
MODEL = "fake-stt"
CATALOG = f"""
models:
  - name: {MODEL}
    task: speech-to-text
    backend: {MODEL}
    repo: bench/fake
    files: {{weights: stt.bin}}
    languages: [en]
"""


def measure(bench: Bench) -> None:
    """Alternate between both, a few rounds."""
    env = environment(_home(bench.folder)) | {"SLIMVOICE_DEFAULT_STT": MODEL}
    clip, count, rounds = bench.clips[3][0], bench.some(100, 30), bench.some(3, 1)
    say(f"{PART}: {count} requests, {rounds} rounds")
    server = Slimvoice(env, bench.folder, stt=MODEL)
    try:
        _over_http(server, clip.path, 3)
        for _ in range(rounds):
            over_http, health = _over_http(server, clip.path, count)
            direct = _direct(env, clip.path, count)
            for name, times in (("over HTTP", over_http), ("engine called directly", direct), ("GET /health", health)):
                bench.figures.add(PART, f"{clip.duration_s:.0f} s clip, {name}", 1000 * median(times), "ms")
            bench.figures.add(PART, "overhead of HTTP", 1000 * (median(over_http) - median(direct)), "ms")
    finally:
        server.close()


def _over_http(server: Slimvoice, path: Path, count: int) -> tuple[list[float], list[float]]:
    """Return seconds of uploads and of bare requests, over one kept connection; the client is as lean as can be."""
    request = server.upload(Clip(path.stem, b"", "", path))
    body, headers = request.read(), dict(request.headers)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    uploads, bare = [], []
    for _ in range(count):
        for times, arguments in (
            (uploads, ("POST", "/v1/audio/transcriptions", body, headers)),
            (bare, ("GET", "/health")),
        ):
            began = time.perf_counter()
            connection.request(*arguments)
            response = connection.getresponse()
            answer = response.read()
            times.append(time.perf_counter() - began)
            if response.status != 200:
                raise RuntimeError(answer.decode())
    connection.close()
    return uploads, bare


def _direct(env: dict[str, str], path: Path, count: int) -> list[float]:
    python = Path(shutil.which("slimvoice") or "").with_name("python")
    command = [str(python), "-m", "benchmarks.direct", MODEL, str(path), str(count)]
    ran = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return [float(value) for value in json.loads(ran.stdout.splitlines()[-1])]  # logs come before


def _home(folder: Path) -> Path:
    """Make a volume with the fake model in it."""
    home, mirror = folder / "fake-home", folder / "fake-mirror"
    for path in (home, mirror / "bench" / "fake"):
        path.mkdir(parents=True, exist_ok=True)
    (home / "models.yaml").write_text(CATALOG)
    (mirror / "bench" / "fake" / "stt.bin").write_bytes(b"fake")
    env = environment(home) | {"SLIMVOICE_MIRROR": str(mirror)}
    subprocess.run(["slimvoice", "pull", MODEL], env=env, check=True, capture_output=True)
    return home
