"""A real `slimvoice serve` in a process of its own, with engine, workers and fake backends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from api_fakes import make_home, make_settings

from slimvoice.models.library import ModelLibrary


def make_volume(folder: Path) -> tuple[Path, Path]:
    """Make a volume with fake models in it, and the mirror that they came from."""
    home, mirror = make_home(folder)
    library = ModelLibrary(make_settings(folder))
    for name in ("fake-stt", "fake-stt-en", "fake-tts"):
        library.pull(name)
    return home, mirror


class Server:
    """A running `slimvoice serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: list[str]) -> None:
        self.process = process
        self.url = url
        self.log = log

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running(home: Path, mirror: Path, **settings) -> Iterator[Server]:
    """Serve a volume on a free port."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    environment |= {
        "SLIMVOICE_HOME": str(home), "SLIMVOICE_MIRROR": str(mirror), "SLIMVOICE_OFFLINE": "true",
        "SLIMVOICE_DEFAULT_STT": "fake-stt", "SLIMVOICE_DEFAULT_TTS": "fake-tts", "SLIMVOICE_PORT": "0",
        "SLIMVOICE_LOG_FORMAT": "json", "SLIMVOICE_DRAIN_S": "1",
    } | {f"SLIMVOICE_{name.upper()}": str(value) for name, value in settings.items()}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "slimvoice", "serve"], env=environment, stderr=subprocess.PIPE, text=True
    )
    log: list[str] = []
    listening = threading.Event()
    found: list[str] = []

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if '"listening"' in line:
                found.append(json.loads(line)["url"])
                listening.set()
        listening.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert listening.wait(60), log
        assert found, log
        yield Server(process, found[0], log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        if process.stderr:
            process.stderr.close()
