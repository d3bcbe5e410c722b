"""Pull a model in a thread while the event loop goes on; leaving the pull stops it, and the next one resumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from threading import Event, Thread

from slimvoice.errors import Cancelled
from slimvoice.models.library import PullProgress
from slimvoice.speech import InstalledModel

Pull = Callable[[Callable[[PullProgress], None]], InstalledModel]
"""A pull that takes whom to tell how far it is, and stops when that raises."""


async def pull_events(pull: Pull) -> AsyncGenerator[PullProgress | InstalledModel, None]:
    """Yield progress, and the model once it is here; raises PullError. Closing the generator cancels the pull.

    The thread is its own, not the event loop's: a pull may wait for hours, and uploads are decoded in the loop's few.
    It is a daemon, so that a network that hangs does not keep a stopping server alive.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[PullProgress | InstalledModel | BaseException] = asyncio.Queue()
    left = Event()

    def put(event: PullProgress | InstalledModel | BaseException) -> None:
        with suppress(RuntimeError):  # the loop is gone, and nobody waits
            loop.call_soon_threadsafe(queue.put_nowait, event)

    def tell(progress: PullProgress) -> None:
        if left.is_set():
            raise Cancelled("nobody waits for this pull any more")
        put(progress)

    def work() -> None:
        try:
            put(pull(tell))
        except BaseException as error:
            put(error)

    Thread(target=work, name="pull", daemon=True).start()
    try:
        while True:
            event = await queue.get()
            if isinstance(event, BaseException):
                raise event
            yield event
            if isinstance(event, InstalledModel):
                return
    finally:
        left.set()


async def pull_async(pull: Pull) -> None:
    """Pull a model without reporting progress; raises PullError."""
    async with aclosing(pull_events(pull)) as events:
        async for _event in events:
            pass
