"""One structured line per request or WebSocket, in place of uvicorn's.

The query stays out of it, as clients may put text there.
"""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slimvoice import timing
from slimvoice.api.middleware.websocket_traffic import WebSocketTraffic

log = structlog.get_logger(__name__)

_QUIET_PATHS = ("/health", "/metrics")


class AccessLog:
    """Logs each request: method, path, status, duration and its phases; each WebSocket at its end, with its traffic."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its end."""
        if scope["type"] == "websocket":
            await self._log_websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        status, sent_bytes = 0, 0

        async def counting(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            with timing.collect() as phases:
                await self.app(scope, receive, counting)
        finally:
            tell = log.debug if scope["path"].startswith(_QUIET_PATHS) else log.info
            tell(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status or None,
                duration_ms=_ms_since(started),
                **_in_ms(phases),
                sent_bytes=sent_bytes,
                request_id=scope.get("state", {}).get("request_id"),
            )

    async def _log_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        traffic = WebSocketTraffic(receive, send)
        try:
            with timing.collect() as phases:
                await self.app(scope, traffic.receive, traffic.send)
        finally:
            log.info(
                "websocket",
                path=scope["path"],
                status=traffic.status or None,
                duration_ms=_ms_since(started),
                **_in_ms(phases),
                received_bytes=traffic.received_bytes,
                received_messages=traffic.received_messages,
                sent_bytes=traffic.sent_bytes,
                sent_messages=traffic.sent_messages,
                close_code=traffic.close_code,
                request_id=scope.get("state", {}).get("request_id"),
            )


def _in_ms(phases: dict[timing.Phase, float]) -> dict[str, float]:
    """Return what was spent on decoding, in queues and computing, where there was any of it."""
    return {f"{phase}_ms": round(seconds * 1000, 1) for phase, seconds in phases.items()}


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
