"""What the engine asks of a worker process, and how it comes by one; a unit test stands one of its own in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from slimvoice.engine.health import Cause, Exit, Timeouts
from slimvoice.engine.messages import Event, Request
from slimvoice.errors import SlimvoiceError
from slimvoice.speech import Capabilities, LoadSpec


class Worker(Protocol):
    """One worker process. `gone` is set once it has ended, `exit` then tells how."""

    spec: LoadSpec
    gone: asyncio.Event
    exit: Exit | None
    capabilities: Capabilities | None
    """What the loaded model said that it can do."""

    @property
    def pid(self) -> int:
        """The process id; 0: not started."""
        ...

    async def start(self) -> None:
        """Start the process and wait until the model is loaded; raises ModelLoad or WorkerCrashed."""
        ...

    async def stop(self) -> None:
        """Shut the process down; returns once it has ended."""
        ...

    async def kill(self) -> None:
        """Kill the process; returns once it has ended."""
        ...

    def fail(self, cause: Cause, reason: str) -> None:
        """Kill a process that has failed."""
        ...

    def run(
        self, request: Request, step_limit_s: float, on_step: Callable[[float], None]
    ) -> AsyncGenerator[Event, None]:
        """Run one job and yield its events; closing the generator cancels it."""
        ...

    def error(self) -> SlimvoiceError:
        """Return what to tell a client whose job died with this process."""
        ...


WorkerFactory = Callable[[LoadSpec, Timeouts], Worker]
"""Makes a worker that is not started yet."""
