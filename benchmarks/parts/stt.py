"""Speech to text: time, CPU-seconds, word error rate and first text, for clips of 3, 11, 60 and 600 seconds."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import ExitStack, closing
from typing import Protocol

from benchmarks.bench import Bench, say
from benchmarks.clips import Clip, error_rate
from benchmarks.peers import Peer, WhisperServer
from benchmarks.server import Heard
from benchmarks.weights import ctranslate2_base, files_of, moonshine_tiny

PART = "speech to text"


class Hearing(Protocol):
    """What transcribes: slimvoice, or a peer."""

    name: str
    longest_s: float
    """The longest clip that it takes in one go."""

    def transcribe(self, clip: Clip) -> Heard:
        """Transcribe a clip as fast as it can."""
        ...

    def follow(self, clip: Clip) -> Heard:
        """Transcribe a clip, and tell when the first text came."""
        ...


def subjects(bench: Bench, stack: ExitStack) -> list[Hearing]:
    """Start slimvoice and its peers, models loaded."""
    weights = files_of(bench.stt, bench.env)["weights"]
    moonshine = {"weights": moonshine_tiny(), "threads": bench.threads, "folder": str(bench.folder)}
    found: list[Hearing] = [stack.enter_context(bench.serving())]
    for name, options, longest_s in (
        ("faster-whisper", {"weights": ctranslate2_base(bench.cache), "threads": bench.threads}, math.inf),
        ("pywhispercpp", {"weights": weights, "threads": bench.threads}, math.inf),
        ("moonshine-voice (tiny-en)", moonshine, math.inf),
        ("sherpa-onnx (moonshine tiny-en)", moonshine, 30.0),
    ):
        found.append(stack.enter_context(closing(Peer(name, options, longest_s))))
    if bench.whisper_server:
        found.append(stack.enter_context(closing(WhisperServer(bench.whisper_server, weights, bench.folder))))
    for subject in found:
        subject.transcribe(bench.clips[3][0])  # loads the model; the first run of a runtime is its slowest
    return found


def measure(bench: Bench) -> None:
    """Run every subject over every length, in turn."""
    plan = {3: bench.rounds, 11: bench.rounds, 60: max(1, bench.rounds - 1), 600: bench.some(1, 0)}
    with ExitStack() as stack:
        hearing = subjects(bench, stack)
        for seconds, rounds in plan.items():
            if bench.lengths and seconds not in bench.lengths:
                continue
            clips = bench.clips[seconds][: bench.some(5, 2 if seconds < 60 else 1)]
            say(f"{PART}: {len(clips)} clips of {seconds} s, {rounds} rounds")
            fitting = [subject for subject in hearing if subject.longest_s >= seconds]
            texts: dict[str, list[tuple[Clip, str]]] = defaultdict(list)
            for turn in range(rounds):
                for clip in clips:
                    for subject in _in_turn(fitting, turn):
                        heard = (subject.follow if seconds >= 60 else subject.transcribe)(clip)
                        _add(bench, seconds, subject.name, clip, heard)
                        texts[subject.name].append((clip, heard.text))
            for name, pairs in texts.items():
                rate = error_rate([clip for clip, _ in pairs], [text for _, text in pairs])
                bench.figures.add(PART, f"{seconds} s: word error rate", rate, "%", name)


def measure_errors(bench: Bench) -> None:
    """Compare word error rates over all recordings of English."""
    part = "word error rate"
    clips = bench.clips.get(0, bench.clips[3] + bench.clips[11])
    with ExitStack() as stack:
        for subject in subjects(bench, stack):
            if any(clip.duration_s > subject.longest_s for clip in clips):
                continue
            say(f"{part}: {len(clips)} clips, {subject.name}")
            heard = [subject.transcribe(clip) for clip in clips]
            rate = error_rate(clips, [each.text for each in heard])
            bench.figures.add(part, "all clips: word error rate", rate, "%", subject.name)
            for name, total in (("wall", sum(h.wall_s for h in heard)), ("CPU", sum(h.cpu_s for h in heard))):
                bench.figures.add(part, f"all clips: {name}", total, "s", subject.name)
    bench.figures.note(part, f"{len(clips)} recordings.")


def _in_turn(subjects: list[Hearing], turn: int) -> list[Hearing]:
    """Return the subjects, another one first each time: what else the machine does hits each alike."""
    first = turn % len(subjects)
    return subjects[first:] + subjects[:first]


def _add(bench: Bench, seconds: int, name: str, clip: Clip, heard: Heard) -> None:
    figures = bench.figures
    figures.add(PART, f"{seconds} s: wall", heard.wall_s, "s", name)
    figures.add(PART, f"{seconds} s: CPU", heard.cpu_s, "CPU-s", name)
    figures.add(PART, f"{seconds} s: real-time factor", heard.wall_s / clip.duration_s, "", name)
    if heard.first_s:
        figures.add(PART, f"{seconds} s: first text", heard.first_s, "s", name)
