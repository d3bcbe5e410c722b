"""A pool without processes: a worker that does what a test tells it, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from fake_models import fake_model

from slimvoice.engine.health import Cause, Exit, Timeouts
from slimvoice.engine.hosted_model import HostedModel, HostSettings
from slimvoice.engine.messages import Event, Request
from slimvoice.engine.pool import Pool
from slimvoice.engine.variants import Variants
from slimvoice.errors import SlimvoiceError, WorkerCrashed, WorkerWedged
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import (
    InstalledModel,
    LoadSpec,
    Model,
    Segment,
    Task,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
)

HELD = "held"
"""Prompt of a job that runs until `FakeWorker.finish_job`."""
SHORT_PCM = b"\x01\x00" * 16_000
LONG_PCM = SHORT_PCM * 100


def request(*, held: bool = False, long: bool = False) -> TranscribeRequest:
    return TranscribeRequest(
        model=fake_model("stt"), waveform=Waveform(pcm=LONG_PCM if long else SHORT_PCM), prompt=HELD if held else ""
    )


def spec(name: str = "stt", *, device: str = "cpu", slots: int = 1) -> LoadSpec:
    model = Model(name=name, task=Task.SPEECH_TO_TEXT, backend="fake-stt")
    return LoadSpec(installed=InstalledModel(model=model, files={}), device=device, slots=slots)


async def settled() -> None:
    """Let everything run that can run without time or the test's doing."""
    loop = asyncio.get_running_loop()
    while loop._ready:  # type: ignore[attr-defined]  # noqa: ASYNC110 - the condition is the loop's own
        await asyncio.sleep(0)


class FakeClock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[FakeTimer] = []

    def now_s(self) -> float:
        return self.now

    def unix_s(self) -> float:
        return 1_000_000 + self.now

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(self.now + delay_s, callback)
        self._timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = sorted((timer for timer in self._timers if timer.at <= self.now), key=lambda timer: timer.at)
        self._timers = [timer for timer in self._timers if timer.at > self.now]
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class FakeTimer:
    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeWorker:
    """A worker process that is none. Where `by_hand`, loads and stops wait until the test lets them end."""

    pid = 0

    def __init__(self, spec: LoadSpec, *, by_hand: bool) -> None:
        self.spec = spec
        self.gone = asyncio.Event()
        self.exit: Exit | None = None
        self.capabilities = None
        self.spoiled = False
        """Whether its jobs fail, probes too."""
        self.jobs: list[asyncio.Future[None]] = []
        """Held jobs that it runs."""
        self.evicted_in_use = False
        self.stopping = False
        self._by_hand = by_hand
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._may_stop = asyncio.Event()

    # --- what the engine calls ---

    async def start(self) -> None:
        if not self._by_hand and not self._loaded.done():
            self._loaded.set_result(None)
        try:
            await asyncio.shield(self._loaded)
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def stop(self) -> None:
        self.stopping = True
        self.evicted_in_use = self.evicted_in_use or (bool(self.jobs) and not self.gone.is_set())
        if self._by_hand and not self.gone.is_set():
            await self._may_stop.wait()
        self._end(Exit("stopped", "it was told to stop"))

    async def kill(self) -> None:
        self.stopping = True
        self._end(Exit("stopped", "it was told to stop"))

    def fail(self, cause: Cause, reason: str) -> None:
        self._end(Exit(cause, reason))

    async def run(
        self, request: Request, step_limit_s: float, on_step: Callable[[float], None]
    ) -> AsyncGenerator[Event, None]:
        if self.gone.is_set():
            raise self.error()
        assert isinstance(request, TranscribeRequest)
        if request.prompt == HELD:
            held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.jobs.append(held)
            try:
                await held
            finally:
                if held in self.jobs:
                    self.jobs.remove(held)
        if self.spoiled:
            raise SlimvoiceError("it is spoiled")
        on_step(0.1)
        yield Segment(id=0, seek=0, start_s=0, end_s=1, text="words")
        yield TranscriptDone(language="en", duration_s=1)

    def error(self) -> SlimvoiceError:
        cause = self.exit.cause if self.exit else "stopped"
        return (WorkerWedged if cause in ("wedged", "device") else WorkerCrashed)(f"its worker ended: {cause}")

    # --- what a test calls ---

    @property
    def loading(self) -> bool:
        return not self._loaded.done() and not self.gone.is_set()

    def finish_load(self) -> None:
        self._loaded.set_result(None)

    def fail_load(self, error: SlimvoiceError) -> None:
        """End as a worker does that says why it cannot load."""
        self.exit = Exit("stopped", "it said why")
        self.gone.set()
        self._may_stop.set()
        self._loaded.set_exception(error)

    def crash(self, by: signal.Signals = signal.SIGSEGV) -> None:
        self._end(Exit("crashed", f"it crashed ({by.name})", "", by))

    def finish_job(self) -> None:
        self.jobs.pop(0).set_result(None)

    def let_stop(self) -> None:
        self._may_stop.set()

    def _end(self, end: Exit) -> None:
        if self.gone.is_set():
            return
        self.exit = end
        self.gone.set()
        self._may_stop.set()
        if not self._loaded.done():
            self._loaded.set_exception(self.error())
            self._loaded.exception()
        for job in self.jobs:
            if not job.done():
                job.set_exception(self.error())


class FakePool:
    """A pool of models on fake workers, and what a test does with it."""

    def __init__(self, budget_bytes: int = 100, *, by_hand: bool = False, home: Path | None = None) -> None:
        self.by_hand = by_hand
        self.workers: list[FakeWorker] = []
        self.clock = FakeClock()
        self.metrics = EngineMetrics()
        self.recorded = asyncio.Event()
        """Clear: what is measured takes its time to be written."""
        self.recorded.set()
        home = home or Path(tempfile.gettempdir()) / "slimvoice-no-home"
        self.pool = Pool({"cpu": budget_bytes, "cuda:0": 1000}, self.metrics, Variants(home), self._record, self._make)

    def _make(self, spec: LoadSpec, timeouts: Timeouts) -> FakeWorker:
        self.workers.append(FakeWorker(spec, by_hand=self.by_hand))
        return self.workers[-1]

    async def _record(self, _: HostedModel) -> None:
        await self.recorded.wait()

    def host(
        self, name: str = "stt", memory_bytes: int = 10, settings: HostSettings | None = None, **of_spec: object
    ) -> HostedModel:
        hosted = HostedModel(
            spec(name, **of_spec),  # type: ignore[arg-type]
            settings or HostSettings(),
            self.metrics,
            memory_bytes,
            self.clock,
        )
        self.pool.models[name] = hosted
        return hosted

    def job(self, hosted: HostedModel, *, held: bool = False, long: bool = False) -> asyncio.Task[str]:
        """Start a job as the engine does; its task returns the text that came."""
        return asyncio.get_running_loop().create_task(self._run(hosted, request(held=held, long=long)))

    async def _run(self, hosted: HostedModel, work: Request) -> str:
        text = ""
        with hosted.admission(work):
            async with self.pool.job_slot(hosted, work), hosted.job(work) as (job, events):
                while (event := await job.next_event(events)) is not None:
                    text += event.text if isinstance(event, Segment) else ""
        return text

    async def loaded(self, name: str = "stt", **fields: object) -> tuple[HostedModel, FakeWorker]:
        """Return a model that has done a job, and its worker."""
        hosted = self.host(name, **fields)  # type: ignore[arg-type]
        job = self.job(hosted)
        await settled()
        if self.by_hand:
            self.workers[-1].finish_load()
        assert await job == "words"
        return hosted, self.workers[-1]
