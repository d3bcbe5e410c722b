"""Pull a model in a thread while the event loop goes on; leaving the pull stops it, and the next one resumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from threading import Event

from slimvoice.errors import Cancelled
from slimvoice.models.library import PullProgress
from slimvoice.speech import InstalledModel

Pull = Callable[[Callable[[PullProgress], None]], InstalledModel]
"""A pull that takes whom to tell how far it is, and stops when that raises."""


async def pull_events(pull: Pull) -> AsyncGenerator[PullProgress | InstalledModel, None]:
    """Yield progress, and the model once it is here; raises PullError. Closing the generator cancels the pull."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[PullProgress | None] = asyncio.Queue()
    left = Event()

    def tell(progress: PullProgress | None) -> None:
        if left.is_set() and progress is not None:
            raise Cancelled("nobody waits for this pull any more")
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, progress)

    def work() -> InstalledModel:
        try:
            return pull(tell)
        finally:
            tell(None)

    pulling = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while (progress := await queue.get()) is not None:
            yield progress
        yield await pulling
    finally:
        left.set()
        pulling.add_done_callback(lambda task: task.cancelled() or task.exception())


async def pulled(pull: Pull) -> None:
    """Pull without telling how far it is; raises PullError."""
    async with aclosing(pull_events(pull)) as events:
        async for _event in events:
            pass
