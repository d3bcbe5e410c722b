"""What one request spent on decoding, in queues and computing: told where it is spent, collected where it is logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Phase = Literal["decode", "queue", "compute"]

_current: ContextVar[dict[Phase, float] | None] = ContextVar("timings", default=None)


@contextmanager
def collect() -> Iterator[dict[Phase, float]]:
    """Collect the seconds per phase that are recorded in this block, in the tasks and threads that it starts too."""
    seconds: dict[Phase, float] = {}
    token = _current.set(seconds)
    try:
        yield seconds
    finally:
        _current.reset(token)


def record(phase: Phase, seconds: float) -> None:
    """Add seconds to a phase of the present request; nothing happens where nobody collects."""
    collected = _current.get()
    if collected is not None:
        collected[phase] = collected.get(phase, 0.0) + seconds


@contextmanager
def measure(phase: Phase) -> Iterator[None]:
    """Record how long this block takes, however it ends."""
    began = time.monotonic()
    try:
        yield
    finally:
        record(phase, time.monotonic() - began)
