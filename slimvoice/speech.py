"""The nouns of speech and the one interface that provides it.

Nouns are frozen msgspec structs, so that they cross process borders as typed data. Audio is 16-bit PCM bytes
everywhere outside a backend: the server process needs no numpy, and half the bytes of float32 cross the pipe.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

STT_SAMPLE_RATE = 16_000
"""Hertz that every speech-to-text backend takes."""


class Task(StrEnum):
    """What a model is for."""

    SPEECH_TO_TEXT = "speech-to-text"
    TEXT_TO_SPEECH = "text-to-speech"


class Waveform(msgspec.Struct, frozen=True, kw_only=True):
    """Mono audio: `pcm` is int16 little-endian [n_samples], full scale ±32767."""

    pcm: bytes
    sample_rate: int = STT_SAMPLE_RATE

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / 2 / self.sample_rate


# --- models ---------------------------------------------------------------------------------------


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """One voice of a text-to-speech model; `language` is a BCP 47 tag such as `en-US`."""

    id: str
    language: str
    name: str = ""
    gender: Literal["female", "male", ""] = ""
    note: str = ""
    """What it does not do well, in a sentence for people; empty: nothing is known."""
    aliases: tuple[str, ...] = ()
    """Other names that mean this voice, such as OpenAI's `alloy`."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a model can do, as data: callers branch on these and never on a backend's name."""

    task: Task
    translate: bool = False
    detect_language: bool = False
    word_timestamps: bool = False
    logprobs: bool = False
    prompt: bool = False
    diarization: bool = False
    instructions: bool = False
    voice_mixing: bool = False


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the catalog describes it, files or not."""

    name: str
    task: Task
    backend: str
    licence: str = ""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes the model knows, or speaks well; empty: unknown."""
    voices: tuple[Voice, ...] = ()
    default_voice: str = ""
    aliases: tuple[str, ...] = ()
    description: str = ""
    size_bytes: int = 0
    """Bytes to download; 0: not known before asking the hub."""
    memory_bytes: int = 0
    """Resident bytes once loaded, as measured or estimated; 0: unknown."""
    settings: dict[str, Any] = {}
    """Defaults for the backend, e.g. {"beam_size": 5}."""
    lacks: tuple[str, ...] = ()
    """Names of Capabilities that its files lack though others of its backend have them, as a pull found."""


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model whose files are on this machine; `files` maps a role (`weights`, `config`, `voices`) to a path."""

    model: Model
    files: dict[str, str]


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told to load."""

    installed: InstalledModel
    device: str = "cpu"
    """`cpu` or `cuda:N`."""
    threads: int = 1
    """Cores this worker may use, all slots together."""
    slots: int = 1


# --- speech to text -------------------------------------------------------------------------------


class VoiceDetection(msgspec.Struct, frozen=True, kw_only=True):
    """How speech is found in audio (OpenAI's `chunking_strategy`)."""

    enabled: bool = True
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """What travels with every request and is not speech."""

    request_id: str = ""
    keep_alive_s: float | None = None
    """Seconds the model stays loaded afterwards; negative: for ever; None: the server's default."""
    timeout_s: float | None = None
    """Seconds until DeadlineExceeded, queueing included; None: the server's default."""


class TranscribeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Turn speech into text; `language` is ISO 639-1, None to detect it."""

    model: str
    waveform: Waveform
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    languages: tuple[str, ...] = ()
    """Languages that may occur, when `language` is None; empty: all."""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    temperature: float = 0.0
    word_timestamps: bool = False
    logprobs: bool = False
    voice_detection: VoiceDetection = VoiceDetection()
    context: RequestContext = RequestContext()


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word on the file's own clock."""

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """A text token with its natural-log probability."""

    token: str
    bytes: builtins.bytes
    logprob: float


class Segment(msgspec.Struct, tag="segment", frozen=True, kw_only=True):
    """Timed text on the file's own clock, with the fields of OpenAI's verbose_json. `text` keeps its leading space."""

    id: int
    seek: int
    """Start of the window in hundredths of a second."""
    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    language: str = ""


class Progress(msgspec.Struct, tag="progress", frozen=True, kw_only=True):
    """How far a transcription is, in seconds of the file."""

    done_s: float
    total_s: float


class TranscriptDone(msgspec.Struct, tag="transcript_done", frozen=True, kw_only=True):
    """The end of a transcription; `language` is ISO 639-1."""

    language: str
    duration_s: float
    language_probability: float = 0.0
    speech_s: float = 0.0
    """Seconds that voice detection found to be speech."""


TranscribeEvent = Segment | Progress | TranscriptDone


# --- text to speech -------------------------------------------------------------------------------


class SynthesizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Turn text into speech. `voice` may mix: `af_bella(2)+af_sky(1)`; empty: the model's default."""

    model: str
    text: str
    voice: str = ""
    language: str | None = None
    speed: float = 1.0
    """0.25 to 4.0 times the normal pace."""
    instructions: str = ""
    word_timestamps: bool = False
    context: RequestContext = RequestContext()


class AudioChunk(msgspec.Struct, tag="audio", frozen=True, kw_only=True):
    """A piece of speech, gapless with the one before; word times count from the start of the whole speech."""

    waveform: Waveform
    text: str = ""
    words: tuple[Word, ...] = ()


class SpeechDone(msgspec.Struct, tag="speech_done", frozen=True, kw_only=True):
    """The end of a synthesis."""

    duration_s: float
    input_tokens: int = 0
    """Phonemes or characters the model was fed, for `usage`."""


SynthesizeEvent = AudioChunk | SpeechDone


# --- the interface --------------------------------------------------------------------------------


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One loaded (or loading, or failed) model, as `slimvoice ps` and /system/audio/status show it."""

    model: str
    task: Task
    backend: str
    state: Literal["loading", "ready", "busy", "stopping", "failed"]
    device: str = "cpu"
    pid: int | None = None
    memory_bytes: int = 0
    gpu_memory_bytes: int = 0
    slots: int = 1
    running: int = 0
    queued: int = 0
    expires_at: float | None = None
    """Unix time of unloading when idle; None: never, or busy."""
    realtime_factor: float | None = None
    """Compute seconds per second of audio, smoothed."""
    first_result_s: float | None = None
    jobs_done: int = 0
    restarts: int = 0
    last_error: str = ""
    retry_at: float | None = None
    """Unix time when the cool-down of a failed model ends."""


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A device and its memory budget."""

    name: str
    budget_bytes: int
    used_bytes: int
    total_bytes: int
    description: str = ""


class ProviderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider runs now."""

    workers: tuple[WorkerStatus, ...] = ()
    devices: tuple[DeviceStatus, ...] = ()


class SpeechProvider(Protocol):
    """Anything that transcribes and synthesizes: the local engine, a remote service, a router, a cluster.

    The generators raise SlimvoiceError; closing one (`aclose`) cancels the work. Errors that can be known
    early (unknown model, queue full) are raised by the first `anext`, before any event.
    """

    def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Yield segments and progress as they are ready, TranscriptDone last."""
        ...

    def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Yield audio as it is made, SpeechDone last."""
        ...

    def capabilities(self, model: str) -> Capabilities:
        """Return what this model can do, without loading it; raises ModelNotFound."""
        ...

    async def load(self, model: str, keep_alive_s: float | None = None) -> WorkerStatus:
        """Load a model now and restart its keep-alive; ends a cool-down."""
        ...

    async def unload(self, model: str) -> None:
        """End a model's worker once its running jobs are done."""
        ...

    async def status(self) -> ProviderStatus:
        """Return what is loaded, with measured memory and pace."""
        ...


def joined_text(segments: Sequence[Segment]) -> str:
    """Return the whole transcript as one line."""
    return "".join(segment.text for segment in segments).strip()
