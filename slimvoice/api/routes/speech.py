"""POST /v1/audio/speech."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from slimvoice.api.auth import Caller
from slimvoice.api.context import ApiContext, request_context
from slimvoice.api.forms import parse, read_json, whole_text
from slimvoice.api.middleware.request_id import request_id_of
from slimvoice.api.schemas import examples, openapi
from slimvoice.api.schemas.requests import SpeechBody, VoiceId
from slimvoice.api.streaming import cancel_on_disconnect, stream_bytes, stream_events
from slimvoice.audio.encode import FORMATS, Encoder
from slimvoice.errors import Inference
from slimvoice.speech import AudioChunk, Model, SpeechDone, SynthesizeEvent, SynthesizeRequest, Task, Word

AUDIO_TOKENS_PER_S = 20
"""OpenAI counts a token per 50 ms of output audio (https://platform.openai.com/docs/guides/realtime-costs)."""

Events = AsyncGenerator[SynthesizeEvent, None]
Json = dict[str, Any]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_RESPONSES: dict[int | str, Json] = openapi.ERRORS | {
    200: {
        "description": "The audio as it is made, or server-sent events with it.",
        "content": dict.fromkeys(sorted({audio.content_type for audio in FORMATS.values()}), _BINARY)
        | {"text/event-stream": openapi.events(examples.SPEECH_EVENT)},
    }
}


def routes(api: ApiContext) -> APIRouter:
    """Return the route of text to speech."""
    router = APIRouter(prefix="/v1/audio", tags=["audio"])
    user = api.gate.needs("use")
    say = openapi.json_body(SpeechBody, examples.SPEECH)

    @router.post("/speech", responses=_RESPONSES, response_class=Response, openapi_extra=say)
    async def speech(request: Request, caller: Caller = Depends(user)) -> Response:
        """Speak a text; the first audio leaves before the last sentence is made."""
        body = parse(SpeechBody, await read_json(request, api.json_limits))
        text = whole_text(body.input)
        api.service.check_text(text)
        caller.check_audio()
        model = await cancel_on_disconnect(request, api.model(body.model, Task.TEXT_TO_SPEECH))
        events = api.service.synthesize(_synthesis(body, text, model, request_id_of(request)))
        audio_format = body.response_format or "mp3"
        if body.stream_format == "sse":
            return await stream_events(request, audio_events(events, audio_format, caller))
        chunks = audio_bytes(events, audio_format, caller)
        return await stream_bytes(request, chunks, FORMATS[audio_format].content_type)

    return router


async def audio_bytes(events: Events, audio_format: str, caller: Caller) -> AsyncGenerator[bytes, None]:
    """Encode speech as it comes; closes `events`."""
    async with aclosing(events), aclosing(_encoded(events, audio_format)) as chunks:
        async for chunk, _words, done in chunks:
            if chunk:
                yield chunk
            if done is not None:
                caller.add_audio(done.duration_s)


async def audio_events(events: Events, audio_format: str, caller: Caller) -> AsyncGenerator[Json, None]:
    """Yield `speech.audio.delta` and, last, `speech.audio.done`; closes `events`."""
    async with aclosing(events), aclosing(_encoded(events, audio_format)) as chunks:
        async for chunk, words, done in chunks:
            if chunk or words:
                delta: Json = {"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()}
                if words:
                    delta["words"] = [{"word": word.text, "start": word.start_s, "end": word.end_s} for word in words]
                yield delta
            if done is not None:
                caller.add_audio(done.duration_s)
                yield {"type": "speech.audio.done", "usage": _usage(done)}


async def _encoded(
    events: Events, audio_format: str
) -> AsyncGenerator[tuple[bytes, tuple[Word, ...], SpeechDone | None], None]:
    """Yield encoded bytes with the words in them, and SpeechDone with the last bytes."""
    encoder: Encoder | None = None
    async for item in events:
        if isinstance(item, AudioChunk):
            if encoder is None:
                encoder = await asyncio.to_thread(Encoder, audio_format, item.waveform.sample_rate)
            yield await asyncio.to_thread(encoder.feed, item.waveform.pcm), item.words, None
        else:
            rest = await asyncio.to_thread((encoder or Encoder(audio_format, 24_000)).finish)
            yield rest, (), item
            return
    raise Inference("the speech ended without an end")


def _usage(done: SpeechDone) -> Json:
    output = math.ceil(done.duration_s * AUDIO_TOKENS_PER_S)
    return {"input_tokens": done.input_tokens, "output_tokens": output, "total_tokens": done.input_tokens + output}


def _synthesis(body: SpeechBody, text: str, model: Model, request_id: str) -> SynthesizeRequest:
    voice = body.voice.id if isinstance(body.voice, VoiceId) else body.voice
    instructions = "" if body.instructions in {None, "None"} else body.instructions  # Home Assistant sends "None"
    return SynthesizeRequest(
        model=model,
        text=text,
        voice=whole_text(voice or ""),
        language=body.language,
        speed=1.0 if body.speed is None else body.speed,
        instructions=whole_text(instructions or ""),
        word_timestamps=bool(body.word_timestamps),
        context=request_context(request_id, body.keep_alive),
    )
