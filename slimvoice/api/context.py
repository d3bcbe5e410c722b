"""What every route depends on: provider, model library, settings and authentication."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from os import SEEK_END
from typing import BinaryIO

from prometheus_client import CollectorRegistry

from slimvoice import timing
from slimvoice.api.auth import Gate
from slimvoice.api.forms import MAX_JSON_BYTES, BodyLimits
from slimvoice.audio.decode import decode
from slimvoice.config import Settings, duration_s
from slimvoice.errors import InvalidRequest, ModelNotPulled, Overloaded, Unsupported
from slimvoice.models.async_pull import pull_async
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import HubName
from slimvoice.readiness import Readiness
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    Model,
    ModelHost,
    RequestContext,
    SpeechProvider,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    Waveform,
)

DECODERS = 2
"""Uploads decoded at once, of each size: each takes a core, and memory for its whole length."""

SHORT_BYTES = 1 << 19
"""Uploads up to this size, such as voice commands, never wait for the long ones to be decoded."""


class DecodedAudioLimit:
    """Bounds the decoded audio that waiting requests hold: a queue of hour-long files must not fill the memory."""

    def __init__(self, most_s: float) -> None:
        self._most_bytes = round(most_s * STT_SAMPLE_RATE) * 2
        self._held_bytes = 0

    @contextmanager
    def hold(self, waveform: Waveform) -> Iterator[None]:
        """Count audio while it is worked on; raises Overloaded when there is too much. One alone always fits."""
        size = len(waveform.pcm)
        if self._held_bytes and self._held_bytes + size > self._most_bytes:
            raise Overloaded("too much audio is waiting already", retry_after_s=10)
        self._held_bytes += size
        try:
            yield
        finally:
            self._held_bytes -= size


@dataclass(frozen=True)
class ApiContext:
    """The dependencies of the HTTP routes."""

    provider: SpeechProvider
    host: ModelHost | None
    library: ModelLibrary
    settings: Settings
    gate: Gate
    registry: CollectorRegistry
    readiness: Readiness
    held: DecodedAudioLimit
    short_decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODERS))
    long_decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODERS))

    @property
    def upload_limits(self) -> BodyLimits:
        """Bounds of a body with audio in it."""
        return BodyLimits(self.settings.max_upload_mb * 1_000_000, self.settings.body_timeout_s)

    @property
    def json_limits(self) -> BodyLimits:
        """Bounds of a body without audio: the longest text, each character an escaped pair of surrogates."""
        return BodyLimits(max(MAX_JSON_BYTES, self.settings.max_text_chars * 12 + 65536), self.settings.body_timeout_s)

    async def model(self, name: str, task: Task) -> Model:
        """Return a model to work with, pulled first if the settings say so; raises ModelNotFound or ModelNotPulled."""
        try:
            return await self.provider.resolve(name, task)
        except ModelNotPulled as error:
            from_hub = HubName.parse(name) is not None
            policy = self.settings.auto_pull
            if policy == "off" or (policy == "catalog" and from_hub):
                raise _with_http_hint(error) from error
        wanted = name if from_hub else self.library.find(name, task).name
        await pull_async(partial(self.library.pull, wanted))
        return await self.provider.resolve(name, task)

    async def known_model(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name means, on this machine or not; raises ModelNotFound."""
        try:
            return await self.provider.resolve(name, task)
        except ModelNotPulled:
            return self.library.find(name, task)

    def host_of(self, model: Model) -> ModelHost:
        """Return what loads a model; raises Unsupported where that is somebody else's."""
        if self.host is None or not model.is_local:
            raise Unsupported(
                f"model {model.name} is served by {model.provider}, and is neither loaded nor deleted here",
                param="model",
            )
        return self.host

    async def transcribe(self, work: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Run a transcription, counting its audio as held until the end; raises Overloaded before any event."""
        with self.held.hold(work.waveform):
            async with aclosing(self.provider.transcribe(work)) as events:
                async for event in events:
                    yield event

    async def decode(self, audio: bytes | BinaryIO) -> Waveform:
        """Decode an upload in a thread; raises InvalidAudio or TooLarge."""
        async with self.short_decoding if _size(audio) <= SHORT_BYTES else self.long_decoding:
            with timing.measure("decode"):
                return await asyncio.to_thread(decode, audio, max_duration_s=self.settings.max_audio_s)


def _size(audio: bytes | BinaryIO) -> int:
    if isinstance(audio, bytes):
        return len(audio)
    size = audio.seek(0, SEEK_END)
    audio.seek(0)
    return size


def request_context(request_id: str, keep_alive: str | int | None) -> RequestContext:
    """Return the RequestContext of a request: its id and keep-alive."""
    return RequestContext(request_id=request_id, keep_alive_s=keep_alive_s(keep_alive))


def keep_alive_s(text: str | int | None) -> float | None:
    """Read `5m`, `90s`, `1h`, `30`, `0` or `-1` as seconds, as Ollama does; raises InvalidRequest."""
    if text is None or text == "":
        return None
    try:
        return duration_s(str(text))
    except ValueError as error:
        raise InvalidRequest(f"keep_alive {error}", param="keep_alive") from error


def _with_http_hint(error: ModelNotPulled) -> ModelNotPulled:
    return ModelNotPulled(error.message, hint=f"{error.hint}, or POST /v1/audio/models/NAME", param=error.param)
