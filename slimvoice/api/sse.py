"""Server-sent events as OpenAI's clients parse them: `data:` lines of JSON, `[DONE]` last."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from slimvoice.api.errors import envelope, wrap

DONE = b"data: [DONE]\n\n"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Proxies must pass each event on at once."""


def event(payload: dict[str, Any]) -> bytes:
    """Encode one event. JSON escapes line breaks, so a payload is always one `data:` line."""
    return b"data: " + json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


async def encode(head: dict[str, Any], payloads: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Encode `head` and the payloads after it, then `[DONE]`; a failure on the way ends them with an error event."""
    yield event(head)
    try:
        async for payload in payloads:
            yield event(payload)
    except Exception as error:  # headers are out: the error travels as an event
        yield event(envelope(wrap(error)))
        return
    yield DONE
