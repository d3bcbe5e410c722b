"""What every part of a run shares: clips, models, options, figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.clips import Sets
from benchmarks.figures import Figures
from benchmarks.server import Slimvoice, environment

PIPER_VOICE = "piper:en_US-joe-medium"


@dataclass(frozen=True)
class Bench:
    """A run of measurements."""

    home: Path
    """SLIMVOICE_HOME with the models."""
    folder: Path
    """What the run writes: clips, logs."""
    cache: Path
    """What outlives runs: weights and builds of peers."""
    clips: Sets
    figures: Figures
    quick: bool
    stt: str
    rounds: int
    whisper_server: Path | None
    lengths: list[int]
    """Seconds of the clips to transcribe, of 3, 11, 60 and 600; none: all."""
    libraries: dict[str, str]
    """Other builds of whisper.cpp, by name: folders."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of a slimvoice that finds the models."""
        return environment(self.home)

    @property
    def threads(self) -> int:
        """Threads that each peer is told to use: the cores of this machine, as slimvoice does."""
        return machine.cores()

    def some(self, full: int, quick: int) -> int:
        """Return a count for this run."""
        return quick if self.quick else full

    @contextmanager
    def serving(self, **settings: str) -> Iterator[Slimvoice]:
        """Serve."""
        named = {f"SLIMVOICE_{name.upper()}": value for name, value in settings.items()}
        server = Slimvoice(self.env | named, self.folder, stt=self.stt)
        try:
            yield server
        finally:
            server.close()


def say(text: str) -> None:
    """Tell a person what is going on."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
