"""Clips of 3, 11, 60 and 600 seconds with what is said in them: real recordings, or speech that slimvoice makes."""

from __future__ import annotations

import json
import subprocess
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

SAMPLE_RATE = 16_000
PAUSE = bytes(SAMPLE_RATE)  # half a second
LENGTHS = {3: (2.0, 3.5), 11: (9.5, 11.6)}
"""What counts as a clip of so many seconds."""
SAID = (
    "Turn on the living room lamp.",
    "How old is the Brooklyn Bridge?",
    "Please set a timer for ten minutes.",
    "The kettle is on, and the bread is still warm, so sit down with us and tell us how the long journey went, which "
    "roads you took, and whom you met along the way.",
    "A server that answers quickly is pleasant, but a server that answers correctly, and then gives back the memory "
    "that it took, is one that people keep for many years.",
)

normal = EnglishTextNormalizer()


@dataclass(frozen=True)
class Clip:
    """A recording: 16 kHz, mono, 16 bits."""

    name: str
    pcm: bytes
    text: str
    path: Path

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / 2 / SAMPLE_RATE


Sets = dict[int, list[Clip]]
"""Clips by their nominal seconds."""


def error_rate(clips: Sequence[Clip], heard: Sequence[str]) -> float:
    """Return the word error rate of what was heard, in percent."""
    return 100 * float(jiwer.wer([normal(clip.text) for clip in clips], [normal(text) for text in heard]))


def decoded(path: Path) -> bytes:
    """Return a recording's samples."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)


def write_wav(path: Path, pcm: bytes) -> Path:
    """Write samples as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


class Shelf:
    """Makes clips, as WAV files in a folder: every subject reads the same bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clip(self, name: str, pcm: bytes, text: str) -> Clip:
        """Return a clip that is also a file."""
        return Clip(name, pcm, text, write_wav(self._folder / f"{name}.wav", pcm))

    def joined(self, name: str, clips: Sequence[Clip], at_least_s: float) -> Clip:
        """Glue clips into a long one, again from the first where they do not suffice; the last one stays whole."""
        pcm, texts = bytearray(), []
        while True:
            for clip in clips:
                if len(pcm) / 2 / SAMPLE_RATE >= at_least_s - 3:
                    return self.clip(name, bytes(pcm), " ".join(texts))
                pcm += clip.pcm + PAUSE
                texts.append(clip.text)

    def recorded(self, speech: Path) -> Sets:
        """Return clips from a folder with a manifest: real recordings of English speech."""
        clips: list[Clip] = []
        for line in (speech / "manifest.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if entry["lang"] == "en" and entry["text"] and entry["kind"] in ("human", "unknown"):
                name = entry["path"].replace("/", "_").replace(".", "_")
                clips.append(self.clip(name, decoded(speech / entry["path"]), entry["text"]))
        sets = {nominal: [c for c in clips if low <= c.duration_s <= high] for nominal, (low, high) in LENGTHS.items()}
        read = [clip for clip in clips if clip.name.startswith("ljspeech")] or clips
        sets[60] = [self.joined("read_60", read, 60), *(c for c in clips if 55 <= c.duration_s <= 65)]
        sets[600] = [self.joined("all_600", clips, 600)]
        sets[0] = clips
        return sets

    def spoken(self, env: Mapping[str, str]) -> Sets:
        """Return clips that slimvoice says itself, where there are no recordings: error rates then mean little."""
        clips = []
        for number, text in enumerate(SAID):
            path = self._folder / f"said_{number}.flac"
            subprocess.run(["slimvoice", "say", text, "-o", str(path)], env=dict(env), check=True, capture_output=True)
            clips.append(self.clip(f"said_{number}", decoded(path), text))
        short, long = [c for c in clips if c.duration_s < 5], [c for c in clips if c.duration_s >= 5]
        return {3: short, 11: long, 60: [self.joined("said_60", clips, 60)], 600: [self.joined("said_600", clips, 600)]}

    def slices(self, clip: Clip, count: int, seconds: float) -> list[Clip]:
        """Cut as many short clips out of a long one, each at another place; what is said in them is not known."""
        size = int(seconds * SAMPLE_RATE) * 2
        step = (len(clip.pcm) - size) // count // 2 * 2
        return [self.clip(f"slice_{i}", clip.pcm[i * step : i * step + size], "") for i in range(count)]
