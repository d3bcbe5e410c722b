"""Runs one job with an engine in this process; its worker process ends with the command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from slimvoice.errors import ModelNotPulled

if TYPE_CHECKING:
    from slimvoice.config import Settings
    from slimvoice.models.library import ModelLibrary
    from slimvoice.speech import Model, SpeechProvider, Task

T = TypeVar("T")

NO_DEADLINE_S = 1e9
"""A person waits as long as it takes; the setting request_timeout_s is for the server's clients."""


def run(settings: Settings, library: ModelLibrary, work: Callable[[SpeechProvider], Awaitable[T]]) -> T:
    """Run `work` with a local engine; Ctrl-C cancels it, and ends the worker before this returns."""
    from slimvoice.app import open_engine

    async def options() -> T:
        async with open_engine(replace(settings, drain_s=0.0), library) as engine:
            return await work(engine)

    return asyncio.run(options())


def model_for(library: ModelLibrary, settings: Settings, name: str, task: Task) -> Model:
    """Return the installed model that a name means, pulled first where the settings allow it."""
    try:
        return library.require(name, task).model
    except ModelNotPulled:
        if settings.auto_pull == "off":
            raise
    from slimvoice.cli.progress import pull

    return pull(library, library.find(name, task).name).model


async def in_thread(work: Callable[[], T]) -> T:
    """Wait for blocking work in a thread that the end of the program does not wait for, unlike asyncio.to_thread's."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if result.done():  # cancelled meanwhile
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def body() -> None:
        try:
            value, failure = work(), None
        except Exception as error:  # passed on to who waits
            value, failure = None, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, failure)

    Thread(target=body, daemon=True).start()
    return await result
