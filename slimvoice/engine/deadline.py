"""The deadline of one request, queueing included."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from slimvoice.errors import DeadlineExceeded

T = TypeVar("T")


class Deadline:
    """A time by which a request must be done; `at` is the event loop's time, None: never."""

    def __init__(self, at: float | None) -> None:
        self._at = at

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that is so far ahead."""
        return cls(asyncio.get_running_loop().time() + seconds)

    async def wait_for(self, work: Awaitable[T]) -> T:
        """Await `work`; raises DeadlineExceeded, and cancels it, when it is not done in time."""
        try:
            async with asyncio.timeout_at(self._at):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(
                "the request ran out of its time", hint="send less audio or text, or allow more time"
            ) from None


NO_DEADLINE = Deadline(None)
