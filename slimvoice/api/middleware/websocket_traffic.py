"""What passed through one WebSocket: its handshake, messages, bytes and close code."""

from __future__ import annotations

from starlette.types import Message, Receive, Send

SWITCHING_PROTOCOLS = 101
FORBIDDEN = 403
"""What servers answer to a connection that is closed before it was accepted."""

_PEACEFUL_CODES = {None, 1000, 1001, 1005, 1006, 1012}
"""Done, going away, no code, connection lost (uvicorn tells some of these as 1005), and the server restarting."""


class WebSocketTraffic:
    """Counts what passes; `receive` and `send` go in place of the connection's own."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.status = 0
        """101 once accepted, else the status of the refusal; 0: neither yet."""
        self.close_code: int | None = None
        self.received_bytes = self.received_messages = self.sent_bytes = self.sent_messages = 0

    async def receive(self) -> Message:
        """Receive a message and count it."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.received_messages += 1
            self.received_bytes += _size(message)
        elif message["type"] == "websocket.disconnect":
            self._close(message.get("code"))
        return message

    async def send(self, message: Message) -> None:
        """Send a message and count it."""
        match message["type"]:
            case "websocket.accept":
                self.status = SWITCHING_PROTOCOLS
            case "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.http.response.body":
                self.sent_bytes += len(message.get("body", b""))
            case "websocket.send":
                self.sent_messages += 1
                self.sent_bytes += _size(message)
            case "websocket.close":
                self.status = self.status or FORBIDDEN
                self._close(message.get("code", 1000))
        await self._send(message)

    @property
    def outcome(self) -> str:
        """How it ended: `closed`, `failed` (closed for an error), or the status that refused it."""
        if self.status != SWITCHING_PROTOCOLS:
            return str(self.status or "closed")
        return "closed" if self.close_code in _PEACEFUL_CODES else "failed"

    def _close(self, code: int | None) -> None:
        if self.close_code is None and self.status == SWITCHING_PROTOCOLS:
            self.close_code = code


def _size(message: Message) -> int:
    text = message.get("text")
    return len(text.encode()) if text is not None else len(message.get("bytes") or b"")
