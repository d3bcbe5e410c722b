"""Memory: before, with and after models; over a hundred rounds of loading and unloading."""

from __future__ import annotations

from benchmarks import machine
from benchmarks.bench import Bench, say
from benchmarks.server import Slimvoice

PART = "memory of the process tree"
SMALL = "whisper:tiny"


def measure(bench: Bench) -> None:
    """Load and unload; then load, use and unload, and load and unload many times."""
    with bench.serving() as server:
        _round(bench, server, use=False)
        if bench.quick:
            return
        _use(bench, server)
        for model in (bench.stt, "kokoro"):
            server.unload(model)
        bench.figures.add(PART, "after the first requests, models unloaded", machine.rss_mb(server.pid), "MB")
        _round(bench, server, use=True)
        _many(bench, server, 100)
    bench.figures.note(PART, "The first request imports the decoder of audio into the server, once.")


def _round(bench: Bench, server: Slimvoice, *, use: bool) -> None:
    suffix = " (models used)" if use else ""
    say(f"{PART}: load and unload{suffix}")
    before = machine.rss_mb(server.pid)
    bench.figures.add(PART, "before load" + suffix, before, "MB")
    for model in (bench.stt, "kokoro"):
        server.load(model)
    bench.figures.add(PART, f"{bench.stt} and kokoro loaded{suffix}", machine.rss_mb(server.pid), "MB")
    if use:
        _use(bench, server)
        bench.figures.add(PART, "the same, after a request to each", machine.rss_mb(server.pid), "MB")
    for model in (bench.stt, "kokoro"):
        server.unload(model)
    after = machine.rss_mb(server.pid)
    bench.figures.add(PART, "after unload" + suffix, after, "MB")
    bench.figures.add(PART, "after unload, of before load" + suffix, 100 * after / before, "%")


def _use(bench: Bench, server: Slimvoice) -> None:
    server.transcribe(bench.clips[11][0])
    server.speak("Hello, this is a sentence that is said to see what it takes.", "kokoro")


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
