"""What a running server does by itself."""

from __future__ import annotations

import asyncio

import pytest

from slimvoice import serving
from slimvoice.config import Settings


async def test_heap_is_given_back_once_after_the_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(serving, "trim_heap", lambda: trims.append(1))
    server = serving.Server(lambda: None, Settings(), lambda: None)  # type: ignore[arg-type]
    state = server.server_state
    server._trim()
    assert trims == []  # nothing was asked yet
    request = asyncio.create_task(asyncio.sleep(0))
    state.total_requests, state.tasks = 1, {request}
    server._trim()
    assert trims == []  # it still runs
    await request
    state.tasks.clear()
    server._trim()
    server._trim()
    assert trims == [1]


def test_giving_the_heap_back_harms_nothing_where_the_c_library_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    serving.trim_heap()
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    serving.trim_heap()
