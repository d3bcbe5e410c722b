"""Pulls in threads of their own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from slimvoice.errors import Cancelled, DiskFull
from slimvoice.models.async_pull import pull_async, pull_events
from slimvoice.models.library import PullProgress
from slimvoice.speech import InstalledModel, Model, Task

MODEL = InstalledModel(model=Model(name="m", task=Task.SPEECH_TO_TEXT, backend="fake-stt"), files={})


async def test_progress_comes_in_order_and_the_model_last():
    def pull(tell):
        for done in range(3):
            tell(PullProgress(model="m", done_bytes=done))
        return MODEL

    events = [event async for event in pull_events(pull)]
    assert [event.done_bytes for event in events[:-1]] == [0, 1, 2]
    assert events[-1] is MODEL


async def test_a_failure_is_raised_where_the_pull_is_awaited():
    def pull(tell):
        raise DiskFull("full")

    with pytest.raises(DiskFull):
        await pull_async(pull)


async def test_leaving_a_pull_stops_it():
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def pull(tell):
        try:
            while True:
                tell(PullProgress(model="m"))
                threading.Event().wait(0.001)
        except Cancelled:
            loop.call_soon_threadsafe(ended.set)
            raise

    async with aclosing(pull_events(pull)) as events:
        await anext(events)
    async with asyncio.timeout(10):
        await ended.wait()


async def test_many_pulls_leave_threads_for_other_work():
    release = threading.Event()

    def pull(tell):
        release.wait(30)
        return MODEL

    pulls = [asyncio.ensure_future(pull_async(pull)) for _ in range(64)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(lambda: "decoded") == "decoded"
    release.set()
    await asyncio.gather(*pulls)
