"""How a job went: measured on its worker, and counted at its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from slimvoice.engine.clock import Clock
from slimvoice.engine.messages import LAST_EVENTS, Event
from slimvoice.engine.throughput import produced_seconds


class MeasuredJob:
    """The events of one job, and what they tell of the model's pace."""

    def __init__(self, clock: Clock, on_done: Callable[[MeasuredJob], None]) -> None:
        self.began_s = clock.now_s()
        self.first_s: float | None = None
        """Seconds from the start to the first event; None: there was none yet."""
        self.produced_s = 0.0
        self.steps_s: list[float] = []
        """Seconds that each step computed."""
        self._clock = clock
        self._on_done = on_done

    async def next_event(self, events: AsyncGenerator[Event, None]) -> Event | None:
        """Return the next event, None at the end; a reader may go at once after the last one."""
        event = await anext(events, None)
        if event is None:
            return None
        if self.first_s is None:
            self.first_s = self._clock.now_s() - self.began_s
        self.produced_s += produced_seconds(event)
        if isinstance(event, LAST_EVENTS):
            self._on_done(self)
        return event


@dataclass
class Outcome:
    """How a request ended, its second try included."""

    last_event: Event | None = None
    """The last event that its reader got."""
    error: str = ""

    def __str__(self) -> str:
        """Return `done`, `cancelled` by its reader, or the code of an error."""
        return self.error or ("done" if isinstance(self.last_event, LAST_EVENTS) else "cancelled")
