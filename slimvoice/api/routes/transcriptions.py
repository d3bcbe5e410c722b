"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from __future__ import annotations

from typing import Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from msgspec.structs import replace

from slimvoice.api.auth import Caller
from slimvoice.api.context import ApiContext, request_context
from slimvoice.api.forms import parse
from slimvoice.api.middleware.request_id import request_id_of
from slimvoice.api.schemas import examples
from slimvoice.api.schemas.openapi import ERRORS, events, upload_body
from slimvoice.api.schemas.requests import ServerVad, TranscriptionForm, TranslationForm
from slimvoice.api.streaming import cancel_on_disconnect, stream_events
from slimvoice.api.uploads import open_upload
from slimvoice.errors import InvalidRequest
from slimvoice.rendering.transcript import Extras, Transcript, as_json, as_text, as_verbose_json, collect, deltas
from slimvoice.speech import NO_AUDIO, Model, Task, TranscribeRequest, VoiceDetection
from slimvoice.speech.checks import require
from slimvoice.text.languages import parse_language

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
    transcribe = upload_body(TranscriptionForm, examples.TRANSCRIPTION)
    translate = upload_body(TranslationForm, examples.TRANSLATION)

    @router.post("/transcriptions", responses=_RESPONSES, openapi_extra=transcribe)
    async def transcriptions(request: Request, caller: Caller = Depends(user)) -> Response:
        """Turn speech into text, in the language that is spoken."""
        async with open_upload(request, api.upload_limits) as (audio, fields):
            form = parse(TranscriptionForm, fields)
            model = await cancel_on_disconnect(request, api.model(form.model, Task.SPEECH_TO_TEXT))
            _check(form, model)
            work = _transcription(form, model, request_id_of(request))
            api.service.check(work)
            waveform = await cancel_on_disconnect(request, api.service.decode(audio))
        caller.count_audio(waveform.duration_s)
        events = api.service.transcribe(replace(work, waveform=waveform))
        if form.stream and form.response_format in {None, "json", "text"}:
            return await stream_events(request, deltas(events, _extras(form)))
        return _rendered(await cancel_on_disconnect(request, collect(events)), form)

    @router.post("/translations", responses=_RESPONSES, openapi_extra=translate)
    async def translations(request: Request, caller: Caller = Depends(user)) -> Response:
        """Turn speech in any language into English text."""
        async with open_upload(request, api.upload_limits) as (audio, fields):
            form = parse(TranslationForm, fields)
            model = await cancel_on_disconnect(request, api.model(form.model, Task.SPEECH_TO_TEXT))
            work = TranscribeRequest(
                model=model,
                waveform=NO_AUDIO,
                task="translate",
                prompt=form.prompt or "",
                temperature=form.temperature or 0.0,
                context=request_context(request_id_of(request), form.keep_alive),
            )
            api.service.check(work)
            waveform = await cancel_on_disconnect(request, api.service.decode(audio))
        caller.count_audio(waveform.duration_s)
        events = api.service.transcribe(replace(work, waveform=waveform))
        return _rendered(await cancel_on_disconnect(request, collect(events)), form)

    return router


def _check(form: TranscriptionForm, model: Model) -> None:
    """Refuse combinations of fields that OpenAI refuses too, and speakers that the model does not tell apart."""
    diarizes = {
        "response_format": form.response_format == "diarized_json",
        "known_speaker_names": bool(form.known_speaker_names),
        "known_speaker_references": bool(form.known_speaker_references),
    }
    for param, asked in diarizes.items():
        if asked:
            require(model, "diarization", param)
    if form.timestamp_granularities and form.response_format != "verbose_json":
        if "word" in form.timestamp_granularities:
            raise InvalidRequest("word timestamps need response_format verbose_json", param="timestamp_granularities")
        _log.info("fields ignored", names=["timestamp_granularities"])  # the AI SDK sends `segment` with `json`
    if form.include and form.response_format not in {None, "json"}:
        raise InvalidRequest("include logprobs needs response_format json", param="include")


def _transcription(form: TranscriptionForm, model: Model, request_id: str) -> TranscribeRequest:
    """Return the request, its audio still missing; raises InvalidRequest for an unknown language."""
    language = parse_language(form.language)
    return TranscribeRequest(
        model=model,
        waveform=NO_AUDIO,
        language=language,
        languages=() if language else _languages(form.languages),
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


def _languages(texts: list[str]) -> tuple[str, ...]:
    return tuple(code for text in texts if (code := parse_language(text, "languages")) is not None)


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
