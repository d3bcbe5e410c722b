"""Error answers on a WebSocket: an HTTP response before the upgrade, a close code where that is not possible."""

from __future__ import annotations

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

RESPONSE_EXTENSION = "websocket.http.response"
"""ASGI's extension for refusing a handshake with a whole response; uvicorn has it."""

MAX_REASON_BYTES = 123
"""A control frame has 125 bytes, two of them for the code (RFC 6455, 5.5)."""

_POLICY_VIOLATION, _TOO_BIG, _INTERNAL_ERROR, _TRY_AGAIN_LATER = 1008, 1009, 1011, 1013


class WebSocketErrors:
    """Lets the same error response refuse an HTTP request and a WebSocket, accepted already or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        answerable = RESPONSE_EXTENSION in (scope.get("extensions") or {})
        closed, status = False, 0

        async def send_or_close(message: Message) -> None:
            nonlocal answerable, closed, status
            match message["type"]:
                case "websocket.accept":
                    answerable = False
                case "websocket.close":
                    closed = True
                case "websocket.http.response.start" if not answerable:
                    status = message["status"]
                    return
                case "websocket.http.response.body" if not answerable:
                    if closed:
                        return
                    closed = True
                    message = {"type": "websocket.close", "code": close_code(status), "reason": _reason(message)}
            await send(message)

        await self.app(scope, receive, send_or_close)


def close_code(status: int) -> int:
    """Return the close code (RFC 6455, 7.4.1, and IANA's registry) that says what an HTTP status says."""
    if status in {429, 503}:
        return _TRY_AGAIN_LATER
    if status == 413:
        return _TOO_BIG
    return _POLICY_VIOLATION if status < 500 else _INTERNAL_ERROR


def _reason(message: Message) -> str:
    """Return the error's message out of its envelope, as far as a close frame has room."""
    text = str(json.loads(message["body"])["error"]["message"])
    return text.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
