"""What every HTTP route depends on: the service, what loads models, and authentication."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from slimvoice.api.auth import Gate
from slimvoice.api.forms import MAX_JSON_BYTES, BodyLimits
from slimvoice.config import Settings, duration_s
from slimvoice.errors import InvalidRequest, ModelNotPulled, Unsupported
from slimvoice.models.library import ModelLibrary
from slimvoice.readiness import Readiness
from slimvoice.service import SpeechService
from slimvoice.speech import Model, ModelHost, RequestContext, SpeechProvider, Task


@dataclass(frozen=True)
class ApiContext:
    """The dependencies of the HTTP routes."""

    service: SpeechService
    host: ModelHost | None
    gate: Gate
    registry: CollectorRegistry
    readiness: Readiness

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.service.settings

    @property
    def provider(self) -> SpeechProvider:
        """What transcribes and synthesizes."""
        return self.service.provider

    @property
    def library(self) -> ModelLibrary:
        """The models that are here, or could be pulled."""
        return self.service.library

    @property
    def upload_limits(self) -> BodyLimits:
        """Bounds of a body with audio in it."""
        return BodyLimits(self.settings.max_upload_mb * 1_000_000, self.settings.body_timeout_s)

    @property
    def json_limits(self) -> BodyLimits:
        """Bounds of a body without audio: the longest text, each character an escaped pair of surrogates."""
        return BodyLimits(max(MAX_JSON_BYTES, self.settings.max_text_chars * 12 + 65536), self.settings.body_timeout_s)

    async def model(self, name: str, task: Task) -> Model:
        """Return a model as the service does; one that is not pulled is refused with HTTP's way to pull it."""
        try:
            return await self.service.resolve(name, task)
        except ModelNotPulled as error:
            hint = f"{error.hint}, or POST /v1/audio/models/NAME"
            raise ModelNotPulled(error.message, hint=hint, param=error.param) from error

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
