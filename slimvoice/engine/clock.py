"""The clock and the timers of the engine; a unit test injects its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that is due later."""

    def cancel(self) -> None:
        """Never call it."""
        ...


class Clock(Protocol):
    """What the engine asks of time."""

    def now_s(self) -> float:
        """Return seconds that only grow, to measure with."""
        ...

    def unix_s(self) -> float:
        """Return Unix time, to show."""
        ...

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call back on the event loop after `delay_s`."""
        ...


class SystemClock:
    """The machine's clock, and timers of the running event loop."""

    def now_s(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def unix_s(self) -> float:
        """Return Unix time."""
        return time.time()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call back on the running event loop after `delay_s`."""
        return asyncio.get_running_loop().call_later(delay_s, callback)
