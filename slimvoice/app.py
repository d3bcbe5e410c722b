"""The composition root: builds every part, in order, and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimvoice.config import Settings
from slimvoice.models.library import ModelLibrary

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from slimvoice.metrics import SpeechCacheMetrics
    from slimvoice.readiness import Readiness
    from slimvoice.service import Pull, SpeechService
    from slimvoice.speech import ModelHost, SpeechProvider


@dataclass(frozen=True)
class App:
    """The parts of a server."""

    settings: Settings
    library: ModelLibrary
    provider: SpeechProvider
    host: ModelHost
    registry: CollectorRegistry
    http: FastAPI
    readiness: Readiness


@asynccontextmanager
async def open_service(
    settings: Settings, library: ModelLibrary, pull: Pull | None = None
) -> AsyncGenerator[SpeechService, None]:
    """Run a local engine behind a service; every worker is gone when this ends, killed if it is cancelled."""
    from slimvoice.engine.engine import Engine
    from slimvoice.metrics import SpeechCacheMetrics
    from slimvoice.service import SpeechService

    engine = Engine(settings, library)
    await engine.start()
    try:
        yield SpeechService(_cached(engine, settings, SpeechCacheMetrics()), library, settings, pull=pull)
    except asyncio.CancelledError:
        await engine.close(at_once=True)
        raise
    finally:
        await engine.close()


def build(settings: Settings) -> App:
    """Build the parts of a server; nothing runs yet. Raises ConfigError for a models.yaml that is wrong."""
    from prometheus_client import CollectorRegistry

    from slimvoice.api.app import create_app
    from slimvoice.engine.engine import Engine
    from slimvoice.metrics import EngineMetrics, SpeechCacheMetrics
    from slimvoice.readiness import Readiness
    from slimvoice.service import SpeechService
    from slimvoice.warmup import defaults_are_here

    library = ModelLibrary(settings)
    _ = library.catalog.entries  # a models.yaml that is wrong is told now, not at each request
    registry = CollectorRegistry()
    engine = Engine(settings, library, EngineMetrics(registry))
    readiness = Readiness(lambda: defaults_are_here(library))
    provider = _cached(engine, settings, SpeechCacheMetrics(registry))
    service = SpeechService(provider, library, settings, max_text_chars=settings.max_text_chars)
    http = create_app(service, host=engine, registry=registry, readiness=readiness)
    return App(settings, library, provider, engine, registry, http, readiness)


def _cached(provider: SpeechProvider, settings: Settings, metrics: SpeechCacheMetrics) -> SpeechProvider:
    """Return the provider, wrapped in the cache of synthesized speech where that is enabled."""
    if not settings.speech_cache_mb:
        return provider
    from slimvoice.cache.folder import CacheFolder
    from slimvoice.cache.speech import SpeechCache

    folder = CacheFolder(settings.home.expanduser() / "cache" / "speech", settings.speech_cache_mb * 1_000_000)
    return SpeechCache(provider, folder, metrics)


def serve(settings: Settings, notes: Sequence[str] = ()) -> None:
    """Serve until told to stop. `notes` are logged first. Raises ConfigError."""
    import structlog

    from slimvoice import log
    from slimvoice.backends.registry import BACKENDS
    from slimvoice.server import bind, check_device, first_key

    log.configure(settings.log_level, settings.log_format)
    logger = structlog.get_logger(__name__)
    for note in notes:
        logger.info("configuration", note=note)
    for name, reason in BACKENDS.broken.items():
        logger.warning("a backend is broken", backend=name, reason=reason)
    check_device(settings)
    app = build(settings)
    with bind(settings.host, settings.port) as listening:
        first_key(settings)
        asyncio.run(_run(app, listening))


async def _run(app: App, listening: socket.socket) -> None:
    from slimvoice.server import Server, greet
    from slimvoice.warmup import Warmup

    warmup = Warmup(app.library, app.provider, app.host, app.settings, app.readiness)
    server = Server(app.http, app.settings, lambda: greet(app.settings, listening))
    with server.handle_signals():
        await app.host.start()
        background = asyncio.create_task(warmup.run(warmup.plan()))
        try:
            await server.serve(sockets=[listening])
        finally:
            background.cancel()
            await app.host.close()
            with suppress(asyncio.CancelledError):
                await background
