"""Text to speech: time, CPU-seconds, real-time factor and first audio, for a short and a 60-word text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Protocol

from benchmarks.bench import PIPER_VOICE, Bench, say
from benchmarks.peers import Peer, PiperServer
from benchmarks.server import Spoken
from benchmarks.weights import files_of

TEXTS = {
    "short": "The kettle is on, please come in.",
    "60 words": (
        "The kettle is on, and the bread is still warm. Sit down with us and tell us how the long journey went, which "
        "roads you took, and whom you met along the way. We have kept a place for you by the window. In the evening "
        "the whole village comes together, and everyone will want to hear your story from the beginning to the end."
    ),
}
VOICE = "af_heart"
KOKORO, PIPER = "Kokoro", "Piper"
Speak = Callable[[str], Spoken]


class Speaking(Protocol):
    """A peer that speaks."""

    name: str

    def speak(self, text: str) -> Spoken:
        """Say a text."""
        ...


def measure(bench: Bench) -> None:
    """Run slimvoice and each model's peers over the texts, in turn."""
    kokoro, piper = files_of("kokoro", bench.env), files_of(PIPER_VOICE, bench.env)
    with ExitStack() as stack:
        server = stack.enter_context(bench.serving())

        def add(peer: Peer | PiperServer) -> Speaking:
            return stack.enter_context(closing(peer))

        options = {
            "weights": kokoro["weights"],
            "voice": f"{kokoro['voices']}/{VOICE}.bin",
            "folder": str(bench.folder),
        }
        _compare(
            bench,
            f"{KOKORO} (int8)",
            lambda text: server.speak(text, "kokoro", VOICE),
            [add(Peer("kokoro-onnx", options, streams=not bench.quick))],  # that takes as long again
        )
        sherpa = {**piper, "folder": str(bench.folder), "threads": bench.threads}
        peers = [
            add(Peer("piper", piper)),
            add(PiperServer(piper["weights"], bench.folder)),
            add(Peer("sherpa-onnx", sherpa)),
        ]
        _compare(bench, PIPER, lambda text: server.speak(text, PIPER_VOICE), peers)


def _compare(bench: Bench, part: str, slimvoice: Speak, peers: list[Speaking]) -> None:
    speaking: list[tuple[str, Speak]] = [("slimvoice", slimvoice), *((peer.name, peer.speak) for peer in peers)]
    for _, speak in speaking:
        speak(TEXTS["short"])
    for label, text in TEXTS.items():
        say(f"{part}: {label}")
        for turn in range(bench.some(max(3, bench.rounds), 1)):
            first = turn % len(speaking)
            for name, speak in speaking[first:] + speaking[:first]:
                spoken = speak(text)
                bench.figures.add(part, f"{label}: wall", spoken.wall_s, "s", name)
                bench.figures.add(part, f"{label}: CPU", spoken.cpu_s, "CPU-s", name)
                if spoken.first_s:
                    bench.figures.add(part, f"{label}: first audio", spoken.first_s, "s", name)
                    share = 100 * spoken.first_s / spoken.wall_s
                    bench.figures.add(part, f"{label}: first audio, of the whole time", share, "%", name)
                bench.figures.add(part, f"{label}: audio", spoken.audio_s, "s", name)
                bench.figures.add(part, f"{label}: real-time factor", spoken.wall_s / spoken.audio_s, "", name)
