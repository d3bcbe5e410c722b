"""Runs the HTTP server: listening socket, first API key, signals, and the startup message."""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata

import structlog
import uvicorn
from starlette.types import ASGIApp

import slimvoice
from slimvoice import hardware
from slimvoice.api.http_protocol import uvicorn_options
from slimvoice.config import Settings
from slimvoice.errors import ConfigError
from slimvoice.keys import KeyStore, is_loopback, needs_keys

TICKS_PER_DATE = 10
"""Uvicorn renews the Date header at every tenth tick."""

log = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """Uvicorn with our signals: the first SIGINT or SIGTERM drains, the second ends everything at once."""

    def __init__(self, http: ASGIApp, settings: Settings, on_start: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                http,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=math.ceil(settings.drain_s),
                **uvicorn_options(),
            )
        )
        self._on_start = on_start
        self._stopping = asyncio.Event()
        self._trimmed_after = 0  # requests

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self._on_start()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn looks for it ten times a second, and an idle server shall use no CPU."""
        tick = 0
        while not await self.on_tick(tick):
            tick += TICKS_PER_DATE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)
            self._trim()

    def _trim(self) -> None:
        """Give back what requests have left in the heap, once the last of them is done: about a millisecond of work."""
        state = self.server_state
        if state.total_requests != self._trimmed_after and not state.tasks:
            self._trimmed_after = state.total_requests
            trim_heap()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `handle_signals`, which lasts longer than uvicorn does."""
        yield

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Stop on a signal; uvicorn would raise it again at its end, and so kill us before the workers are gone."""
        loop = asyncio.get_running_loop()
        both = (signal.SIGINT, signal.SIGTERM)
        for each in both:
            loop.add_signal_handler(each, self._stop)
        try:
            yield
        finally:
            for each in both:
                loop.remove_signal_handler(each)

    def _stop(self) -> None:
        if self.should_exit:
            os._exit(130)  # workers notice that we are gone, and go too
        log.info("stopping", drain_s=self.config.timeout_graceful_shutdown)
        self.should_exit = True
        self._stopping.set()


def trim_heap() -> None:
    """Give free pages of the heap back to the system, where the C library can (glibc)."""
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises ConfigError with what to do."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            hint="another port: slimvoice serve --port 0 picks a free one",
        ) from error


def check_device(settings: Settings) -> None:
    """Refuse a GPU that was asked for and is not there; raises ConfigError. Without one a GPU install says so."""
    found = hardware.gpus()
    if settings.device.startswith("cuda") and not found:
        raise ConfigError(
            f"the setting device is {settings.device}, and no NVIDIA GPU is seen",
            hint="check nvidia-smi; in a container: --gpus all; or set SLIMVOICE_DEVICE=auto",
        )
    if found:
        log.info("gpu", devices=[f"{gpu.device} {gpu.name}" for gpu in found])
    elif settings.device == "auto" and any(dist.name == "onnxruntime-gpu" for dist in metadata.distributions()):
        log.warning("no NVIDIA GPU is seen: models run on the CPU")


def first_key(settings: Settings) -> None:
    """Make and print the first key where callers need one and there is none yet; raises ConfigError."""
    if not needs_keys(settings):
        if not is_loopback(settings.host):
            log.warning("auth is off: whoever reaches this address may use and manage this server", host=settings.host)
        return
    home = settings.home.expanduser()
    try:
        token = KeyStore(home / "keys").first()
    except OSError as error:
        raise ConfigError(
            f"cannot keep an API key in {home}: {error.strerror or error}",
            hint="point SLIMVOICE_HOME to a folder that this user may write to, or chown the volume",
        ) from error
    if token:
        print(f"API key, shown this once: {token}", file=sys.stderr, flush=True)


def greet(settings: Settings, listening: socket.socket) -> None:
    """Print where the server listens and, on a terminal, how to try it."""
    url = url_of(settings.host, listening)
    keys = needs_keys(settings)
    if not sys.stderr.isatty() or settings.log_format == "json":
        log.info("listening", url=url, version=slimvoice.__version__, keys="needed" if keys else "not needed")
        return
    key = '-H "Authorization: Bearer $SLIMVOICE_API_KEY" ' if keys else ""
    print(
        f"slimvoice {slimvoice.__version__} serves the OpenAI Audio API at {url}/v1 (documentation: {url}/docs)\n"
        f"  curl {url}/v1/audio/transcriptions {key}-F model=whisper-1 -F file=@speech.mp3\n"
        f'  curl {url}/v1/audio/speech {key}--json \'{{"model": "tts-1", "voice": "alloy", '
        f'"input": "Hello"}}\' -o hello.mp3\n',
        file=sys.stderr,
        flush=True,
    )


def url_of(host: str, listening: socket.socket) -> str:
    """Return the URL at which this machine reaches the socket."""
    bound, port = listening.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)  # noqa: S104 - any address includes this one
    if host == "localhost":
        name = host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
