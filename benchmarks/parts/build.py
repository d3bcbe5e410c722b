"""What each part of the build and of the backend brings: the same clips by other libraries, weights and settings."""

from __future__ import annotations

from contextlib import ExitStack, closing

from benchmarks.bench import Bench, say
from benchmarks.clips import error_rate
from benchmarks.peers import Backend
from benchmarks.server import SLIMVOICE
from benchmarks.weights import files_of

PART = "what the build brings"


def measure(bench: Bench) -> None:
    """Alternate between the variants; slimvoice's column is what it would take by itself."""
    whole, plain = {"short_context": False}, {"quantize": False}
    variants: dict[str, tuple[str, dict[str, bool]]] = {
        SLIMVOICE: ("", {}),
        "30 s of encoder": ("", whole),
        "16-bit weights": ("", plain),
        "wheel": ("wheel", {}),
        "wheel, 16-bit weights": ("wheel", plain),
        "wheel, 16-bit, 30 s of encoder": ("wheel", whole | plain),
        **{name: (folder, {}) for name, folder in bench.libraries.items()},
    }
    weights = files_of(bench.stt, bench.env)["weights"]
    with ExitStack() as stack:
        subjects = {}
        for name, (library, settings) in variants.items():
            options = {"weights": weights, "threads": bench.threads, "library": library, "settings": settings}
            subjects[name] = stack.enter_context(closing(Backend(name, options)))
        for seconds in (3, 11, 60):
            clip = bench.clips[seconds][0]
            say(f"{PART}: {seconds} s")
            for turn in range(bench.rounds + 1):
                for name, subject in subjects.items():
                    heard = subject.transcribe(clip)
                    if turn == 0:  # the first run of a runtime is its slowest
                        bench.figures.add(
                            PART, f"{seconds} s: word error rate", error_rate([clip], [heard.text]), "%", name
                        )
                        continue
                    bench.figures.add(PART, f"{seconds} s: wall", heard.wall_s, "s", name)
                    bench.figures.add(PART, f"{seconds} s: CPU", heard.cpu_s, "CPU-s", name)
