"""Runs one job with an engine in this process; its worker process ends with the command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from slimvoice.cli.global_options import library_of

if TYPE_CHECKING:
    from slimvoice.config import Settings
    from slimvoice.service import SpeechService

T = TypeVar("T")

NO_DEADLINE_S = 1e9
"""A person waits as long as it takes; the setting request_timeout_s is for the server's clients."""


def run(settings: Settings, work: Callable[[SpeechService], Awaitable[T]]) -> T:
    """Run `work` with a local engine; Ctrl-C cancels it, and ends the worker before this returns."""
    from slimvoice.app import open_service
    from slimvoice.cli.progress import pull_async

    library = library_of(settings)

    async def served() -> T:
        async with open_service(replace(settings, drain_s=0.0), library, partial(pull_async, library)) as service:
            return await work(service)

    return asyncio.run(served())
