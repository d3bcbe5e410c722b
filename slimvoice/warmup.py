"""Background work of a started server: pull the configured models, then preload those that stay loaded."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

import structlog

from slimvoice.config import Settings, names
from slimvoice.errors import ModelNotFound, ModelNotPulled, SlimvoiceError, Unsupported
from slimvoice.models.async_pull import pull_events
from slimvoice.models.library import ModelLibrary, PullProgress
from slimvoice.readiness import Readiness
from slimvoice.speech import ModelHost, SpeechProvider, Task

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
STARTERS = "starters"
PULL_FAILED = "pull failed"


class Warmup:
    """Pulls and preloads; a pull that fails is tried again, for ever and less and less often."""

    def __init__(
        self,
        library: ModelLibrary,
        provider: SpeechProvider,
        host: ModelHost,
        settings: Settings,
        readiness: Readiness,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._library = library
        self._provider = provider
        self._host = host
        self._settings = settings
        self._readiness = readiness
        self._first_pause_s = first_pause_s

    def plan(self) -> list[str]:
        """Return the models that are to be pulled and are not here, and note that they are awaited."""
        asked = [
            name
            for word in names(self._settings.pull)
            for name in (self._library.starters if word == STARTERS else [word])
        ]
        missing = [name for name in dict.fromkeys(asked) if not is_here(self._library, name)]
        for name in missing:
            self._readiness.awaits(name)
        return missing

    async def run(self, missing: list[str]) -> None:
        """Pull what is missing, then load what is to be kept; returns when both are done."""
        for name in missing:
            await self._pull(name)
        for name in names(self._settings.preload):
            try:
                model = await self._provider.resolve(name)
                if not model.is_local:
                    continue
                status = await self._host.load(model, -1)
            except SlimvoiceError as error:
                self._failed("preload failed", name, error)
            else:
                log.info("preloaded", model=status.model, memory_bytes=status.memory_bytes, device=status.device)

    async def _pull(self, name: str) -> None:
        pause_s = self._first_pause_s
        while True:
            try:
                await self._pull_once(name)
            except (ModelNotFound, Unsupported) as error:
                self._failed(PULL_FAILED, name, error)
                return
            except SlimvoiceError as error:
                self._failed(PULL_FAILED, name, error, retry_in_s=pause_s)
            else:
                self._readiness.settled(name)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if is_here(self._library, name):  # somebody else brought it
                self._readiness.settled(name)
                return

    def _failed(self, what: str, name: str, error: SlimvoiceError, **more: float) -> None:
        log.error(what, model=name, error=error.message, hint=error.hint, detail=error.detail, **more)
        if what == PULL_FAILED:
            self._readiness.failed(name, error.message)

    async def _pull_once(self, name: str) -> None:
        tenth = -1
        async with aclosing(pull_events(partial(self._library.pull, name))) as events:
            async for event in events:
                if not isinstance(event, PullProgress):
                    log.info("pulled", model=name, size_bytes=event.model.size_bytes)
                    continue
                self._readiness.progresses(name, event)
                if (now := 10 * event.done_bytes // max(1, event.total_bytes)) > tenth and event.total_bytes:
                    tenth = now
                    log.info(
                        "pulling",
                        model=name,
                        percent=100 * event.done_bytes // event.total_bytes,
                        size_bytes=event.total_bytes,
                        source=event.source,
                    )


def is_here(library: ModelLibrary, name: str) -> bool:
    """Whether a model's files are on this machine."""
    try:
        library.require(name)
    except (ModelNotFound, ModelNotPulled, Unsupported):
        return False
    return True


def defaults_are_here(library: ModelLibrary) -> bool:
    """Whether the default models of both tasks can answer."""
    for task in Task:
        try:
            library.require("", task)
        except (ModelNotFound, ModelNotPulled, Unsupported):
            return False
    return True
