"""Response bodies, field for field as OpenAI's clients expect them; slimvoice's own additions say so."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Response(BaseModel):
    model_config = ConfigDict(extra="allow")


class DurationUsage(_Response):
    """Usage by length of audio."""

    type: Literal["duration"]
    seconds: float


class Logprob(_Response):
    """A token and its natural-log probability."""

    token: str
    bytes: list[int]
    logprob: float


class Language(_Response):
    """A language of the audio."""

    code: str


class Transcription(_Response):
    """`json`."""

    text: str
    languages: list[Language] | None = Field(None, description="With the model name `gpt-transcribe`, as OpenAI does.")
    logprobs: list[Logprob] | None = None
    usage: DurationUsage | None = None


class VerboseSegment(_Response):
    """A segment with all ten fields."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseWord(_Response):
    """A word on the file's clock."""

    word: str
    start: float
    end: float


class VerboseTranscription(_Response):
    """`verbose_json`."""

    task: Literal["transcribe", "translate"]
    language: str = Field(description="English name in lower case, such as `english`.")
    duration: float
    text: str
    segments: list[VerboseSegment] | None = None
    words: list[VerboseWord] | None = None
    usage: DurationUsage | None = None
    language_probability: float = Field(description="Extension: how sure the detection is; 1 when it was told.")
    speech_duration: float = Field(description="Extension: seconds in which voice detection found speech.")


class ModelObject(_Response):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    name: str
    task: Literal["speech-to-text", "text-to-speech"]
    installed: bool
    languages: list[str]
    aliases: list[str]
    licence: str
    size_bytes: int


class ModelList(_Response):
    """Models, as OpenAI lists them."""

    object: Literal["list"] = "list"
    data: list[ModelObject]


class AudioModelList(ModelList):
    """The list, and as `models` those that speak, which Open WebUI offers; with `task` both are the same."""

    models: list[ModelObject]


class VoiceObject(_Response):
    """A voice of a model."""

    id: str
    object: Literal["audio.voice"] = "audio.voice"
    name: str
    language: str
    gender: str
    model: str
    note: str = Field(description="What the voice does not do well, for people to read; empty: nothing is known.")


class VoiceList(_Response):
    """Voices, in the shape that Open WebUI reads."""

    voices: list[VoiceObject]


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """OpenAI's error envelope."""

    error: ErrorDetail


class Deleted(_Response):
    """A model's files are gone."""

    id: str
    object: Literal["model"] = "model"
    deleted: bool
    freed_bytes: int


class PullLine(_Response):
    """One line of a pull's progress; the last says `success`, or carries `error`."""

    status: str
    model: str = ""
    file: str = ""
    completed: int = 0
    total: int = 0
    source: str = ""


class Awaited(_Response):
    """A model that is being pulled since the server started."""

    model: str
    status: str
    completed: int
    total: int
    error: str | None = None


class Health(_Response):
    """The server is up; `pulls` is what it still awaits before its default models can answer."""

    status: Literal["ok", "unavailable"]
    version: str
    pulls: list[Awaited] | None = None


class Worker(_Response):
    """A model that is loaded, loading or failed."""

    model: str
    task: str
    backend: str
    state: Literal["loading", "ready", "busy", "stopping", "failed"]
    device: str
    runtime: str


class Device(_Response):
    """A device and its memory budget."""

    name: str
    budget_bytes: int
    used_bytes: int
    total_bytes: int


class Status(_Response):
    """What runs now."""

    version: str
    workers: list[Worker]
    devices: list[Device]
