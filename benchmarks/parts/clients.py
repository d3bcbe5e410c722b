"""Many clients at once: throughput and latency; a short clip beside a long file; more than the queue takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks.bench import Bench, say
from benchmarks.clips import Clip, Shelf, error_rate, normal
from benchmarks.figures import percentile
from benchmarks.server import Heard, Slimvoice

PART, FAIR, FULL = "clients at once", "short clips during a long file", "more requests than the queue takes"
COUNTS = (1, 4, 16)
QUEUE = 32


def measure(bench: Bench) -> None:
    """Let 1, 4 and 16 clients transcribe mixed clips."""
    mixed = [clip for pair in zip(bench.clips[3], bench.clips[11], strict=False) for clip in pair]
    with bench.serving() as server:
        server.transcribe(mixed[0])
        alone = {clip.name: median(server.transcribe(clip).wall_s for _ in range(bench.some(3, 1))) for clip in mixed}
        for count in COUNTS:
            requests = [mixed[i % len(mixed)] for i in range(max(len(mixed), count * bench.some(3, 1)))]
            say(f"{PART}: {count} clients, {len(requests)} requests")
            began = time.perf_counter()
            heard = _ask(server, requests, count)
            wall_s = time.perf_counter() - began
            name, walls = f"{count} clients", [each.wall_s for each in heard]
            for percent in (50, 95, 99):
                bench.figures.add(PART, f"{name}: latency p{percent}", percentile(walls, percent), "s")
            bench.figures.add(PART, f"{name}: audio per second", sum(c.duration_s for c in requests) / wall_s, "s/s")
            in_turn_s = sum(alone[clip.name] for clip in requests)
            bench.figures.add(PART, f"{name}: throughput to one after the other", in_turn_s / wall_s, "")
            over = percentile(walls, 99) / median(alone[clip.name] for clip in requests)
            bench.figures.add(PART, f"{name}: p99 to the median alone", over, "")
            rate = error_rate(requests, [each.text for each in heard])
            bench.figures.add(PART, f"{name}: word error rate", rate, "%")


def _ask(server: Slimvoice, clips: Sequence[Clip], at_once: int) -> list[Heard]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(server.transcribe, clips))


def measure_fairness(bench: Bench) -> None:
    """Transcribe short clips, one after the other, while a long file is transcribed."""
    long = bench.clips[600][0]
    if bench.quick:
        long = Shelf(bench.folder).clip("long_120", long.pcm[: 120 * 32_000], "")
    with bench.serving() as server:
        shorts = [bench.clips[3][i % len(bench.clips[3])] for i in range(bench.some(20, 5))]
        server.transcribe(shorts[0])
        say(f"{FAIR}: alone")
        alone = {clip.name: median(server.transcribe(clip).wall_s for _ in range(3)) for clip in set(shorts)}
        long_alone_s = server.transcribe(long).wall_s
        say(f"{FAIR}: together")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(server.transcribe, long)
            time.sleep(0.5)
            during = []
            for clip in shorts:
                heard = server.transcribe(clip)
                if running.done():
                    break
                during.append((heard.wall_s, heard.wall_s / alone[clip.name]))
            long_s = running.result().wall_s
    add = bench.figures.add
    add(FAIR, "short clips that ended during the long file", len(during), "")
    add(FAIR, "short clip alone", median(alone.values()), "s")
    for wall_s, ratio in during:
        add(FAIR, "short clip during the long file", wall_s, "s")
        add(FAIR, "short clip during, to alone", ratio, "")
    add(FAIR, f"{long.duration_s:.0f} s file alone", long_alone_s, "s")
    add(FAIR, f"{long.duration_s:.0f} s file with short clips", long_s, "s")
    add(FAIR, "long file with short clips, to alone", long_s / long_alone_s, "")


def measure_full(bench: Bench) -> None:
    """Send 200 distinct clips at once against a queue of 32: each is answered rightly, or refused with Retry-After."""
    count = bench.some(200, 60)
    clips = Shelf(bench.folder).slices(bench.clips[600][0], count, 3.0)
    with bench.serving(queue=str(QUEUE)) as server:
        server.transcribe(clips[0])
        say(f"{FULL}: {count} clips")
        heard = _ask(server, clips, count)
        answered = [(clip, each.text) for clip, each in zip(clips, heard, strict=True) if each.status == 200]
        say(f"{FULL}: {len(answered)} answers checked against the same clips alone")
        wrong = 0
        for clip, text in answered:
            if normal(alone := server.transcribe(clip).text) != normal(text):
                wrong += 1
                say(f"{FULL}: {clip.name} is {alone!r} alone, was {text!r}")
    statuses = Counter(each.status for each in heard)
    add = bench.figures.add
    add(FULL, "requests", count, "")
    add(FULL, "answered", statuses[200], "")
    add(FULL, "refused (429) with Retry-After", sum(h.status == 429 and h.retry_after.isdecimal() for h in heard), "")
    add(FULL, "neither", sum(h.status not in (200, 429) or (h.status == 429 and not h.retry_after) for h in heard), "")
    add(FULL, "answers that differ from the same clip's alone", wrong, "")
