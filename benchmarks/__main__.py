"""Measures slimvoice as a user would run it beside what a user would pick instead, interleaved in one run.

Progress goes to stderr, tables to stdout. Figures of runs on different machines, or with other load, do not compare;
ratios within one run do.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import judged, machine
from benchmarks.bench import Bench, say
from benchmarks.clips import Shelf
from benchmarks.figures import Figures
from benchmarks.parts import build, clients, memory, overhead, start, stt, tts
from benchmarks.peers import build_whisper_server
from benchmarks.server import environment

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS: dict[str, tuple[Callable[[Bench], None], str]] = {
    "start": (start.measure, start.PART),
    "overhead": (overhead.measure, overhead.PART),
    "stt": (stt.measure, stt.PART),
    "tts": (tts.measure, tts.KOKORO),
    "clients": (clients.measure, clients.PART),
    "fairness": (clients.measure_fairness, clients.FAIR),
    "full": (clients.measure_full, clients.FULL),
    "memory": (memory.measure, memory.PART),
    "build": (build.measure, build.PART),
    "wer": (stt.measure_errors, "word error rate over all clips"),
}
NOT_QUICK = {"build", "fairness", "full", "wer"}


def main() -> None:
    """Parse, measure part by part, print."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every child is ended on the way out
    cache = Path(os.environ["BENCH_HOME"])
    names = options.only or [name for name in PARTS if not (options.quick and name in NOT_QUICK)]
    with tempfile.TemporaryDirectory(prefix="slimvoice-bench-") as scratch:
        bench = _bench(options, cache, Path(scratch))
        before = machine.describe()
        loads: dict[str, list[float]] = {}
        failed: list[str] = []
        for name in names:
            loads[name] = [machine.load()]
            try:
                PARTS[name][0](bench)
            except Exception:  # one part's failure costs no other part's figures
                traceback.print_exc()
                failed.append(name)
            loads[name].append(machine.load())
            if options.json:
                _keep(options.json, bench, {"machine": before, "load": loads, "quick": options.quick})
    if options.plot and clients.PART in bench.figures.parts:
        from benchmarks import plot

        plot.latency(bench.figures, options.plot)
    _print(bench, before, loads)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _bench(options: argparse.Namespace, cache: Path, folder: Path) -> Bench:
    home = cache / "models"
    shelf = Shelf(folder)
    recorded = (options.speech / "manifest.jsonl").exists()
    say(f"clips from {options.speech}" if recorded else "clips that slimvoice says: no recordings given")
    return Bench(
        home=home,
        folder=folder,
        cache=cache,
        clips=shelf.recorded(options.speech) if recorded else shelf.spoken(environment(home)),
        figures=Figures(),
        quick=options.quick,
        stt=options.stt,
        rounds=options.rounds or (1 if options.quick else 3),
        whisper_server=_whisper_server(options.whisper_server, cache),
        lengths=options.length,
        libraries=dict(pair.split("=", 1) for pair in options.library),
    )


def _whisper_server(asked: str | None, cache: Path) -> Path | None:
    if asked is None:
        return None
    return Path(asked) if asked else build_whisper_server(cache)


def _keep(path: Path, bench: Bench, about: dict[str, Any]) -> None:
    path.write_text(json.dumps({**about, "parts": bench.figures.to_json()}, indent=1) + "\n")


def _print(bench: Bench, before: dict[str, Any], loads: dict[str, list[float]]) -> None:
    about = ", ".join(f"{key} {value}" for key, value in before.items() if key != "load")
    shown = ", ".join(f"{name} {low} to {high}" for name, (low, high) in loads.items())
    print(f"{about}\n\nLoad average of the last minute, per part: {shown}\n")
    print("Medians; `to PEER`: slimvoice's share of what that peer takes, of runs in turn (under 1: less).\n")
    for part in bench.figures.parts:
        print(bench.figures.markdown(part) + "\n")
    print("### What it is judged by\n\n" + judged.markdown(bench.figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look in three minutes: fewer clips, rounds and parts")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=0, help="how often each clip and text is heard and said")
    parser.add_argument("--stt", default="whisper:base", metavar="MODEL", help="slimvoice's model for speech to text")
    parser.add_argument(
        "--speech",
        type=Path,
        default=Path(os.environ.get("SLIMVOICE_TEST_SPEECH") or REPOSITORY.parent / "shared" / "speech"),
        metavar="FOLDER",
        help="recordings and their manifest.jsonl (path, text, lang, kind); else slimvoice says the clips itself",
    )
    parser.add_argument(
        "--whisper-server",
        nargs="?",
        const="",
        metavar="PROGRAM",
        help="whisper.cpp's own server as a peer too: this program, else built from source (cmake, minutes)",
    )
    parser.add_argument("--length", action="append", type=int, default=[], help="of 3, 11, 60, 600 s: only these clips")
    parser.add_argument(
        "--library",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="another build of docker/steps/whisper, beside those that are known to the part `build`",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every sample")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw latency against clients (.svg or .png)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
