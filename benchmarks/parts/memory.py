"""Memory: before, with and after models; over a hundred rounds of loading and unloading."""

from __future__ import annotations

from benchmarks import machine
from benchmarks.bench import Bench, say
from benchmarks.server import Slimvoice

PART = "memory of the process tree"
SMALL = "whisper:tiny"
AFTER, BEFORE = "after unload, of before load", "before load"


def measure(bench: Bench) -> None:
    """Load, use and unload; then load and unload many times."""
    with bench.serving() as server:
        for use in (False, True, True):  # the first request imports a decoder, once: the next round shows what stays
            _round(bench, server, use)
        _many(bench, server, bench.some(100, 10))


def _round(bench: Bench, server: Slimvoice, use: bool) -> None:
    models = (bench.stt, "kokoro")
    suffix = " (models used)" if use else ""
    say(f"{PART}: load and unload{suffix}")
    before = machine.rss_mb(server.pid)
    bench.figures.add(PART, BEFORE + suffix, before, "MB")
    for model in models:
        server.load(model)
    bench.figures.add(PART, f"{bench.stt} and kokoro loaded{suffix}", machine.rss_mb(server.pid), "MB")
    if use:
        server.transcribe(bench.clips[11][0])
        server.speak("Hello, this is a sentence that is said to see what it takes.", "kokoro")
        bench.figures.add(PART, "the same, after a request to each", machine.rss_mb(server.pid), "MB")
    for model in models:
        server.unload(model)
    after = machine.rss_mb(server.pid)
    bench.figures.add(PART, "after unload" + suffix, after, "MB")
    bench.figures.add(PART, AFTER + suffix, 100 * after / before, "%")


def _many(bench: Bench, server: Slimvoice, rounds: int) -> None:
    say(f"{PART}: {rounds} rounds of load and unload")
    seen = []
    for _ in range(rounds):
        server.load(SMALL)
        server.unload(SMALL)
        seen.append(machine.rss_mb(server.pid))
    first = seen[rounds // 10 - 1]  # the first few fill caches and pools
    bench.figures.add(PART, f"after {rounds // 10} of {rounds} rounds", first, "MB")
    bench.figures.add(PART, f"after {rounds} rounds", seen[-1], "MB")
    bench.figures.add(PART, f"growth over {rounds} rounds", 100 * (seen[-1] / first - 1), "%")
