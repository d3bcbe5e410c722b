"""An engine on fake models, with real worker processes, and what tests ask of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
from fake_models import fake_model
from msgspec.structs import replace

from slimvoice.backends.fake.adapter import clip_text
from slimvoice.backends.registry import capabilities_of
from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.engine.health import Timeouts
from slimvoice.speech import (
    InstalledModel,
    Segment,
    Task,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
    joined_text,
)

MB = 1_000_000
TIMEOUTS = Timeouts(load_s=20, load_pong_s=1.0, pong_s=1.0, ping_every_s=0.2, step_s=20)


class Shelf:
    """A library of fake models."""

    def __init__(self, **settings: dict[str, object]) -> None:
        self.measured: dict[str, int] = {}
        self.names = {name: fake_model(name, settings=own) for name, own in ({"stt": {}, "tts": {}} | settings).items()}

    def installed(self) -> list[InstalledModel]:
        return [self.require(name) for name in self.names]

    def require(self, name: str, task: Task | None = None, *, check_files: bool = True) -> InstalledModel:
        model = self.names[name]
        return InstalledModel(model=replace(model, capabilities=capabilities_of(model)), files={})

    def measured_memory(self, name: str) -> int:
        return self.measured.get(name, 0)

    def record_memory(self, name: str, memory_bytes: int) -> None:
        self.measured[name] = memory_bytes


@asynccontextmanager
async def running(
    shelf: Shelf | None = None, timeouts: Timeouts = TIMEOUTS, **settings: object
) -> AsyncIterator[Engine]:
    """Run an engine and end it, leaving no child behind."""
    engine = Engine(Settings(**{"drain_s": 0.2, **settings}), shelf or Shelf(), timeouts=timeouts)  # type: ignore[arg-type]
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        assert children() == []


def children() -> list[psutil.Process]:
    """Return the worker processes of this test run that live."""
    return [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


def clip(number: int, duration_s: float = 0.5) -> Waveform:
    """Return a recording that nobody else has."""
    samples = array("h", [2000 + number % 20000, -3000] * int(duration_s * 8000))
    return Waveform(pcm=samples.tobytes())


async def hear(engine: Engine, waveform: Waveform, model: str = "stt", **fields: object) -> str:
    """Transcribe to the end."""
    request = TranscribeRequest(model=fake_model(model), waveform=waveform, **fields)  # type: ignore[arg-type]
    events = [event async for event in engine.transcribe(request)]
    assert isinstance(events[-1], TranscriptDone)
    return joined_text([event for event in events if isinstance(event, Segment)])


def expected(waveform: Waveform) -> str:
    return clip_text(waveform.pcm).strip()


async def until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Wait for a condition; a test that waits in vain fails."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is often in another process
            await asyncio.sleep(0.01)


async def worker_pid(engine: Engine, model: str = "stt") -> int:
    pids = [worker.pid for worker in (await engine.status()).workers if worker.model == model]
    assert pids and pids[0]
    return pids[0]


async def killed_under_load(
    engine: Engine,
    model: str,
    ask: Callable[[int], Awaitable[str]],
    moment: Callable[[list[str]], Awaitable[None]],
    *,
    kills: int,
    clients: int,
    chance: random.Random,
) -> list[str]:
    """Let clients `ask`, each with numbers of its own, while the model's workers are killed again and again.

    `moment` waits, before each kill, for the time to kill; it is given how requests ended so far, which is returned.
    """
    outcomes: list[str] = []
    stop = False

    async def client(number: int) -> None:
        while not stop:
            outcomes.append(await ask(number))
            number += clients

    running = [asyncio.create_task(client(number)) for number in range(clients)]
    hosted = engine.pool.models[model]
    for kill in range(kills):
        hosted.policy.reset()  # three restarts in half an hour have a test of their own
        await moment(outcomes)
        await until(children)
        sign = signal.SIGSTOP if kill % 10 == 5 else chance.choice([signal.SIGKILL, signal.SIGSEGV])
        for child in children():
            os.kill(child.pid, sign)
    hosted.policy.reset()
    stop = True
    async with asyncio.timeout(120):
        await asyncio.gather(*running)
    assert (hosted.admitted, hosted.active) == (0, 0)
    return outcomes
