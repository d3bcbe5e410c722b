"""The pool of hosted models: loads on demand (single-flight), evicts idle ones, restarts crashed workers.

Runs on one event loop; nothing here blocks. State changes that belong together happen between two awaits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping

import structlog

from slimvoice.engine.hosted_model import HostedModel, JobSlot
from slimvoice.engine.memory import MemoryBudget
from slimvoice.engine.probe import probe, probe_request
from slimvoice.engine.worker import Request, WorkerProcess
from slimvoice.errors import ModelLoad, ShuttingDown, SlimvoiceError
from slimvoice.metrics import EngineMetrics

log = structlog.get_logger(__name__)


class Pool:
    """The loaded models within the memory budget of each device (`cpu`, `cuda:N` -> bytes)."""

    def __init__(
        self,
        budgets: Mapping[str, int],
        metrics: EngineMetrics,
        on_measured: Callable[[HostedModel], None] = lambda _: None,
    ) -> None:
        self.models: dict[str, HostedModel] = {}
        self._memory = MemoryBudget(self.models, budgets, self._evict, self._wait_for_change)
        self._metrics = metrics
        self._on_measured = on_measured
        self._evicting = asyncio.Lock()
        self._change = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    # --- use ---

    async def acquire(self, hosted: HostedModel, request: Request) -> JobSlot:
        """Wait until the model is loaded and its worker has a job slot free; `release` returns it.

        Raises ModelLoad, InsufficientMemory, WorkerCrashed, ModelFailed, ShuttingDown.
        """
        if self._closing:
            raise ShuttingDown("the server is stopping", hint="try again in a moment", retry_after_s=5.0)
        hosted.check_cooling()
        job_slot = hosted.new_job_slot(request)
        hosted.waiters.append(job_slot)
        self._grant_waiting(hosted)
        try:
            await job_slot.granted
        except BaseException:
            if job_slot in hosted.job_slots:
                self.release(hosted, job_slot)
            elif job_slot in hosted.waiters:
                hosted.waiters.remove(job_slot)
                self._start_keep_alive(hosted)
                self._notify_change()
            raise
        return job_slot

    def release(self, hosted: HostedModel, job_slot: JobSlot) -> None:
        """Return a job slot; the last one starts the keep-alive timer."""
        hosted.job_slots.discard(job_slot)
        hosted.used_at = time.monotonic()
        self._grant_waiting(hosted)
        self._start_keep_alive(hosted)
        self._notify_change()

    def _grant_waiting(self, hosted: HostedModel, *, fresh: bool = False) -> None:
        """Grant free job slots to waiting jobs, in order; start loading the model if it is not loaded.

        A `fresh` worker serves the jobs it was loaded for, even if another model needs its memory next.
        """
        if hosted.ready and (fresh or not hosted.eviction_waiters):
            for job_slot in list(hosted.waiters):
                if job_slot.granted.done():
                    hosted.waiters.remove(job_slot)
                elif hosted.has_job_slot(job_slot):
                    hosted.waiters.remove(job_slot)
                    hosted.job_slots.add(job_slot)
                    hosted.stop_keep_alive()
                    job_slot.granted.set_result(None)
        elif hosted.waiters:
            self._start_loading(hosted)

    def _start_keep_alive(self, hosted: HostedModel) -> None:
        if hosted.idle and not hosted.waiters and not self._closing:
            hosted.start_keep_alive(lambda: self._spawn(self._expire(hosted)))
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
        if hosted.loading is None and hosted.state == "absent" and not self._closing:
            hosted.loading = self._spawn(self._load(hosted))

    async def _load(self, hosted: HostedModel) -> None:
        try:
            if not self._memory.fits(hosted):
                async with self._evicting:  # one at a time, or they would wait for each other
                    await self._memory.make_room_for(hosted, self._grant_waiting)
            hosted.state = "loading"
            await self._start(hosted)
        except SlimvoiceError as error:
            hosted.state, hosted.worker = "absent", None
            if isinstance(error, ModelLoad) and hosted.fall_back():
                log.warning("the GPU cannot be used", model=hosted.name, error=str(error), detail=error.detail)
            else:
                self._reject_waiting(hosted, error)
        finally:
            hosted.loading = None
            self._notify_change()
        self._grant_waiting(hosted, fresh=True)
        self._start_keep_alive(hosted)

    async def _start(self, hosted: HostedModel) -> None:
        """Start a worker and prove that it works."""
        began = time.monotonic()
        worker = hosted.worker = WorkerProcess(hosted.spec, hosted.timeouts)
        hosted.record_gpu_baseline()
        try:
            await worker.start()
            loaded_s = time.monotonic() - began
            await probe(worker, hosted.step_limit_s)
        except SlimvoiceError as error:
            await worker.stop()
            cause = worker.exit.cause if worker.exit and worker.exit.failure else "load"
            self._failed(hosted, cause, error)
            if cause == "load" and not isinstance(error, ModelLoad):
                raise ModelLoad(
                    f"model {hosted.name} was loaded but does not work: {error.message}", detail=error.detail
                ) from error
            raise
        hosted.capabilities = worker.capabilities
        hosted.measure(loaded=True)
        await asyncio.to_thread(self._on_measured, hosted)
        hosted.state = "ready"
        hosted.used_at = time.monotonic()
        self._metrics.loaded(hosted.name, time.monotonic() - began)
        log.info("model loaded", model=hosted.name, device=hosted.device, seconds=round(loaded_s, 2),
                 probe_seconds=round(time.monotonic() - began - loaded_s, 2), memory_bytes=hosted.memory_bytes,
                 pid=worker.pid)  # fmt: skip
        self._spawn(self._supervise(hosted, worker))

    def _reject_waiting(self, hosted: HostedModel, error: SlimvoiceError) -> None:
        waiters, hosted.waiters = hosted.waiters, []
        for waiter in waiters:
            if not waiter.granted.done():
                waiter.granted.set_exception(SlimvoiceError.from_data(error.to_data()))

    # --- unloading ---

    async def _evict(self, hosted: HostedModel, why: str = "memory") -> None:
        """End an idle model's worker; returns when its memory is back."""
        worker = hosted.worker
        if worker is None or hosted.state != "ready":
            return
        hosted.state = "stopping"
        hosted.stop_keep_alive()
        await asyncio.to_thread(self._on_measured, hosted)
        await worker.stop()
        hosted.state, hosted.worker = "absent", None
        self._metrics.unloaded(hosted.name, hosted.device, why)
        log.info("model unloaded", model=hosted.name, why=why)
        self._notify_change()
        self._grant_waiting(hosted)

    async def unload(self, hosted: HostedModel) -> None:
        """End a model's worker once its running jobs are done; jobs that come meanwhile load it again afterwards."""
        hosted.eviction_waiters += 1
        try:
            while hosted.job_slots or hosted.state in ("loading", "stopping"):
                await self._wait_for_change()
            await self._evict(hosted, "asked")
        finally:
            hosted.eviction_waiters -= 1
            self._grant_waiting(hosted)

    async def close(self, drain_s: float, *, kill: bool = False) -> None:
        """Reject waiting jobs, drain running ones for a bounded time, then stop every worker, or kill it."""
        self._closing = True
        for hosted in self.models.values():
            self._reject_waiting(hosted, ShuttingDown("the server is stopping", retry_after_s=5.0))
        try:
            async with asyncio.timeout(drain_s):
                while any(hosted.job_slots for hosted in self.models.values()):
                    await self._wait_for_change()
        except TimeoutError:
            pass
        for task in list(self._tasks):
            task.cancel()
        for hosted in self.models.values():
            hosted.stop_keep_alive()
        workers = [hosted.worker for hosted in self.models.values() if hosted.worker]
        await asyncio.gather(*(worker.kill() if kill else worker.stop() for worker in workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- failures ---

    def suspect(self, hosted: HostedModel) -> None:
        """Schedule a probe of a worker that failed a job, to learn whether the input or the worker is at fault."""
        hosted.suspicions += 1
        if hosted.ready and not hosted.checking:
            hosted.checking = True
            self._spawn(self.probe_or_replace(hosted))

    async def probe_or_replace(self, hosted: HostedModel) -> None:
        """Probe a model and replace its worker if the probe fails. Does not extend its keep-alive."""
        hosted.checking = True
        expires_at, worker = hosted.expires_at, hosted.worker
        try:
            job_slot = await self.acquire(hosted, probe_request(hosted.spec.installed.model))
        except SlimvoiceError:
            hosted.checking = False
            return
        try:
            answered = -1
            while worker is not None and answered != hosted.suspicions:  # some job may fail while the probe is away
                answered = hosted.suspicions
                await probe(worker, hosted.step_limit_s)
        except SlimvoiceError as error:
            log.warning("probe failed", model=hosted.name, error=error.message, detail=error.detail)
            if worker is not None:
                worker.fail("wedged" if hosted.device == "cpu" else "device", f"its probe failed: {error.message}")
        finally:
            hosted.checking = False
            self.release(hosted, job_slot)
            hosted.restore_expiry(expires_at)

    async def _supervise(self, hosted: HostedModel, worker: WorkerProcess) -> None:
        """Wait for a worker to exit; unless it was asked to, restart it as the restart policy allows."""
        await worker.gone.wait()
        if hosted.worker is not worker or worker.exit is None or not worker.exit.failure:
            return
        hosted.state, hosted.worker = "absent", None
        hosted.stop_keep_alive()
        again = self._failed(hosted, worker.exit.cause, worker.error())
        self._notify_change()
        if again:
            hosted.restarts += 1
            self._start_loading(hosted)
        else:
            try:
                hosted.check_cooling()
            except SlimvoiceError as error:
                self._reject_waiting(hosted, error)

    def _failed(self, hosted: HostedModel, cause: str, error: SlimvoiceError) -> bool:
        """Record a failure; returns whether the model may be reloaded at once."""
        hosted.last_error = f"{cause}: {error.message}"
        self._metrics.failed(hosted.name, cause)
        log.error("model failed", model=hosted.name, cause=cause, error=error.message, detail=error.detail)
        return hosted.policy.failed(time.monotonic())

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
