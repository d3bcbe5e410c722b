"""Detects a stuck worker process: pings while it loads or is busy, and a timer for each step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from slimvoice.engine.channel import AsyncChannel
from slimvoice.engine.health import Timeouts
from slimvoice.engine.messages import Ping


class Watchdog:
    """Pings one worker. `on_stuck` is called with the reason when no pong comes."""

    def __init__(self, timeouts: Timeouts, gone: asyncio.Event, on_stuck: Callable[[str], None]) -> None:
        self._timeouts = timeouts
        self._gone = gone
        self._on_stuck = on_stuck
        self._pong = asyncio.Event()

    def pong_received(self) -> None:
        """Record a pong."""
        self._pong.set()

    async def ping(self, channel: AsyncChannel, busy: Callable[[], bool], loading: Callable[[], bool]) -> None:
        """Ping while it loads or is busy, so that a stopped process is noticed; an idle one is left alone."""
        number = 0
        while not self._gone.is_set() and (busy() or loading()):
            number += 1
            self._pong.clear()
            channel.post(Ping(number))
            patience_s = self._timeouts.load_pong_s if loading() else self._timeouts.pong_s
            try:
                async with asyncio.timeout(patience_s):
                    await self._pong.wait()
            except TimeoutError:
                self._on_stuck(f"it did not answer for {patience_s:.0f} s")
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeouts.ping_every_s):
                    await self._gone.wait()


class StepClock:
    """A timer that runs while one job computes a step."""

    def __init__(self, limit_s: float, on_stuck: Callable[[str], None]) -> None:
        self._limit_s = limit_s
        self._on_stuck = on_stuck
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """A step begins."""
        self.stop()
        reason = f"a step took more than {self._limit_s:.0f} s"
        self._timer = asyncio.get_running_loop().call_later(self._limit_s, self._on_stuck, reason)

    def stop(self) -> None:
        """The step has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
