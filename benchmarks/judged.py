"""What a run is judged by: the targets of the project, and whether this run reached them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Figures, shown

STT, FAIR, FULL = "speech to text", "short clips during a long file", "more requests than the queue takes"
CLIENTS, KOKORO, MEMORY = "clients at once", "Kokoro (int8)", "memory of the process tree"
START, OVERHEAD, ERRORS = "start and idle", "overhead of HTTP", "word error rate"


@dataclass(frozen=True)
class Target:
    """A figure, and what it should be at most, or at least."""

    what: str
    value: Callable[[Figures], float | None]
    limit: float
    at_least: bool = False

    def row(self, figures: Figures) -> list[str]:
        """Return the target as a row: what, wanted, measured, reached."""
        value = self.value(figures)
        wanted = f"{'at least' if self.at_least else 'at most'} {shown(self.limit)}"
        if value is None:
            return [self.what, wanted, "not measured", ""]
        reached = value >= self.limit if self.at_least else value <= self.limit
        return [self.what, wanted, shown(value), "yes" if reached else "**no**"]


def _share(part: str, name: str, peer: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures.find(part, name).ratio(peer)


def _faster(part: str, name: str, peer: str) -> Callable[[Figures], float | None]:
    """Return by what factor slimvoice is faster than a peer."""

    def value(figures: Figures) -> float | None:
        ratio = figures.find(part, name).ratio(peer)
        return None if ratio is None else 1 / ratio

    return value


def _own(part: str, name: str) -> Callable[[Figures], float | None]:
    return lambda figures: figures.find(part, name).median("slimvoice")


def _within(part: str, name: str, of: float) -> Callable[[Figures], float | None]:
    """Return how far a percentage is from another."""

    def value(figures: Figures) -> float | None:
        median = figures.find(part, name).median("slimvoice")
        return None if median is None else abs(median - of)

    return value


def _more(part: str, name: str, peer: str) -> Callable[[Figures], float | None]:
    """Return by how many points slimvoice has more than a peer."""

    def value(figures: Figures) -> float | None:
        measure = figures.find(part, name)
        ours, theirs = measure.median("slimvoice"), measure.median(peer)
        return None if ours is None or theirs is None else ours - theirs

    return value


TARGETS = (
    *(
        Target(
            f"whisper base, {length} s: {measure}, to faster-whisper int8",
            _share(STT, f"{length} s: {measure}", "faster-whisper"),
            1.0,
        )
        for length in (11, 60)
        for measure in ("wall", "CPU")
    ),
    *(
        Target(
            f"whisper base, {length} s: word error rate, points above faster-whisper",
            _more(STT, f"{length} s: word error rate", "faster-whisper"),
            0.0,
        )
        for length in (3, 11, 60)
    ),
    Target(
        "whisper base, all English clips: word error rate, points above faster-whisper",
        _more(ERRORS, "all clips: word error rate", "faster-whisper"),
        0.0,
    ),
    *(
        Target(
            f"whisper base, {length} s: times faster than whisper.cpp's own server",
            _faster(STT, f"{length} s: wall", "whisper.cpp server"),
            1.6,
            True,
        )
        for length in (11, 60)
    ),
    Target(
        "3 s command: times faster than faster-whisper int8", _faster(STT, "3 s: wall", "faster-whisper"), 2.5, True
    ),
    Target(
        "16 clients: throughput to one after the other",
        _own(CLIENTS, "16 clients: throughput to one after the other"),
        1.0,
        True,
    ),
    Target("16 clients: p99 to the median alone", _own(CLIENTS, "16 clients: p99 to the median alone"), 20),
    Target(
        "Kokoro, 60 words: times faster than kokoro-onnx", _faster(KOKORO, "60 words: wall", "kokoro-onnx"), 1.1, True
    ),
    Target(
        "Kokoro, 60 words: first audio, % of the whole time",
        _own(KOKORO, "60 words: first audio, of the whole time"),
        35,
    ),
    Target("HTTP overhead, median, ms", _own(OVERHEAD, "overhead of HTTP"), 5),
    Target("HTTP overhead of speech, median, ms", _own(OVERHEAD, "overhead of HTTP, speech"), 1.5),
    Target("idle server: resident memory, MB", _own(START, "serve: idle memory"), 80),
    Target("idle server: CPU, %", _own(START, "serve: idle CPU"), 0.1),
    Target("command line: --help, CPU-s", _own(START, "slimvoice --help: CPU"), 0.3),
    Target("command line: list, CPU-s", _own(START, "slimvoice list: CPU"), 0.3),
    Target("memory after unload: % from before load", _within(MEMORY, "after unload, of before load", 100), 5),
    Target(
        "memory after unload, models used: % from before load",
        _within(MEMORY, "after unload, of before load (models used)", 100),
        5,
    ),
    Target("memory: % growth over 100 rounds of load and unload", _own(MEMORY, "growth over 100 rounds"), 5),
    Target("short clip during a long file, to alone", _own(FAIR, "short clip during, to alone"), 2.5),
    Target("long file with short clips, to alone", _own(FAIR, "long file with short clips, to alone"), 1.3),
    Target("more than the queue takes: lost", _own(FULL, "neither"), 0),
    Target(
        "more than the queue takes: answers that differ from the same clip's alone",
        _own(FULL, "answers that differ from the same clip's alone"),
        0,
    ),
)


def markdown(figures: Figures) -> str:
    """Return the table of targets."""
    rows = [["judged", "wanted", "measured", "reached"], ["---"] * 4, *(target.row(figures) for target in TARGETS)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
