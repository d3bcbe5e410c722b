"""All models that are loaded: loads on demand, once however many ask; evicts; restarts what has died.

Runs on one event loop; nothing here blocks. What must not be torn apart happens between two awaits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping

import structlog

from slimvoice.engine.budget import Decision, decide
from slimvoice.engine.budget import Resident as Share
from slimvoice.engine.process import WorkerProcess
from slimvoice.engine.resident import Resident
from slimvoice.errors import Cancelled, InsufficientMemory, ModelLoad, ShuttingDown, SlimvoiceError
from slimvoice.metrics import EngineMetrics

log = structlog.get_logger(__name__)


class Pool:
    """The loaded models within the memory budget of each device (`cpu`, `cuda:N` -> bytes)."""

    def __init__(
        self,
        budgets: Mapping[str, int],
        metrics: EngineMetrics,
        on_measured: Callable[[Resident], None] = lambda _: None,
    ) -> None:
        self.residents: dict[str, Resident] = {}
        self._budgets = budgets
        self._metrics = metrics
        self._on_measured = on_measured
        self._making_room = asyncio.Lock()
        self._change = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    # --- use ---

    async def acquire(self, resident: Resident) -> None:
        """Wait until the model is loaded and count one more user of its worker; `release` ends that.

        Raises ModelLoad, InsufficientMemory, WorkerCrashed, ModelFailed, ShuttingDown.
        """
        if self._closing:
            raise ShuttingDown("the server is stopping", hint="try again in a moment", retry_after_s=5.0)
        if resident.ready and not resident.wanted:
            resident.active += 1
            return
        resident.check_cooling()
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        resident.waiters.append(granted)
        self._bring(resident)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.release(resident)
            elif granted in resident.waiters:
                resident.waiters.remove(granted)
                self._changed()
            raise

    def release(self, resident: Resident) -> None:
        """Count one user less; the last one starts the keep-alive clock."""
        resident.active -= 1
        resident.used_at = time.monotonic()
        self._rest(resident)
        self._changed()

    def _rest(self, resident: Resident) -> None:
        if resident.active == 0 and not resident.waiters and resident.ready and not self._closing:
            resident.expire_with(lambda: self._spawn(self._expire(resident)))

    async def _expire(self, resident: Resident) -> None:
        if resident.ready and resident.active == 0:
            await self._evict(resident, "keep-alive")

    # --- loading ---

    def _bring(self, resident: Resident) -> None:
        """Start to load, unless that is under way, or its present worker must go first."""
        if resident.loading is None and resident.state == "absent" and not self._closing:
            resident.loading = self._spawn(self._load(resident))

    async def _load(self, resident: Resident) -> None:
        try:
            async with self._making_room:
                await self._make_room(resident)
                resident.state = "loading"
            await self._start(resident)
        except SlimvoiceError as error:
            resident.state, resident.worker = "absent", None
            self._refuse(resident, error)
        finally:
            resident.loading = None
            self._changed()
        self._grant(resident)

    async def _start(self, resident: Resident) -> None:
        began = time.monotonic()
        worker = resident.worker = WorkerProcess(resident.spec, resident.limits)
        try:
            await worker.start()
        except SlimvoiceError as error:
            await worker.stop()
            self._failed(resident, worker.exit.cause if worker.exit and worker.exit.failure else "load", error.message)
            raise
        except OSError as error:
            self._failed(resident, "load", str(error))
            raise ModelLoad(f"a worker for {resident.name} could not be started", detail=repr(error)) from error
        resident.state = "ready"
        seconds = time.monotonic() - began
        resident.measure(loaded=True)
        self._on_measured(resident)
        self._metrics.loaded(resident.name, seconds)
        log.info("model loaded", model=resident.name, device=resident.device, seconds=round(seconds, 2),
                 memory_bytes=resident.memory_bytes, pid=worker.pid)  # fmt: skip
        self._spawn(self._attend(resident, worker))

    def _grant(self, resident: Resident) -> None:
        """Hand the loaded model to everybody who waits for it, before anything else can take its memory."""
        if not resident.ready:
            return
        waiters, resident.waiters = resident.waiters, []
        for waiter in waiters:
            if not waiter.done():
                resident.active += 1
                waiter.set_result(None)
        self._rest(resident)

    def _refuse(self, resident: Resident, error: SlimvoiceError) -> None:
        waiters, resident.waiters = resident.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(SlimvoiceError.from_data(error.to_data()))

    # --- memory ---

    async def _make_room(self, resident: Resident) -> None:
        """Evict what is idle, wait for what is in use; raises InsufficientMemory when it could never fit."""
        marked: set[str] = set()
        try:
            while (decision := self._decide(resident)).action != "load" or decision.victims:
                idle = [v for v in decision.victims if not self.residents[v].active and self.residents[v].ready]
                if decision.action == "load" or idle:
                    await self._evict(self.residents[idle[0] if idle else decision.victims[0]], "memory")
                    continue
                if not resident.waiters:
                    raise Cancelled(f"nobody waits for model {resident.name} any more")
                for victim in decision.victims:
                    self.residents[victim].wanted = True
                    marked.add(victim)
                await self._change.wait()
        finally:
            for name in marked:
                self.residents[name].wanted = False
                self._after_wanted(self.residents[name])

    def _decide(self, resident: Resident) -> Decision:
        for device, need in resident.needs().items():
            others = [
                Share(r.name, r.needs().get(device, 0), r.active > 0 or not r.ready, r.used_at)
                for r in self.residents.values()
                if r is not resident and r.state != "absent" and device in r.needs()
            ]
            budget = self._budgets.get(device, 0)
            decision = decide(need, budget, others)
            if decision.action == "never":
                raise InsufficientMemory(
                    f"model {resident.name} needs about {_size(need)} of {device} memory; "
                    f"the budget is {_size(budget)}",
                    hint="choose a smaller model, or raise SLIMVOICE_RAM_BUDGET or SLIMVOICE_GPU_BUDGET",
                )
            if decision.action == "wait" or decision.victims:
                return decision
        return Decision("load")

    def _after_wanted(self, resident: Resident) -> None:
        """Let those who lined up while its memory was wanted go on."""
        if resident.ready:
            self._grant(resident)
        elif resident.waiters:
            self._bring(resident)

    # --- unloading ---

    async def _evict(self, resident: Resident, why: str) -> None:
        """End an idle model's worker; returns when its memory is back."""
        worker = resident.worker
        if worker is None or resident.state != "ready":
            return
        resident.state = "stopping"
        resident.hold()
        await worker.stop()
        resident.state, resident.worker = "absent", None
        self._metrics.unloaded(resident.name, resident.device, why)
        log.info("model unloaded", model=resident.name, why=why)
        self._changed()
        if resident.waiters and not resident.wanted:
            self._bring(resident)

    async def unload(self, resident: Resident) -> None:
        """End a model's worker once its running jobs are done; jobs that come meanwhile load it again afterwards."""
        resident.wanted = True
        try:
            while resident.active or resident.state == "loading":
                await self._change.wait()
            await self._evict(resident, "asked")
        finally:
            resident.wanted = False
            self._after_wanted(resident)

    async def close(self, drain_s: float, *, kill: bool = False) -> None:
        """Give running jobs a moment, then end every worker, or kill it."""
        self._closing = True
        try:
            async with asyncio.timeout(drain_s):
                while any(resident.active for resident in self.residents.values()):
                    await self._change.wait()
        except TimeoutError:
            pass
        for task in list(self._tasks):
            task.cancel()
        for resident in self.residents.values():
            resident.hold()
            self._refuse(resident, ShuttingDown("the server is stopping", retry_after_s=5.0))
        workers = [resident.worker for resident in self.residents.values() if resident.worker]
        await asyncio.gather(*(worker.kill() if kill else worker.stop() for worker in workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- failures ---

    async def _attend(self, resident: Resident, worker: WorkerProcess) -> None:
        """Wait for the end of a worker; if nobody asked for it, start another at once, within the policy."""
        await worker.gone.wait()
        if resident.worker is not worker or worker.exit is None or not worker.exit.failure:
            return
        resident.state, resident.worker = "absent", None
        resident.hold()
        again = self._failed(resident, worker.exit.cause, worker.exit.reason)
        self._changed()
        if again:
            self._bring(resident)
        else:
            try:
                resident.check_cooling()
            except SlimvoiceError as error:
                self._refuse(resident, error)

    def _failed(self, resident: Resident, cause: str, reason: str) -> bool:
        resident.last_error = f"{cause}: {reason}"
        again = resident.policy.failed(time.monotonic())
        if again:
            resident.restarts += 1
        self._metrics.failed(resident.name, cause)
        return again

    # --- waiting ---

    def _changed(self) -> None:
        """Wake everybody who waits for something to change."""
        self._change.set()
        self._change = asyncio.Event()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
