"""The only place that knows HTTP statuses: one table from error classes to responses, in OpenAI's envelope."""

from __future__ import annotations

import math
import re
from asyncio import CancelledError
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from slimvoice import errors
from slimvoice.api import unknown_urls

MAX_RETRY_AFTER_S = 120
"""The openai client ignores a longer Retry-After and gives up (its MAX_RETRY_AFTER_DELAY)."""
DEFAULT_RETRY_AFTER_S = 1

_UNION_MEMBER = re.compile(r"str|int|[A-Z]\w*|.*[^\w].*")
"""`constrained-str`, `literal['auto']`, `ServerVad`: no field of ours is spelt so."""

InvalidFields = ValidationError | RequestValidationError | WebSocketRequestValidationError

_log = structlog.get_logger(__name__)

ErrorType = Literal[
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error", "rate_limit_error",
    "server_error",
]  # fmt: skip


class ErrorRow(NamedTuple):
    """How one class of errors is answered over HTTP."""

    status: int
    type: ErrorType


TABLE: dict[type[errors.SlimvoiceError], ErrorRow] = {
    errors.SlimvoiceError: ErrorRow(500, "server_error"),
    errors.InvalidRequest: ErrorRow(400, "invalid_request_error"),
    errors.InvalidAudio: ErrorRow(400, "invalid_request_error"),
    errors.Unsupported: ErrorRow(400, "invalid_request_error"),
    errors.Authentication: ErrorRow(401, "authentication_error"),
    errors.PermissionDenied: ErrorRow(403, "permission_error"),
    errors.NotFound: ErrorRow(404, "not_found_error"),
    errors.ModelNotFound: ErrorRow(404, "not_found_error"),
    errors.ModelNotPulled: ErrorRow(404, "not_found_error"),
    errors.TooLarge: ErrorRow(413, "invalid_request_error"),
    errors.Overloaded: ErrorRow(429, "rate_limit_error"),
    errors.RateLimited: ErrorRow(429, "rate_limit_error"),
    errors.Inference: ErrorRow(500, "server_error"),
    errors.ModelLoad: ErrorRow(500, "server_error"),
    errors.Upstream: ErrorRow(502, "server_error"),
    errors.WorkerCrashed: ErrorRow(503, "server_error"),
    errors.WorkerWedged: ErrorRow(503, "server_error"),
    errors.DeviceBroken: ErrorRow(503, "server_error"),
    errors.ModelFailed: ErrorRow(503, "server_error"),
    errors.ShuttingDown: ErrorRow(503, "server_error"),
    errors.InsufficientMemory: ErrorRow(503, "server_error"),
    errors.DeadlineExceeded: ErrorRow(504, "server_error"),
    errors.Cancelled: ErrorRow(499, "invalid_request_error"),  # nginx's number; nobody is left to read it
    errors.PullError: ErrorRow(502, "server_error"),
    errors.Gated: ErrorRow(403, "permission_error"),
    errors.SourceMissing: ErrorRow(404, "not_found_error"),
    errors.SourceUnreachable: ErrorRow(502, "server_error"),
    errors.DiskFull: ErrorRow(507, "server_error"),
    errors.Corrupted: ErrorRow(502, "server_error"),
    errors.Offline: ErrorRow(403, "permission_error"),
    errors.ConfigError: ErrorRow(500, "server_error"),
}


def row_of(error: errors.SlimvoiceError) -> ErrorRow:
    """Return the table's row for an error: its own class's, else the nearest parent's."""
    return next(TABLE[cls] for cls in type(error).__mro__ if cls in TABLE)


def envelope(error: errors.SlimvoiceError) -> dict[str, Any]:
    """Return OpenAI's error object. The hint is part of the message: most clients show nothing else."""
    return {"error": {"message": str(error), "type": row_of(error).type, "param": error.param, "code": error.code}}


def error_response(error: errors.SlimvoiceError) -> JSONResponse:
    """Return the whole response for an error, with the retry headers that the openai clients obey."""
    row = row_of(error)
    headers: dict[str, str] = {}
    if row.status == 429 or row.status >= 500:
        headers["x-should-retry"] = "true" if error.retryable else "false"
    if error.retryable or error.retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s(error))
    if row.status == 401:
        headers["www-authenticate"] = "Bearer"
    if row.status == 413:  # the rest of the body is not wanted
        headers["connection"] = "close"
    return JSONResponse(envelope(error), row.status, headers)


def retry_after_s(error: errors.SlimvoiceError) -> int:
    """Return whole seconds to wait, 1 to 120."""
    seconds = DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else math.ceil(error.retry_after_s)
    return min(max(seconds, 1), MAX_RETRY_AFTER_S)


def invalid(error: InvalidFields) -> errors.InvalidRequest:
    """Convert a pydantic validation error into an InvalidRequest that names the field."""
    first, *others = error.errors()
    same_field = [other for other in others if other["loc"][:1] == first["loc"][:1]]
    deepest = max([first, *same_field], key=lambda complaint: len(complaint["loc"]))  # of the best fit in a union
    param = ".".join(_fields(deepest["loc"])) or None
    message = str(deepest["msg"]).removeprefix("Value error, ")
    return errors.InvalidRequest(f"{param}: {message}" if param else message, param=param)


def _fields(location: tuple[int | str, ...]) -> list[str]:
    """Return the names and numbers of a location, without its kind and what pydantic calls members of a union."""
    return [
        str(part)
        for place, part in enumerate(location)
        if not (place == 0 and part in {"body", "query", "path"}) and not _UNION_MEMBER.fullmatch(str(part))
    ]


def wrap(error: Exception) -> errors.SlimvoiceError:
    """Return any exception as a SlimvoiceError; an unexpected one is logged and becomes `internal_error`."""
    if isinstance(error, errors.SlimvoiceError):
        if row_of(error).status >= 500:
            _log.warning("request failed", code=error.code, error=str(error), detail=error.detail)
        return error
    if isinstance(error, InvalidFields):
        return invalid(error)
    if isinstance(error, ClientDisconnect):
        return errors.Cancelled("the client went away")
    _log.error("unforeseen error", exc_info=error)
    return errors.SlimvoiceError("something went wrong in slimvoice", hint="the server's log has the details")


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Register handlers that answer every failure in OpenAI's envelope: ours, pydantic's, and the router's."""

    async def on_error(_request: HTTPConnection, error: Exception) -> Response:
        return error_response(wrap(error))

    async def on_http_exception(request: HTTPConnection, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return await on_error(request, error)
        return _router_response(request, error, routes)

    for cls in (errors.SlimvoiceError, *InvalidFields.__args__, ClientDisconnect):
        app.add_exception_handler(cls, on_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.router.default = _no_such_route


class UnhandledErrors:
    """ASGI middleware that answers unexpected exceptions, inside the middleware that adds request ids and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; once headers are out, a failure leaves the response unfinished."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except CancelledError:  # only a server that stops cancels requests
            if scope["type"] == "http" and not started:
                await error_response(errors.ShuttingDown("the server is stopping"))(scope, receive, send)
            raise
        except WebSocketDisconnect:  # the client has left, and nobody is there to be told
            return
        except Exception as error:
            response = error_response(wrap(error))
            if not started or scope["type"] == "websocket":  # which WebSocketErrors closes
                await response(scope, receive, send)


async def _no_such_route(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Refuse a WebSocket as a request is refused; Starlette closes it without a word."""
    raise HTTPException(404)


def _router_response(request: HTTPConnection, error: HTTPException, routes: Sequence[BaseRoute]) -> JSONResponse:
    """Return what the router itself refuses (no such route, wrong method) in the same envelope."""
    code, kind = {404: ("unknown_url", "not_found_error"), 405: ("method_not_allowed", "invalid_request_error")}.get(
        error.status_code, ("http_error", "invalid_request_error")
    )
    headers, message, method = dict(error.headers or {}), str(error.detail), request.scope.get("method", "WebSocket")
    if error.status_code == 404:
        message = unknown_urls.message(method, request.url.path, routes)
    elif error.status_code == 405:
        headers, message = {"allow": ", ".join(sorted(_methods(request, routes)))}, f"{method} is not allowed here"
    body = {
        "message": f"{message} (see /docs)",
        "type": kind,
        "param": None,
        "code": code,
    }
    return JSONResponse({"error": body}, error.status_code, headers)


def _methods(request: HTTPConnection, routes: Sequence[BaseRoute]) -> set[str]:
    """Return every method of the request's path; Starlette itself names those of one route of it."""
    plain = [route for route in routes if isinstance(route, Route)]
    path = next((route.path for route in plain if route.matches(request.scope)[0] is not Match.NONE), None)
    methods = {method for route in plain if route.path == path for method in route.methods or ()}
    return methods | ({"HEAD"} if "GET" in methods else set())
