"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

from typing import Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from slimvoice.api.auth import Caller
from slimvoice.api.context import ApiContext, request_context
from slimvoice.api.forms import parse
from slimvoice.api.middleware.request_id import request_id_of
from slimvoice.api.schemas import examples
from slimvoice.api.schemas.openapi import ERRORS, events, upload_body
from slimvoice.api.schemas.requests import ServerVad, TranscriptionForm, TranslationForm
from slimvoice.api.streaming import cancel_on_disconnect, stream_events
from slimvoice.api.uploads import open_upload
from slimvoice.errors import InvalidRequest, Unsupported
from slimvoice.rendering.transcript import Extras, Transcript, as_json, as_text, as_verbose_json, collect, deltas
from slimvoice.speech import Model, Task, TranscribeRequest, VoiceDetection, Waveform
from slimvoice.text.languages import language_code

_log = structlog.get_logger(__name__)

_RESPONSES: dict[int | str, dict[str, Any]] = ERRORS | {
    200: {
        "description": "The transcript, in the format asked for.",
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/VerboseTranscription"},
                        {"$ref": "#/components/schemas/Transcription"},
                    ]
                },
                "examples": {
                    "json": {"value": examples.RESPONSES["Transcription"]},
                    "verbose_json": {"value": examples.RESPONSES["VerboseTranscription"]},
                },
            },
            "text/plain": {"schema": {"type": "string"}, "example": examples.SUBTITLES},
            "text/event-stream": events(examples.TRANSCRIPT_EVENT),
        },
    }
}


def routes(api: ApiContext) -> APIRouter:
    """Return the routes of speech to text."""
    router = APIRouter(prefix="/v1/audio", tags=["audio"])
    user = api.gate.needs("use")
    hear = upload_body(TranscriptionForm, examples.TRANSCRIPTION)
    translate = upload_body(TranslationForm, examples.TRANSLATION)

    @router.post("/transcriptions", responses=_RESPONSES, openapi_extra=hear)
    async def transcriptions(request: Request, caller: Caller = Depends(user)) -> Response:
        """Turn speech into text, in the language that is spoken."""
        async with open_upload(request, api.upload_limits) as (audio, fields):
            form = parse(TranscriptionForm, fields)
            model = await cancel_on_disconnect(request, api.model(form.model, Task.SPEECH_TO_TEXT))
            _check(form, model)
            waveform = await cancel_on_disconnect(request, api.decode(audio))
        caller.count_audio(waveform.duration_s)
        work = _transcription(form, model, waveform, request_id_of(request))
        events = api.transcribe(work)
        if form.stream and form.response_format in {None, "json", "text"}:
            return await stream_events(request, deltas(events, _extras(form)))
        return _rendered(await cancel_on_disconnect(request, collect(events)), form)

    @router.post("/translations", responses=_RESPONSES, openapi_extra=translate)
    async def translations(request: Request, caller: Caller = Depends(user)) -> Response:
        """Turn speech in any language into English text."""
        async with open_upload(request, api.upload_limits) as (audio, fields):
            form = parse(TranslationForm, fields)
            model = await cancel_on_disconnect(request, api.model(form.model, Task.SPEECH_TO_TEXT))
            if not model.capabilities.translate:
                raise Unsupported(f"model {model.name} does not translate", param="model")
            waveform = await cancel_on_disconnect(request, api.decode(audio))
        caller.count_audio(waveform.duration_s)
        work = TranscribeRequest(
            model=model,
            waveform=waveform,
            task="translate",
            prompt=form.prompt or "",
            temperature=form.temperature or 0.0,
            context=request_context(request_id_of(request), form.keep_alive),
        )
        return _rendered(await cancel_on_disconnect(request, collect(api.transcribe(work))), form)

    return router


def _check(form: TranscriptionForm, model: Model) -> None:
    """Refuse by name what the model cannot do, and what OpenAI refuses too."""
    capabilities = model.capabilities
    diarizes = {
        "response_format": form.response_format == "diarized_json",
        "known_speaker_names": bool(form.known_speaker_names),
        "known_speaker_references": bool(form.known_speaker_references),
    }
    for param, asked in diarizes.items():
        if asked and not capabilities.diarization:
            raise Unsupported(f"model {model.name} does not tell speakers apart", param=param)
    if form.timestamp_granularities and form.response_format != "verbose_json":
        if "word" in form.timestamp_granularities:
            raise InvalidRequest("word timestamps need response_format verbose_json", param="timestamp_granularities")
        _log.info("fields ignored", names=["timestamp_granularities"])  # the AI SDK sends `segment` with `json`
    if "word" in form.timestamp_granularities and not capabilities.word_timestamps:
        raise Unsupported(f"model {model.name} has no word timestamps", param="timestamp_granularities")
    if form.include and form.response_format not in {None, "json"}:
        raise InvalidRequest("include logprobs needs response_format json", param="include")
    if form.include and not capabilities.logprobs:
        raise Unsupported(f"model {model.name} has no logprobs", param="include")


def _transcription(form: TranscriptionForm, model: Model, waveform: Waveform, request_id: str) -> TranscribeRequest:
    language = _language(form.language, "language", model)
    return TranscribeRequest(
        model=model,
        waveform=waveform,
        language=language,
        languages=() if language else _languages(form.languages, model),
        prompt=form.prompt or "",
        keywords=tuple(form.keywords),
        temperature=form.temperature or 0.0,
        word_timestamps="word" in form.timestamp_granularities,
        logprobs="logprobs" in form.include,
        voice_detection=_voice_detection(form.chunking_strategy),
        context=request_context(request_id, form.keep_alive),
    )


def _extras(form: TranscriptionForm) -> Extras:
    """Return what is told beside the text; OpenAI tells the languages for `gpt-transcribe` only."""
    return Extras(logprobs="logprobs" in form.include, languages=form.model == "gpt-transcribe")


def _language(text: str | None, param: str, model: Model) -> str | None:
    """Return the ISO 639-1 code, or None to detect; raises InvalidRequest or Unsupported."""
    if text is None or text.strip().casefold() in {"", "auto"}:
        return None
    code = language_code(text)
    if code is None:
        raise InvalidRequest(f"unknown language {text!r}", hint="use an ISO 639-1 code such as en", param=param)
    if model.languages and code not in model.languages:
        raise Unsupported(f"model {model.name} does not know the language {code!r}", param=param)
    return code


def _languages(texts: list[str], model: Model) -> tuple[str, ...]:
    return tuple(code for text in texts if (code := _language(text, "languages", model)) is not None)


def _voice_detection(strategy: Literal["auto"] | ServerVad | None) -> VoiceDetection:
    if not isinstance(strategy, ServerVad):
        return VoiceDetection()
    return VoiceDetection(
        threshold=strategy.threshold,
        prefix_padding_ms=strategy.prefix_padding_ms,
        silence_duration_ms=strategy.silence_duration_ms,
    )


def _rendered(transcript: Transcript, form: TranscriptionForm | TranslationForm) -> Response:
    """Return the transcript in the format asked for."""
    if form.response_format in {"text", "srt", "vtt"}:
        return PlainTextResponse(as_text(transcript, form.response_format))
    if isinstance(form, TranslationForm):
        verbose = form.response_format == "verbose_json"
        return JSONResponse(as_verbose_json(transcript, "translate") if verbose else as_json(transcript))
    if form.response_format == "verbose_json":
        wanted = form.timestamp_granularities or ["segment"]
        body = as_verbose_json(transcript, "transcribe", words="word" in wanted, segments="segment" in wanted)
        return JSONResponse(body)
    return JSONResponse(as_json(transcript, _extras(form)))
