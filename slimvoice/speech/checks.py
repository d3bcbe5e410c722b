"""What a request asks against what its model can do: one place, pure, the same refusals for every face.

Errors name OpenAI's request fields, which every face knows.
"""

from __future__ import annotations

from typing import Literal

from slimvoice.errors import InvalidRequest, TooLarge, Unsupported
from slimvoice.speech.models import Model
from slimvoice.speech.synthesis import SynthesizeRequest
from slimvoice.speech.transcription import TranscribeRequest

Ability = Literal["translate", "word_timestamps", "logprobs", "diarization"]

_REFUSALS: dict[Ability, str] = {
    "translate": "does not translate",
    "word_timestamps": "has no word timestamps",
    "logprobs": "has no logprobs",
    "diarization": "does not tell speakers apart",
}


def check(request: TranscribeRequest | SynthesizeRequest, max_text_chars: int | None = None) -> None:
    """Refuse what the model cannot do, before anything is decoded or loaded; the audio is not looked at.

    Raises Unsupported, InvalidRequest, and TooLarge for a text of more than `max_text_chars`; None: any length.
    """
    if isinstance(request, TranscribeRequest):
        _check_transcription(request)
    else:
        check_text(request.text, max_text_chars)
        if request.word_timestamps:
            require(request.model, "word_timestamps", "word_timestamps")


def check_text(text: str, max_chars: int | None = None) -> None:
    """Refuse a text that is empty, or longer than `max_chars`; raises InvalidRequest or TooLarge."""
    if max_chars is not None and len(text) > max_chars:
        raise TooLarge(
            f"input has {len(text)} characters, and at most {max_chars} are allowed",
            hint="split it, or raise SLIMVOICE_MAX_TEXT_CHARS",
            param="input",
        )
    if not text.strip():
        raise InvalidRequest("input is empty", param="input")


def require(model: Model, ability: Ability, param: str) -> None:
    """Raise Unsupported, naming `param`, for a model without this ability."""
    if not getattr(model.capabilities, ability):
        raise Unsupported(f"model {model.name} {_REFUSALS[ability]}", param=param)


def _check_transcription(request: TranscribeRequest) -> None:
    model = request.model
    if request.task == "translate":
        require(model, "translate", "model")
    if request.word_timestamps:
        require(model, "word_timestamps", "timestamp_granularities")
    if request.logprobs:
        require(model, "logprobs", "include")
    asked = [("language", request.language), *(("languages", code) for code in request.languages)]
    for param, code in asked:
        if code is not None and model.languages and code not in model.languages:
            raise Unsupported(f"model {model.name} does not know the language {code!r}", param=param)
