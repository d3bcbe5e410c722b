"""What every route needs: the provider, the models, the settings and the gate, passed by constructor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from prometheus_client import CollectorRegistry

from slimvoice.api.auth import Gate
from slimvoice.api.forms import MAX_JSON_BYTES, BodyLimits
from slimvoice.api.pulling import pulled
from slimvoice.api.readiness import Readiness
from slimvoice.audio.decode import decode
from slimvoice.config import Settings, duration_s
from slimvoice.errors import InvalidRequest, ModelNotPulled
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import Model, RequestContext, SpeechProvider, Task, Waveform

DECODERS = 4
"""Uploads decoded at once: each takes a core, and memory for its whole length."""


@dataclass(frozen=True)
class Face:
    """The parts behind the HTTP routes."""

    provider: SpeechProvider
    library: ModelLibrary
    settings: Settings
    gate: Gate
    registry: CollectorRegistry
    readiness: Readiness
    decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODERS))

    @property
    def upload_limits(self) -> BodyLimits:
        """Bounds of a body with audio in it."""
        return BodyLimits(self.settings.max_upload_mb * 1_000_000, self.settings.body_timeout_s)

    @property
    def json_limits(self) -> BodyLimits:
        """Bounds of a body without audio: the longest text, each character an escaped pair of surrogates."""
        return BodyLimits(max(MAX_JSON_BYTES, self.settings.max_text_chars * 12 + 65536), self.settings.body_timeout_s)

    async def model(self, name: str, task: Task) -> Model:
        """Return an installed model, pulled first if the settings say so; raises ModelNotFound or ModelNotPulled."""
        try:
            return self.library.require(name, task).model
        except ModelNotPulled as error:
            from_hub = name.casefold().startswith("hf:")
            policy = self.settings.auto_pull
            if policy == "off" or (policy == "catalog" and from_hub):
                raise _with_http_hint(error) from error
        wanted = name if from_hub else self.library.find(name, task).name
        await pulled(partial(self.library.pull, wanted))
        return self.library.require(name, task).model

    async def decode(self, audio: bytes | BinaryIO) -> Waveform:
        """Decode an upload in a thread; raises InvalidAudio or TooLarge."""
        async with self.decoding:
            return await asyncio.to_thread(decode, audio, max_duration_s=self.settings.max_audio_s)


def context(request_id: str, keep_alive: str | int | None) -> RequestContext:
    """Return what travels with a request."""
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
