"""The messages between the server and a worker process: typed data in frames over a Unix socket.

A frame is its length (uint32, little-endian) and a msgpack body; audio travels inside as raw bytes. Long audio is sent
ahead in parts, so that a ping or a cancel never waits behind an hour of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

from slimvoice.errors import ErrorData
from slimvoice.speech import (
    AudioChunk,
    Capabilities,
    LoadSpec,
    Model,
    Progress,
    Segment,
    SpeechDone,
    SynthesizeRequest,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
)

LENGTH = struct.Struct("<I")
MAX_FRAME_BYTES = 64 * 1024 * 1024
AUDIO_PART_BYTES = 256 * 1024

Request = TranscribeRequest | SynthesizeRequest
"""What a job is started with: one type for each kind of job, told apart by its tag."""
METHODS: Mapping[type[Request], str] = {TranscribeRequest: "transcribe", SynthesizeRequest: "synthesize"}
"""The method of a backend that runs each kind of job."""
Event = Segment | Progress | TranscriptDone | AudioChunk | SpeechDone
LAST_EVENTS = (TranscriptDone, SpeechDone)
"""Nothing of a job comes after one of these; a reader may go at once."""


# --- to the worker -----------------------------------------------------------------------------------


class Load(msgspec.Struct, frozen=True, tag="load"):
    """The first message: what to load."""

    spec: LoadSpec


class AudioPart(msgspec.Struct, frozen=True, tag="audio_part"):
    """A part of the PCM of a job that will follow."""

    job: int
    pcm: bytes


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Start a job of any kind; the PCM of its waveform, where it has one, came before, in parts."""

    job: int
    request: Request


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Cancel this job."""

    job: int


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Acknowledges the events of one step, so that the job may run one more (flow control)."""

    job: int


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """A question whether the process is there."""

    number: int


class Shutdown(msgspec.Struct, frozen=True, tag="shutdown"):
    """Exit at once."""


ToWorker = Load | AudioPart | Start | Cancel | Ack | Ping | Shutdown


# --- from the worker ---------------------------------------------------------------------------------


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The model can take jobs."""

    capabilities: Capabilities | None = None
    """What it can do, where only the runtime knows."""


class LoadFailed(msgspec.Struct, frozen=True, tag="load_failed"):
    """The model cannot be loaded; the worker exits."""

    error: ErrorData


class StepStarted(msgspec.Struct, frozen=True, tag="step_started"):
    """A step of this job begins to compute."""

    job: int


class StepDone(msgspec.Struct, frozen=True, tag="step_done"):
    """A step has ended with these events, after so many seconds."""

    job: int
    seconds: float
    events: tuple[Event, ...]


class JobDone(msgspec.Struct, frozen=True, tag="job_done"):
    """The job has ended, by itself or cancelled; its place is free."""

    job: int
    error: ErrorData | None = None


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to a ping, from a thread of its own."""

    number: int


FromWorker = Loaded | LoadFailed | StepStarted | StepDone | JobDone | Pong

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def frame(message: ToWorker | FromWorker) -> bytes:
    """Return the bytes of one message with its length in front."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def to_worker(body: bytes) -> ToWorker:
    """Parse what the server sent."""
    return _to_worker.decode(body)


def from_worker(body: bytes) -> FromWorker:
    """Parse what a worker sent."""
    return _from_worker.decode(body)


def to_wire(request: Request) -> tuple[Request, bytes]:
    """Return a request without what need not travel in it, and the PCM of its waveform, to send ahead in parts.

    The worker knows its model whole, voices and all: the name will do.
    """
    request = msgspec.structs.replace(request, model=Model(name=request.model.name, task=request.model.task))
    waveform = getattr(request, "waveform", None)
    if not isinstance(waveform, Waveform):
        return request, b""
    return msgspec.structs.replace(request, waveform=msgspec.structs.replace(waveform, pcm=b"")), waveform.pcm


def from_wire(request: Request, model: Model, pcm: bytes) -> Request:
    """Return a request as it was before `to_wire`."""
    request = msgspec.structs.replace(request, model=model)
    waveform = getattr(request, "waveform", None)
    if not isinstance(waveform, Waveform):
        return request
    return msgspec.structs.replace(request, waveform=msgspec.structs.replace(waveform, pcm=pcm))
