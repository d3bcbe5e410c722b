"""Backends without a model, for tests: deterministic, and able to fail in every way a real one can.

Faults are asked for in the prompt (speech to text) or the text (text to speech), as `!crash`, `!exit`, `!hang`,
`!slow=SECONDS`, `!fail`, `!spoil` (this job and all later ones fail), `!broken`, `!leak=BYTES`; or in the model's
settings: `load: crash|fail|slow|cpu-only`, `memory: BYTES` held while loaded, `always: !fault` for every job,
`cannot: [capability]` told once it is loaded; with `variants: [names]`, `load: crash` and `always` are for these
variants of the runtime only.
"""

from __future__ import annotations

import math
import os
import re
import signal
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self, cast

import msgspec

from slimvoice.backends.base import JobControl
from slimvoice.backends.registry import capabilities_of
from slimvoice.errors import Cancelled, DeviceBroken, Inference, InvalidRequest, ModelLoad
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    AudioChunk,
    Capabilities,
    LoadSpec,
    Model,
    Progress,
    Segment,
    SpeechDone,
    SynthesizeEvent,
    SynthesizeRequest,
    TokenLogprob,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
    Word,
)
from slimvoice.text.voices import resolve_voice

BYTES_PER_SECOND = 2 * STT_SAMPLE_RATE
WINDOW_BYTES = 30 * BYTES_PER_SECOND
SEGMENT_BYTES = 5 * BYTES_PER_SECOND
SHORTEST_BYTES = BYTES_PER_SECOND // 10
LANGUAGES = frozenset({"de", "en", "es", "fr", "it", "ja", "pt", "zh"})
VOICE_SAMPLE_RATE = 24_000
WORD_S = 0.25
QUIET = 100
"""Peak under which a window counts as silence."""

_FAULT = re.compile(r"!(crash|exit|hang|fail|spoil|broken|slow|leak)(?:=([\d.]+))?")
_leaked: list[bytearray] = []
_spoiled: list[bool] = []


def clip_text(pcm: bytes) -> str:
    """Return what the fake hears in a window: its checksum, so that every clip has its own words."""
    return f" clip {zlib.crc32(pcm):08x}."


class FakeVariants:
    """The builds of a runtime that is not there; a test sets their names."""

    names: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def build() -> str:
        """Return a digest of nothing."""
        return "fake"

    @staticmethod
    def lower() -> tuple[str, ...]:
        """Return the names that the test has set."""
        return FakeVariants.names

    @staticmethod
    def hint() -> str:
        """Return nothing to do."""
        return ""


class _Fake:
    def __init__(self, held: bytearray, model: Model, *, faulty: bool) -> None:
        self._held = held
        self._model = model
        self._always = str(model.settings.get("always", "")) if faulty else ""

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Pretend to load, holding as much memory as the settings say."""
        settings = spec.installed.model.settings
        faulty = spec.variant in cast(list[str], settings.get("variants", [spec.variant]))
        match settings.get("load"):
            case "crash" if faulty:
                signal.raise_signal(signal.SIGSEGV)
            case "fail":
                raise ModelLoad("the fake model was told not to load")
            case "cpu-only" if spec.device != "cpu":
                raise ModelLoad("the fake model was told that there is no GPU")
            case "slow":
                time.sleep(float(settings.get("load_s", 0.5)))
        held = bytearray(int(settings.get("memory", 0)))
        held[::4096] = b"\x01" * len(held[::4096])  # touched, so that it is resident
        return cls(held, spec.installed.model, faulty=faulty)

    @property
    def capabilities(self) -> Capabilities | None:
        """What this model can do, where its settings take something away."""
        cannot = self._model.settings.get("cannot")
        if not cannot:
            return None
        return msgspec.structs.replace(capabilities_of(self._model), **dict.fromkeys(cannot, False))

    def close(self) -> None:
        """Let go of the memory."""
        self._held = bytearray()


class FakeSpeechToText(_Fake):
    """Transcribes every window that is not silent as its checksum."""

    def transcribe(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        """Yield the segments of each window of 30 s, one for every 5 s that are not silent."""
        if request.language is not None and request.language not in LANGUAGES:
            raise InvalidRequest(f"the fake does not know {request.language!r}", param="language")
        wave = request.waveform
        number, speech_s = 0, 0.0
        for start in range(0, max(1, len(wave.pcm)), WINDOW_BYTES):
            _obey(f"{self._always} {request.prompt}", control)
            events: list[TranscribeEvent] = []
            end = min(start + WINDOW_BYTES, len(wave.pcm))
            for at in range(start, end, SEGMENT_BYTES):
                sound = wave.pcm[at : min(at + SEGMENT_BYTES, end)]
                if len(sound) >= SHORTEST_BYTES and _peak(sound) > QUIET:
                    events.append(_segment(number, at, sound, request))
                    number += 1
                    speech_s += len(sound) / BYTES_PER_SECOND
            events.append(Progress(done_s=end / BYTES_PER_SECOND, total_s=wave.duration_s))
            if start + WINDOW_BYTES >= len(wave.pcm):
                events.append(
                    TranscriptDone(
                        language=request.language or "en",
                        language_probability=1.0,
                        duration_s=wave.duration_s,
                        speech_s=speech_s,
                    )
                )
            yield events


class FakeTextToSpeech(_Fake):
    """Synthesizes a tone for every word."""

    def synthesize(self, request: SynthesizeRequest, control: JobControl) -> Iterator[Sequence[SynthesizeEvent]]:
        """Yield one chunk for each sentence."""
        if not request.text.strip():
            raise InvalidRequest("there is nothing to say", hint="send some words", param="input")
        _check_speech(request, self._model)
        if not any(character.isalnum() for character in request.text):
            yield _silence(request)
            return
        done_s = 0.0
        sentences = [piece for piece in re.split(r"(?<=[.!?])\s+", request.text.strip()) if piece]
        for number, sentence in enumerate(sentences):
            _obey(f"{self._always} {sentence}", control)
            words = sentence.split()
            length_s = WORD_S / request.speed
            times = tuple(
                Word(text=word, start_s=done_s + i * length_s, end_s=done_s + (i + 1) * length_s)
                for i, word in enumerate(words)
            )
            pcm = b"".join(_tone(200 + zlib.crc32(word.encode()) % 400, length_s) for word in words)
            chunk = AudioChunk(
                waveform=Waveform(pcm=pcm, sample_rate=VOICE_SAMPLE_RATE),
                text=sentence,
                words=times if request.word_timestamps else (),
            )
            done_s += chunk.waveform.duration_s
            events: list[SynthesizeEvent] = [chunk]
            if number == len(sentences) - 1:
                events.append(SpeechDone(duration_s=done_s, input_tokens=len(request.text)))
            yield events


def _silence(request: SynthesizeRequest) -> Sequence[SynthesizeEvent]:
    """Return the events of a text that has no word."""
    wave = Waveform(pcm=bytes(2 * int(WORD_S * VOICE_SAMPLE_RATE)), sample_rate=VOICE_SAMPLE_RATE)
    return AudioChunk(waveform=wave, text=request.text.strip()), SpeechDone(duration_s=wave.duration_s, input_tokens=0)


def _check_speech(request: SynthesizeRequest, model: Model) -> None:
    """Refuse what a real voice would refuse before any work."""
    if not 0.25 <= request.speed <= 4.0:
        raise InvalidRequest("speed must be between 0.25 and 4.0", param="speed")
    if request.language and request.language.lower().split("-")[0] not in LANGUAGES:
        raise InvalidRequest(f"no pronunciation is known for {request.language!r}", param="language")
    if model.voices:
        resolve_voice(request.voice, model.voices, model=model.name, default=model.default_voice, mixing=True)


def _segment(number: int, at: int, sound: bytes, request: TranscribeRequest) -> Segment:
    text = clip_text(sound)
    words = text.split()
    start_s, length_s = at / BYTES_PER_SECOND, len(sound) / BYTES_PER_SECOND
    end_s, word_s = start_s + length_s, length_s / len(words)
    return Segment(
        id=number,
        seek=int(start_s * 100),
        start_s=start_s,
        end_s=end_s,
        text=text,
        tokens=tuple(range(len(words))),
        temperature=request.temperature,
        avg_logprob=-0.1,
        compression_ratio=1.0,
        no_speech_prob=0.01,
        words=tuple(
            Word(text=word, start_s=start_s + i * word_s, end_s=start_s + (i + 1) * word_s)
            for i, word in enumerate(words)
        )
        if request.word_timestamps
        else (),
        logprobs=tuple(TokenLogprob(token=f" {w}", bytes=f" {w}".encode(), logprob=-0.1) for w in words)
        if request.logprobs
        else (),
        language=request.language or "en",
    )


def _obey(commands: str, control: JobControl) -> None:
    """Do what a fault in `commands` says, unless nobody wants the step."""
    if control.cancelled:
        raise Cancelled("the client went away")
    for fault, value in _FAULT.findall(commands):
        match fault:
            case "crash":
                signal.raise_signal(signal.SIGSEGV)
            case "exit":
                sys.stderr.write("the fake was told to exit\n")
                sys.stderr.flush()
                os._exit(3)
            case "hang":
                threading.Event().wait()
            case "fail":
                raise Inference("the fake was told to fail")
            case "spoil":
                _spoiled.append(True)
            case "broken":
                raise DeviceBroken("an illegal memory access was encountered")
            case "leak":
                _leaked.append(bytearray(b"\x01" * int(float(value or 0))))
            case "slow":
                _compute(float(value or 1), control)
    if _spoiled:
        raise Inference("the fake is spoiled")


def _compute(seconds: float, control: JobControl) -> None:
    """Take `seconds`, polling as an abort callback does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if control.cancelled:
            raise Cancelled("the client went away")
        time.sleep(0.005)


def _peak(pcm: bytes) -> int:
    return max((abs(sample[0]) for sample in struct.iter_unpack("<h", pcm[: len(pcm) // 2 * 2])), default=0)


def _tone(hertz: float, seconds: float) -> bytes:
    count = int(seconds * VOICE_SAMPLE_RATE)
    return b"".join(
        struct.pack("<h", int(8000 * math.sin(2 * math.pi * hertz * i / VOICE_SAMPLE_RATE))) for i in range(count)
    )
