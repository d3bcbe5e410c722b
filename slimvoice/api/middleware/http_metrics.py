"""Metrics per route: request counts by status, time to first byte, and WebSockets by how they ended."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slimvoice.api.middleware.websocket_traffic import WebSocketTraffic

UNMATCHED = "unmatched"
_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class HttpMetrics:
    """Counts requests by the route's own path, so that no client can add a label."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter(
            "slimvoice_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._unfinished = Counter(
            "slimvoice_http_unfinished_total",
            "Responses that broke off after their headers: the client left, or the work failed.",
            ["route"],
            registry=registry,
        )
        self._first_byte = Histogram(
            "slimvoice_http_first_byte_seconds",
            "From the request's arrival to the first byte of its answer's body.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._websockets = Counter(
            "slimvoice_websocket_connections_total",
            "WebSockets that ended: closed, failed, or the status that refused them.",
            ["route", "outcome"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] == "websocket":
            await self._count_websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, finished = time.monotonic(), 0, False

        async def counted(message: Message) -> None:
            nonlocal status, finished
            if message["type"] == "http.response.start":
                status = message["status"]
                self._requests.labels(_method(scope), _route(scope), str(status)).inc()
            elif status and message["type"] == "http.response.body":
                self._first_byte.labels(_route(scope)).observe(time.monotonic() - began)
                status = 0
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            if not finished:
                self._unfinished.labels(_route(scope)).inc()

    async def _count_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        traffic = WebSocketTraffic(receive, send)
        try:
            await self.app(scope, traffic.receive, traffic.send)
        finally:
            self._websockets.labels(_route(scope), traffic.outcome).inc()


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", UNMATCHED))


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
