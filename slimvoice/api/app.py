"""Builds the HTTP application: routes over a SpeechProvider and a ModelLibrary, errors and middleware."""

from __future__ import annotations

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

import slimvoice
from slimvoice.api import errors
from slimvoice.api.auth import BrowserGuard, Gate
from slimvoice.api.context import ApiContext, DecodedAudioLimit
from slimvoice.api.middleware.access_log import AccessLog
from slimvoice.api.middleware.collapse_slashes import CollapseSlashes
from slimvoice.api.middleware.concurrency import ConcurrencyLimit
from slimvoice.api.middleware.head_as_get import HeadAsGet
from slimvoice.api.middleware.http_metrics import HttpMetrics
from slimvoice.api.middleware.request_id import HEADER, RequestIds
from slimvoice.api.middleware.websocket_errors import WebSocketErrors
from slimvoice.api.routes import management, models, speech, system, transcriptions
from slimvoice.api.schemas import openapi
from slimvoice.config import Settings, names
from slimvoice.keys import KeyStore, is_loopback, needs_keys
from slimvoice.models.library import ModelLibrary
from slimvoice.readiness import Readiness
from slimvoice.speech import ModelHost, SpeechProvider

KEYS_FILE = "keys"
DESCRIPTION = (
    "Speech to text and text to speech behind the OpenAI Audio API. What was written for OpenAI's audio endpoints "
    "works with the base URL changed to this server's `/v1`."
)


def create_app(
    provider: SpeechProvider,
    library: ModelLibrary,
    settings: Settings,
    *,
    host: ModelHost | None = None,
    registry: CollectorRegistry | None = None,
    readiness: Readiness | None = None,
) -> FastAPI:
    """Build the HTTP application. `host` loads the models of this machine; `registry` holds the metrics; `readiness`
    tells what is still being pulled.
    """
    keys = KeyStore(settings.home.expanduser() / KEYS_FILE) if needs_keys(settings) else None
    gate = Gate(keys, open_lists=settings.open_lists)
    api = ApiContext(
        provider,
        host,
        library,
        settings,
        gate,
        registry or CollectorRegistry(),
        readiness or Readiness(),
        DecodedAudioLimit(settings.max_held_audio_s),
    )
    app = FastAPI(
        title="slimvoice",
        version=slimvoice.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    routers = [part.routes(api) for part in (transcriptions, speech, management, models, system)]
    for router in routers:
        app.include_router(router)
    errors.install(app, [route for router in routers for route in router.routes])
    openapi.install(app)
    _surround(app, api, keyless=keys is None)
    return app


def _surround(app: FastAPI, api: ApiContext, *, keyless: bool) -> None:
    """Add the middleware, the innermost first."""
    settings = api.settings
    app.add_middleware(errors.UnhandledErrors)
    origins = frozenset(names(settings.cors_origins))
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[HEADER, "retry-after", "x-should-retry"],
        )
    if keyless:
        app.add_middleware(
            BrowserGuard,
            loopback=is_loopback(settings.host),
            hosts=frozenset(names(settings.allowed_hosts)),
            origins=origins,
        )
    app.add_middleware(ConcurrencyLimit, most=settings.max_requests)
    app.add_middleware(WebSocketErrors)
    app.add_middleware(HttpMetrics, registry=api.registry)
    app.add_middleware(RequestIds)
    app.add_middleware(AccessLog)
    app.add_middleware(HeadAsGet)
    app.add_middleware(CollapseSlashes)
