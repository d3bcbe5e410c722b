"""Streamed responses, and cancelling work when the client disconnects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from slimvoice.api import sse
from slimvoice.api.errors import envelope, wrap
from slimvoice.errors import Cancelled, DeadlineExceeded, Inference

T = TypeVar("T")

_log = structlog.get_logger(__name__)

STALL_S = 120.0
"""Seconds a client may leave a stream unread before its work ends."""

NDJSON = "application/x-ndjson"


async def stream_events(request: Request, payloads: AsyncGenerator[dict[str, Any], None]) -> Response:
    """Answer with server-sent events; an error before the first raises, so that it becomes a status."""
    head = await first_event(request, payloads)
    return ClosingStreamResponse(sse.encode(head, payloads), payloads, "text/event-stream", sse.HEADERS)


async def stream_lines(request: Request, lines: AsyncGenerator[dict[str, Any], None]) -> Response:
    """Answer with a JSON object per line (NDJSON); an error before the first raises."""
    head = await first_event(request, lines)
    return ClosingStreamResponse(_encode_lines(head, lines), lines, NDJSON)


async def stream_bytes(request: Request, chunks: AsyncGenerator[bytes, None], media_type: str) -> Response:
    """Answer with bytes as they come; an error before the first raises, a later one leaves the response unfinished."""
    head = await first_event(request, chunks)
    return ClosingStreamResponse(_resume(head, chunks), chunks, media_type)


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, cancelling it and raising Cancelled if the client disconnects first. The body must be read."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Cancelled("the client went away")
        return working.result()
    finally:
        for task in (watching, working):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


async def first_event(request: Request, events: AsyncGenerator[T, None]) -> T:
    """Await the first event before headers go out, so that early errors become statuses; closes `events` on failure."""
    try:
        return await cancel_on_disconnect(request, anext(events))
    except StopAsyncIteration as error:
        raise Inference("the model gave no result") from error
    except BaseException:
        await events.aclose()
        raise


class ClosingStreamResponse(StreamingResponse):
    """A streaming response that closes `source`, which cancels the work, however the response ends.

    A failure on the way leaves it unfinished: the server closes the connection, and the client sees that it was cut.
    """

    def __init__(
        self,
        content: AsyncIterator[bytes],
        source: AsyncGenerator[Any, None],
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; Starlette watches for the disconnect meanwhile."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(STALL_S):
                    await send(message)
            except TimeoutError as error:
                raise DeadlineExceeded(f"the client has not read for {STALL_S:g} s") from error

        try:
            await super().__call__(scope, receive, send_in_time)
        except Exception as error:  # headers are out: all that is left to say is a cut connection
            _log.warning("response broken off", code=wrap(error).code)
        finally:
            await self._source.aclose()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _resume(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk


async def _encode_lines(head: dict[str, Any], lines: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield _line(head)
    try:
        async for line in lines:
            yield _line(line)
    except Exception as error:  # headers are out: the error travels as a line
        yield _line(envelope(wrap(error)))


def _line(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode() + b"\n"
