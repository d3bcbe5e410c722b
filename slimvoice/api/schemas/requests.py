"""Request bodies, field for field as OpenAI's clients send them; slimvoice's own additions say so."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from slimvoice.api.forms import as_list, as_object, clean_text
from slimvoice.config import DURATION

TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _nothing(value: Any) -> Any:
    """Read an empty form field as one that was not sent."""
    return None if isinstance(value, str) and value.strip() in {"", "null"} else value


def _whole(value: Any) -> Any:
    """Read 5.0 as 5, which JSON does not tell apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Optional = BeforeValidator(_nothing)
Text = Annotated[str, BeforeValidator(lambda value: clean_text(value) if isinstance(value, str) else value)]
Duration = Annotated[str, Field(max_length=20, json_schema_extra={"pattern": f"^({DURATION})?$"})]
Seconds = Annotated[StrictInt, Field(ge=-999_999_999, le=999_999_999), BeforeValidator(_whole)]
Strings = Annotated[list[Annotated[str, Field(max_length=2000)]], BeforeValidator(as_list)]


class ServerVad(BaseModel):
    """How speech is found in the audio."""

    type: Literal["server_vad"]
    prefix_padding_ms: int = Field(300, ge=0, le=10_000, description="Audio kept before speech.")
    silence_duration_ms: int = Field(500, ge=0, le=60_000, description="Silence that ends a stretch of speech.")
    threshold: float = Field(0.5, ge=0, le=1, description="Probability from which a sound counts as speech.")


class _UploadForm(BaseModel):
    model: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)] = Field(
        "",
        max_length=300,
        description="Model name or alias; `whisper-1` and OpenAI's other names mean the default model, as does none.",
    )
    prompt: Annotated[Text | None, Optional] = Field(
        None, max_length=20_000, description="Text that comes before, or words to expect, in the audio's language."
    )
    temperature: Annotated[float | None, Optional] = Field(None, ge=0, le=1, description="0 decodes greedily.")
    keep_alive: Annotated[Duration | None, Optional] = Field(
        None, description="Extension: how long the model stays loaded afterwards (`5m`, `0`, `-1` for ever)."
    )


class TranscriptionForm(_UploadForm):
    """The fields of POST /v1/audio/transcriptions beside the file."""

    language: Annotated[str | None, Optional] = Field(
        None, max_length=40, description="ISO 639-1 code of the speech; left out, it is detected."
    )
    languages: Strings = Field([], max_length=100, description="Languages that may occur, when `language` is unknown.")
    keywords: Strings = Field([], max_length=1000, description="Names and terms to expect.")
    response_format: Annotated[TranscriptFormat | None, Optional] = Field(
        None, description="`json` by default. `diarized_json` needs a model that tells speakers apart."
    )
    timestamp_granularities: Annotated[list[Literal["word", "segment"]], BeforeValidator(as_list)] = Field(
        [], max_length=10, description="With `verbose_json` only; `segment` by default."
    )
    include: Annotated[list[Literal["logprobs"]], BeforeValidator(as_list)] = Field(
        [], max_length=10, description="`logprobs`, with `json` only."
    )
    chunking_strategy: Annotated[Literal["auto"] | ServerVad | None, BeforeValidator(as_object), Optional] = Field(
        None, description="How speech is found; `auto` by default."
    )
    stream: Annotated[bool | None, Optional] = Field(
        None, description="Server-sent events, with `json` and `text`; ignored for other formats, as OpenAI does."
    )
    known_speaker_names: Strings = Field([], max_length=16, description="Needs a model that tells speakers apart.")
    known_speaker_references: Annotated[list[str], BeforeValidator(as_list)] = Field(
        [], max_length=16, description="Needs a model that tells speakers apart."
    )


class TranslationForm(_UploadForm):
    """The fields of POST /v1/audio/translations beside the file."""

    response_format: Annotated[Literal["json", "text", "srt", "verbose_json", "vtt"] | None, Optional] = Field(
        None, description="`json` by default."
    )


class InputAudio(BaseModel):
    """Audio inside JSON."""

    data: str = Field(description="The file, base64.")
    format: str = Field("", max_length=20, description="Its format; not needed, as it is recognised.")


class VoiceId(BaseModel):
    """A voice as an object."""

    id: str = Field(max_length=500)


class SpeechBody(BaseModel):
    """The body of POST /v1/audio/speech."""

    input: str = Field(
        description="The text to speak; its longest length is a setting (4096 characters by default).",
        json_schema_extra={"minLength": 1, "pattern": r"\S"},  # checked by the route, which says it in plain words
    )
    model: str = Field(
        "", max_length=300, description="Model name or alias; `tts-1` and the like, or none, mean the default model."
    )
    voice: Annotated[str, Field(max_length=500)] | VoiceId | None = Field(
        None, description="A voice of the model, OpenAI's name for one, or a mix such as `af_bella(2)+af_sky(1)`."
    )
    instructions: str | None = Field(
        None, max_length=20_000, description="How to speak; used by models that can, otherwise without effect."
    )
    response_format: SpeechFormat | None = Field(None, description="`mp3` by default; `pcm` is 24 kHz int16 mono.")
    speed: float | None = Field(None, ge=0.25, le=4, description="Pace; 1 is the voice's own.")
    stream_format: Literal["audio", "sse"] | None = Field(None, description="`audio` by default.")
    language: str | None = Field(
        None, max_length=40, description="Extension: language of the text (BCP 47), when not the voice's own."
    )
    word_timestamps: StrictBool | None = Field(
        None, description="Extension: with `sse`, each event carries the times of its words, where the model has them."
    )
    keep_alive: Duration | Seconds | None = Field(
        None, description="Extension: how long the model stays loaded afterwards (`5m`, `0`, `-1` for ever)."
    )


class LoadBody(BaseModel):
    """The body of a load; may be left out."""

    keep_alive: Duration | Seconds | None = Field(
        None, description="How long it stays loaded: `5m`, `0`, `-1` for ever."
    )


class PullBody(BaseModel):
    """The body of a pull; may be left out."""

    model_config = ConfigDict(populate_by_name=True)

    stream: StrictBool | None = Field(None, description="Progress line by line (the default), or only the end.")
    file: str | None = Field(None, max_length=500, description="A file of a hub repository (`hf:OWNER/REPO`).")
    revision: str | None = Field(None, max_length=100, description="Branch, tag or commit of a hub repository.")
    as_name: str | None = Field(
        None, alias="as", max_length=200, description="What a model from a hub repository is called here."
    )
