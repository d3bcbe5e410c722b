"""The pool of hosted models: loads on demand (single-flight), evicts idle ones, restarts crashed workers.

Runs on one event loop; nothing here blocks. State changes that belong together happen between two awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager

import structlog

from slimvoice.engine.deadline import NO_DEADLINE, Deadline
from slimvoice.engine.hosted_model import HostedModel
from slimvoice.engine.job_slots import JobSlot
from slimvoice.engine.memory_budget import MemoryBudget
from slimvoice.engine.messages import Request
from slimvoice.engine.probe import probe, probe_request
from slimvoice.engine.variants import Variants, died_of
from slimvoice.engine.worker import WorkerProcess
from slimvoice.engine.worker_protocol import Worker, WorkerFactory
from slimvoice.errors import ModelLoad, ShuttingDown, SlimvoiceError, pull_hint
from slimvoice.metrics import EngineMetrics

log = structlog.get_logger(__name__)


async def _forget(_: HostedModel) -> None:
    """Keep nothing of what was measured."""


class Pool:
    """The loaded models within the memory budget of each device (`cpu`, `cuda:N` -> bytes)."""

    def __init__(
        self,
        budgets: Mapping[str, int],
        metrics: EngineMetrics,
        variants: Variants,
        on_measured: Callable[[HostedModel], Awaitable[None]] = _forget,
        worker_factory: WorkerFactory = WorkerProcess,
    ) -> None:
        self.models: dict[str, HostedModel] = {}
        self._memory = MemoryBudget(self.models, budgets, self._evict, self._wait_for_change)
        self._metrics = metrics
        self._variants = variants
        self._on_measured = on_measured
        self._worker_factory = worker_factory
        self._evicting = asyncio.Lock()
        self._change = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[None]] = set()
        """Workers that are ending: nothing cancels these."""
        self._closing = False

    # --- use ---

    @asynccontextmanager
    async def job_slot(
        self, hosted: HostedModel, request: Request, deadline: Deadline = NO_DEADLINE
    ) -> AsyncIterator[None]:
        """Hold a job slot of the model's worker, loading the model first; the last one starts the keep-alive timer.

        Raises ModelLoad, InsufficientMemory, WorkerCrashed, ModelFailed, ShuttingDown, DeadlineExceeded.
        """
        if self._closing:
            raise ShuttingDown("the server is stopping", hint="try again in a moment", retry_after_s=5.0)
        hosted.check_cooling()
        job_slot = hosted.request_slot(request)
        try:
            self._serve_waiting(hosted)
            await deadline.wait_for(job_slot.granted)
            yield
        finally:
            self._release(hosted, job_slot)

    def _release(self, hosted: HostedModel, job_slot: JobSlot) -> None:
        hosted.release_slot(job_slot)
        self._serve_waiting(hosted)
        self._start_keep_alive(hosted)
        self._notify_change()

    def _serve_waiting(self, hosted: HostedModel, *, fresh: bool = False) -> None:
        """Grant free job slots to waiting jobs; start loading the model for them if it is not loaded."""
        hosted.grant_waiting(fresh=fresh)
        if hosted.slots.waiting:
            self._start_loading(hosted)

    def _start_keep_alive(self, hosted: HostedModel) -> None:
        if hosted.idle and not hosted.slots.waiting and not self._closing:
            hosted.keep_alive.start(lambda: self._spawn(self._expire(hosted)))
            self._spawn(self._evict_surplus())

    async def _evict_surplus(self) -> None:
        """Evict idle models where measured memory exceeds a budget."""
        while (grown := self._memory.surplus_model()) is not None:
            await self._evict(grown)

    async def _expire(self, hosted: HostedModel) -> None:
        if hosted.idle:
            await self._evict(hosted, "keep-alive")

    # --- loading ---

    def _start_loading(self, hosted: HostedModel) -> None:
        """Start loading unless a load or an eviction of this model is in progress."""
        if hosted.state == "absent" and not self._closing:
            hosted.request_load()
            self._spawn(self._load(hosted))

    async def _load(self, hosted: HostedModel) -> None:
        try:
            if not self._memory.fits(hosted):
                async with self._evicting:  # one at a time, or they would wait for each other
                    await self._memory.make_room_for(hosted, self._serve_waiting)
            hosted.use_variant(self._variants.first(hosted.backend))
            worker = self._worker_factory(hosted.spec, hosted.settings.timeouts)
            hosted.begin_loading(worker)
            await self._start(hosted, worker)
        except SlimvoiceError as error:
            await self._load_otherwise(hosted, error)
        self._notify_change()
        self._serve_waiting(hosted, fresh=True)
        self._start_keep_alive(hosted)

    async def _start(self, hosted: HostedModel, worker: Worker) -> None:
        """Start a worker and prove that it works."""
        began_s = hosted.clock.now_s()
        try:
            await worker.start()
            loaded_s = hosted.clock.now_s() - began_s
            await probe(worker, hosted.step_limit_s)
        except SlimvoiceError as error:
            await worker.stop()
            cause = worker.exit.cause if worker.exit and worker.exit.failure else "load"
            self._failed(hosted, cause, error)
            if cause == "load" and not isinstance(error, ModelLoad):
                raise ModelLoad(
                    f"model {hosted.name} was loaded but does not work: {error.message}",
                    hint=pull_hint(hosted.name),
                    detail=error.detail,
                ) from error
            raise
        hosted.measure(loaded=True)
        await self._on_measured(hosted)
        if hosted.lowered_by:
            self._variants.keep(hosted.backend, hosted.spec.variant, hosted.lowered_by)
        hosted.finish_loading()
        took_s = hosted.clock.now_s() - began_s
        self._metrics.loaded(hosted.name, took_s)
        log.info("model loaded", model=hosted.name, device=hosted.device, variant=hosted.spec.variant or None,
                 seconds=round(loaded_s, 2), probe_seconds=round(took_s - loaded_s, 2),
                 memory_bytes=hosted.memory_bytes, pid=worker.pid)  # fmt: skip
        self._spawn(self._supervise(hosted, worker))

    async def _load_otherwise(self, hosted: HostedModel, error: SlimvoiceError) -> None:
        """After a load that failed: prepare a lower variant, or the CPU; else reject the jobs that wait."""
        died = died_of(hosted.worker.exit) if hosted.worker and hosted.device == "cpu" else ""
        if not (died and await self._lower_variant(hosted, died, error)):
            if isinstance(error, ModelLoad) and hosted.fall_back_to_cpu():
                log.warning("the GPU cannot be used", model=hosted.name, error=str(error), detail=error.detail)
            else:
                hosted.slots.reject_waiting(error)
        hosted.stopped()

    async def _lower_variant(self, hosted: HostedModel, died: str, error: SlimvoiceError) -> bool:
        """Go down from a variant that crashes, if there is a lower one; rejects who waits where all have crashed."""
        variant = hosted.spec.variant
        lower, hint = await self._variants.after(hosted.backend, variant)
        error.hint = hint or error.hint
        if lower is not None:
            log.warning("the runtime crashes on this processor: a lower variant is tried", model=hosted.name,
                        backend=hosted.backend, crashed=variant or "the best", signal=died, next=lower)  # fmt: skip
            hosted.step_down(lower, died)
            return True
        if hosted.lowered_by:
            message = f"model {hosted.name} crashes every variant of its runtime on this processor: {error.message}"
            hosted.slots.reject_waiting(ModelLoad(message, hint=hint, detail=error.detail))
        hosted.end_step_down()
        return False

    # --- unloading ---

    async def _evict(self, hosted: HostedModel, why: str = "memory") -> None:
        """End an idle model's worker; returns when its memory is back. Who waits for that may leave."""
        if hosted.worker is not None and hosted.state == "ready":
            hosted.begin_stopping()
            stop = asyncio.get_running_loop().create_task(self._stop(hosted, hosted.worker, why))
            self._stops.add(stop)
            stop.add_done_callback(self._stops.discard)
            await asyncio.shield(stop)

    async def _stop(self, hosted: HostedModel, worker: Worker, why: str) -> None:
        await self._on_measured(hosted)
        await worker.stop()
        hosted.stopped()
        self._metrics.unloaded(hosted.name, hosted.device, why)
        log.info("model unloaded", model=hosted.name, why=why)
        self._notify_change()
        self._serve_waiting(hosted)

    async def unload(self, hosted: HostedModel) -> None:
        """End a model's worker once its running jobs are done; jobs that come meanwhile load it again afterwards."""
        try:
            with hosted.new_jobs_held():
                while hosted.active or hosted.state in {"loading", "stopping"}:
                    await self._wait_for_change()
                await self._evict(hosted, "asked")
        finally:
            self._serve_waiting(hosted)

    async def close(self, drain_s: float, *, kill: bool = False) -> None:
        """Reject waiting jobs, drain running ones for a bounded time, then stop every worker, or kill it."""
        self._closing = True
        for hosted in self.models.values():
            hosted.slots.reject_waiting(ShuttingDown("the server is stopping", retry_after_s=5.0))
        try:
            async with asyncio.timeout(drain_s):
                while any(hosted.active for hosted in self.models.values()):
                    await self._wait_for_change()
        except TimeoutError:
            pass
        for task in list(self._tasks):
            task.cancel()
        workers = [hosted.worker for hosted in self.models.values() if hosted.worker]
        await asyncio.gather(*(worker.kill() if kill else worker.stop() for worker in workers))
        await asyncio.gather(*self._tasks, *self._stops, return_exceptions=True)
        for hosted in self.models.values():
            hosted.stopped()
        self._notify_change()

    # --- failures ---

    def suspect(self, hosted: HostedModel) -> None:
        """Probe a worker that failed a job, to learn whether the input or the worker is at fault."""
        if hosted.suspect():
            self._spawn(self.probe_or_replace(hosted))

    async def probe_or_replace(self, hosted: HostedModel) -> None:
        """Probe a model and replace its worker if the probe fails. Does not extend its keep-alive."""
        expires_at, worker = hosted.keep_alive.expires_at, hosted.worker
        with hosted.check():
            try:
                async with self.job_slot(hosted, probe_request(hosted.spec.installed.model)):
                    await self._probe(hosted, worker)
            except SlimvoiceError:  # it has no worker now: there is nothing to probe
                return
        hosted.keep_alive.restore(expires_at)

    async def _probe(self, hosted: HostedModel, worker: Worker | None) -> None:
        """Probe a worker until no job has failed meanwhile; ends one that does not pass."""
        answered = -1
        try:
            while worker is not None and answered != hosted.suspicions:
                answered = hosted.suspicions
                await probe(worker, hosted.step_limit_s)
        except SlimvoiceError as error:
            log.warning("probe failed", model=hosted.name, error=error.message, detail=error.detail)
            if worker is not None:
                worker.fail("wedged" if hosted.device == "cpu" else "device", f"its probe failed: {error.message}")

    async def _supervise(self, hosted: HostedModel, worker: Worker) -> None:
        """Wait for a worker to exit; unless it was asked to, restart it as the restart policy allows."""
        await worker.gone.wait()
        if hosted.worker is not worker or worker.exit is None or not worker.exit.failure:
            return
        again = self._failed(hosted, worker.exit.cause, worker.error())
        if hosted.state != "ready":  # it is being unloaded: that goes on
            return
        hosted.crashed(restart=again)
        self._notify_change()
        if again:
            self._start_loading(hosted)
        else:
            try:
                hosted.check_cooling()
            except SlimvoiceError as error:
                hosted.slots.reject_waiting(error)

    def _failed(self, hosted: HostedModel, cause: str, error: SlimvoiceError) -> bool:
        """Record a failure; returns whether the model may be reloaded at once."""
        log.error("model failed", model=hosted.name, cause=cause, error=error.message, detail=error.detail)
        return hosted.failed(cause, error)

    # --- waiting ---

    async def _wait_for_change(self) -> None:
        """Wait for the next state change of any model."""
        await self._change.wait()

    def _notify_change(self) -> None:
        """Wake all waiters of a state change."""
        self._change.set()
        self._change = asyncio.Event()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
