"""How connections are served: uvicorn's options, and a bound on how slowly a request may begin."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from slimvoice.api.errors import error_response
from slimvoice.errors import InvalidRequest

HEADER_TIMEOUT_S = 15.0
"""Seconds for the headers of a request to come whole: uvicorn alone waits for ever, which is all a slow loris needs."""

KEEP_ALIVE_S = 75
"""Seconds an idle connection stays open: longer than clients pool theirs, so that they close first."""


class PromptH11(H11Protocol):
    """Uvicorn's HTTP/1.1, which closes connections whose headers do not come in time."""

    header_timeout_s = HEADER_TIMEOUT_S
    _timer: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(transport)
        _send_at_once(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the headers are whole, and start it at the first byte of a further request."""
        super().data_received(data)
        if self._upgraded:
            self._stop_clock()
        elif self.cycle is None or self.cycle.response_complete:
            self._expect_headers()
        else:
            self._stop_clock()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection to the WebSocket's protocol; no more headers are to come."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP in the envelope of every other error; uvicorn says it in plain text."""
        body = error_response(InvalidRequest(msg.rstrip("."), hint="does the address begin with https?")).body
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        for event in (h11.Response(status_code=400, headers=head), h11.Data(data=bytes(body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self._give_up)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()


def _send_at_once(transport: asyncio.Transport) -> None:
    """Turn Nagle's algorithm off, which costs 40 ms per answer where the client delays its acknowledgements.

    asyncio does so only for sockets whose protocol is named, and those of `socket.create_server` name none.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def uvicorn_options() -> dict[str, Any]:
    """Return what `uvicorn.Config` needs for this face, besides the address."""
    return {
        "http": PromptH11,
        "ws": "websockets-sansio",
        "timeout_keep_alive": KEEP_ALIVE_S,
        "server_header": False,
        "access_log": False,
        "proxy_headers": False,  # no decision rests on the client's address
    }
