"""Limits the requests and WebSockets served at once: each may hold audio, a thread and a place in a queue."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from slimvoice.api.errors import error_response
from slimvoice.errors import Overloaded


class ConcurrencyLimit:
    """Answers 429 above the limit; health routes are exempt."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self._most = most
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"} or scope["path"].startswith("/health"):
            await self.app(scope, receive, send)
            return
        if self._count >= self._most:
            error = Overloaded(f"{self._most} requests are being served already", retry_after_s=2)
            await error_response(error)(scope, receive, send)
            return
        self._count += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._count -= 1
