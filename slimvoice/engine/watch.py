"""Noticing a worker process that stands still: pings while there is something to answer for, a clock for each step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from slimvoice.engine.health import Limits
from slimvoice.engine.link import Link
from slimvoice.engine.messages import Ping


class Watch:
    """Pings one worker. `stuck` is told the reason when an answer does not come."""

    def __init__(self, limits: Limits, gone: asyncio.Event, stuck: Callable[[str], None]) -> None:
        self._limits = limits
        self._gone = gone
        self._stuck = stuck
        self._pong = asyncio.Event()

    def answered(self) -> None:
        """Note an answer."""
        self._pong.set()

    async def ping(self, link: Link, busy: Callable[[], bool], loading: Callable[[], bool]) -> None:
        """Ping while it loads or is busy, so that a stopped process is noticed; an idle one is left alone."""
        number = 0
        while not self._gone.is_set() and (busy() or loading()):
            number += 1
            self._pong.clear()
            link.post(Ping(number))
            patience_s = self._limits.load_pong_s if loading() else self._limits.pong_s
            try:
                async with asyncio.timeout(patience_s):
                    await self._pong.wait()
            except TimeoutError:
                self._stuck(f"it did not answer for {patience_s:.0f} s")
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.ping_every_s):
                    await self._gone.wait()


class StepClock:
    """Runs while one job computes a step."""

    def __init__(self, limit_s: float, stuck: Callable[[str], None]) -> None:
        self._limit_s = limit_s
        self._stuck = stuck
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """A step begins."""
        self.stop()
        reason = f"a step took more than {self._limit_s:.0f} s"
        self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._stuck, reason)

    def stop(self) -> None:
        """The step has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
