"""One structured line per request, in place of uvicorn's; the query stays out of it, as clients may put text there."""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

_QUIET_PATHS = ("/health", "/metrics")


class AccessLog:
    """Logs each request: method, path, status and duration."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its end."""
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
            await self.app(scope, receive, counting)
        finally:
            tell = log.debug if scope["path"].startswith(_QUIET_PATHS) else log.info
            tell(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status or None,
                duration_ms=round((time.monotonic() - started) * 1000, 1),
                sent_bytes=sent_bytes,
                request_id=scope.get("state", {}).get("request_id"),
            )
