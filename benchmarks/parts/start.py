"""Starting and waiting: the command line, the server until it answers and until its first results, idle CPU."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.bench import PIPER_VOICE, Bench, say

PART = "start and idle"


def measure(bench: Bench) -> None:
    """Start slimvoice again and again."""
    for arguments in (["--help"], ["list"]):
        say(f"{PART}: slimvoice {' '.join(arguments)}")
        for _ in range(bench.some(7, 3)):
            wall_s, cpu_s = machine.run_timed(["slimvoice", *arguments], bench.env)
            bench.figures.add(PART, f"slimvoice {arguments[0]}: wall", wall_s, "s")
            bench.figures.add(PART, f"slimvoice {arguments[0]}: CPU", cpu_s, "CPU-s")
    for _ in range(bench.some(3, 1)):
        _cold(bench)


def _cold(bench: Bench) -> None:
    say(f"{PART}: slimvoice serve")
    add = bench.figures.add
    with bench.serving() as server:
        add(PART, "serve: process to answer", server.start_s, "s")
        add(PART, "serve: process to answer, CPU", machine.cpu_s(server.pid), "CPU-s")
        time.sleep(2)
        add(PART, "serve: idle memory", machine.rss_mb(server.pid), "MB")
        add(PART, "serve: idle CPU", _idle_cpu(server.pid), "%")
        clip = bench.clips[3][0]
        add(PART, f"{clip.duration_s:.0f} s clip, model not loaded", server.transcribe(clip).wall_s, "s")
        add(PART, f"{clip.duration_s:.0f} s clip, model loaded", server.transcribe(clip).wall_s, "s")
        for model in ("kokoro", PIPER_VOICE):
            for state in ("not loaded", "loaded"):
                first_s = server.speak("Hello.", model).first_s
                add(PART, f"short sentence, {model.partition(':')[0]} {state}: first audio", first_s, "s")
        if not bench.quick:
            add(PART, "three models loaded: idle CPU", _idle_cpu(server.pid), "%")


def _idle_cpu(pid: int) -> float:
    """Return percent of a core over ten seconds: the kernel counts in hundredths of one."""
    cpu_s = machine.cpu_s(pid)
    time.sleep(10)
    return 100 * (machine.cpu_s(pid) - cpu_s) / 10
