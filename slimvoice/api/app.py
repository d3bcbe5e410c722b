"""The HTTP face: routes over a SpeechProvider and a ModelLibrary, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware

import slimvoice
from slimvoice.api import errors, management, models, openapi, speech, system, transcriptions
from slimvoice.api.access_log import AccessLog
from slimvoice.api.auth import BrowserGuard, Gate, is_loopback, needs_keys
from slimvoice.api.face import Face, HeldAudio
from slimvoice.api.head import HeadAsGet
from slimvoice.api.http_metrics import HttpMetrics
from slimvoice.api.in_flight import InFlight
from slimvoice.api.readiness import Readiness
from slimvoice.api.request_id import HEADER, RequestIds
from slimvoice.config import Settings, names
from slimvoice.keys import KeyStore
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import SpeechProvider

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

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
    registry: CollectorRegistry | None = None,
    lifespan: Lifespan | None = None,
    readiness: Readiness | None = None,
) -> FastAPI:
    """Build the HTTP application. `lifespan` starts and stops what stands behind it; `registry` holds the metrics;
    `readiness` tells what is still being pulled.
    """
    keys = KeyStore(settings.home.expanduser() / KEYS_FILE) if needs_keys(settings) else None
    gate = Gate(keys, open_lists=settings.open_lists)
    face = Face(
        provider,
        library,
        settings,
        gate,
        registry or CollectorRegistry(),
        readiness or Readiness(),
        HeldAudio(settings.max_held_audio_s),
    )
    app = FastAPI(
        title="slimvoice",
        version=slimvoice.__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    routers = [part.routes(face) for part in (transcriptions, speech, management, models, system)]
    for router in routers:
        app.include_router(router)
    errors.install(app, [route for router in routers for route in router.routes])
    openapi.install(app)
    _surround(app, face, keyless=keys is None)
    return app


def _surround(app: FastAPI, face: Face, *, keyless: bool) -> None:
    """Add what every request passes, the innermost first."""
    settings = face.settings
    app.add_middleware(errors.LastResort)
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
    app.add_middleware(InFlight, most=settings.max_requests)
    app.add_middleware(HttpMetrics, registry=face.registry)
    app.add_middleware(RequestIds)
    app.add_middleware(AccessLog)
    app.add_middleware(HeadAsGet)
