"""What a running server does by itself."""

from __future__ import annotations

import asyncio

import pytest

from slimvoice import server
from slimvoice.config import Settings


async def test_heap_is_given_back_once_after_the_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(server, "trim_heap", lambda: trims.append(1))
    running = server.Server(lambda: None, Settings(), lambda: None)  # type: ignore[arg-type]
    state = running.server_state
    running._trim()
    assert trims == []  # nothing was asked yet
    request = asyncio.create_task(asyncio.sleep(0))
    state.total_requests, state.tasks = 1, {request}
    running._trim()
    assert trims == []  # it still runs
    await request
    state.tasks.clear()
    running._trim()
    running._trim()
    assert trims == [1]


def test_giving_the_heap_back_harms_nothing_where_the_c_library_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    server.trim_heap()
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    server.trim_heap()
