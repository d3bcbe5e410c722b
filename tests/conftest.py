"""What all tests share: real speech, where it is at hand, and made-up audio."""

from __future__ import annotations

import math
import os
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("slimvoice.backends.conformance")

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None)
settings.load_profile(os.environ.get("SLIMVOICE_TEST_HYPOTHESIS", "steady"))  # the same examples in each run


@pytest.fixture(scope="session")
def speech() -> Path:
    """Folder of real speech (manifest.jsonl); tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SLIMVOICE_TEST_SPEECH", REPOSITORY.parent / "shared" / "speech"))
    if not (folder / "manifest.jsonl").is_file():
        pytest.skip(f"no speech clips in {folder}; SLIMVOICE_TEST_SPEECH names another folder")
    return folder


@pytest.fixture(scope="session")
def tone():
    """Return a function that makes a sine as mono int16 PCM."""

    def make(duration_s: float, sample_rate: int, hertz: float = 440.0, level: float = 0.25) -> bytes:
        step = 2 * math.pi * hertz / sample_rate
        samples = (round(32767 * level * math.sin(step * n)) for n in range(round(duration_s * sample_rate)))
        return array("h", samples).tobytes()

    return make


@pytest.fixture(scope="session")
def pitch():
    """Return a function that measures a sine's hertz (zero crossings of the middle half) and its level (RMS, 0..1)."""

    def measure(pcm: bytes, sample_rate: int) -> tuple[float, float]:
        samples = array("h", pcm)
        middle = samples[len(samples) // 4 : len(samples) * 3 // 4]
        rises = sum(1 for before, after in pairwise(middle) if before < 0 <= after)
        level = math.sqrt(sum(sample * sample for sample in middle) / len(middle)) / 32767
        return rises * sample_rate / len(middle), level

    return measure


def pytest_terminal_summary(terminalreporter) -> None:
    """Print how long each kind of test took."""
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration") and hasattr(report, "nodeid"):
                kind = "/".join(report.nodeid.split("/")[:2])
                seconds[kind] = seconds.get(kind, 0.0) + report.duration
    terminalreporter.write_line("  ".join(f"{kind} {taken:.1f} s" for kind, taken in sorted(seconds.items())))
