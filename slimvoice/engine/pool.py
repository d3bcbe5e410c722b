"""All models that are loaded: loads on demand, once however many ask; evicts; restarts what has died.

Runs on one event loop; nothing here blocks. What must not be torn apart happens between two awaits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping

import structlog

from slimvoice.engine.probe import probe, probe_request
from slimvoice.engine.process import Request, WorkerProcess
from slimvoice.engine.resident import Place, Resident
from slimvoice.engine.room import Room
from slimvoice.errors import ModelLoad, ShuttingDown, SlimvoiceError
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
        self._room = Room(self.residents, budgets, self._evict, self._wait)
        self._metrics = metrics
        self._on_measured = on_measured
        self._making_room = asyncio.Lock()
        self._change = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    # --- use ---

    async def acquire(self, resident: Resident, request: Request) -> Place:
        """Wait until the model is loaded and its worker has a place for this job; `release` gives it back.

        Raises ModelLoad, InsufficientMemory, WorkerCrashed, ModelFailed, ShuttingDown.
        """
        if self._closing:
            raise ShuttingDown("the server is stopping", hint="try again in a moment", retry_after_s=5.0)
        resident.check_cooling()
        place = resident.place_for(request)
        resident.waiters.append(place)
        self._serve(resident)
        try:
            await place.granted
        except BaseException:
            if place in resident.places:
                self.release(resident, place)
            elif place in resident.waiters:
                resident.waiters.remove(place)
                self._rest(resident)
                self._changed()
            raise
        return place

    def release(self, resident: Resident, place: Place) -> None:
        """Give a place back; the last one starts the keep-alive clock."""
        resident.places.discard(place)
        resident.used_at = time.monotonic()
        self._serve(resident)
        self._rest(resident)
        self._changed()

    def _serve(self, resident: Resident, *, fresh: bool = False) -> None:
        """Give places to those who wait, in order, as far as there are; bring the model if it is not here.

        A `fresh` worker takes those it was loaded for, even if another model wants its memory next.
        """
        if resident.ready and (fresh or not resident.wanted):
            for place in list(resident.waiters):
                if place.granted.done():
                    resident.waiters.remove(place)
                elif resident.has_place(place):
                    resident.waiters.remove(place)
                    resident.places.add(place)
                    resident.hold()
                    place.granted.set_result(None)
        elif resident.waiters:
            self._bring(resident)

    def _rest(self, resident: Resident) -> None:
        if resident.idle and not resident.waiters and not self._closing:
            resident.expire_with(lambda: self._spawn(self._expire(resident)))
            self._spawn(self._shrink())

    async def _shrink(self) -> None:
        """Evict what is idle where models have grown past their budget."""
        while (grown := self._room.over()) is not None:
            await self._evict(grown)

    async def _expire(self, resident: Resident) -> None:
        if resident.idle:
            await self._evict(resident, "keep-alive")

    # --- loading ---

    def _bring(self, resident: Resident) -> None:
        """Start to load, unless that is under way, or its present worker must go first."""
        if resident.loading is None and resident.state == "absent" and not self._closing:
            resident.loading = self._spawn(self._load(resident))

    async def _load(self, resident: Resident) -> None:
        try:
            if not self._room.fits(resident):
                async with self._making_room:  # one at a time, or they would wait for each other
                    await self._room.make(resident, self._serve)
            resident.state = "loading"
            await self._start(resident)
        except SlimvoiceError as error:
            resident.state, resident.worker = "absent", None
            if isinstance(error, ModelLoad) and resident.fall_back():
                log.warning("the GPU cannot be used", model=resident.name, error=str(error), detail=error.detail)
            else:
                self._refuse(resident, error)
        finally:
            resident.loading = None
            self._changed()
        self._serve(resident, fresh=True)
        self._rest(resident)

    async def _start(self, resident: Resident) -> None:
        """Start a worker and prove that it works."""
        began = time.monotonic()
        worker = resident.worker = WorkerProcess(resident.spec, resident.limits)
        resident.note_gpu()
        try:
            await worker.start()
            loaded_s = time.monotonic() - began
            await probe(worker, resident.step_limit_s)
        except SlimvoiceError as error:
            await worker.stop()
            cause = worker.exit.cause if worker.exit and worker.exit.failure else "load"
            self._failed(resident, cause, error)
            if cause == "load" and not isinstance(error, ModelLoad):
                raise ModelLoad(
                    f"model {resident.name} was loaded but does not work: {error.message}", detail=error.detail
                ) from error
            raise
        resident.measure(loaded=True)
        await asyncio.to_thread(self._on_measured, resident)
        resident.state = "ready"
        resident.used_at = time.monotonic()
        self._metrics.loaded(resident.name, time.monotonic() - began)
        log.info("model loaded", model=resident.name, device=resident.device, seconds=round(loaded_s, 2),
                 probe_seconds=round(time.monotonic() - began - loaded_s, 2), memory_bytes=resident.memory_bytes,
                 pid=worker.pid)  # fmt: skip
        self._spawn(self._attend(resident, worker))

    def _refuse(self, resident: Resident, error: SlimvoiceError) -> None:
        waiters, resident.waiters = resident.waiters, []
        for waiter in waiters:
            if not waiter.granted.done():
                waiter.granted.set_exception(SlimvoiceError.from_data(error.to_data()))

    # --- unloading ---

    async def _evict(self, resident: Resident, why: str = "memory") -> None:
        """End an idle model's worker; returns when its memory is back."""
        worker = resident.worker
        if worker is None or resident.state != "ready":
            return
        resident.state = "stopping"
        resident.hold()
        await asyncio.to_thread(self._on_measured, resident)
        await worker.stop()
        resident.state, resident.worker = "absent", None
        self._metrics.unloaded(resident.name, resident.device, why)
        log.info("model unloaded", model=resident.name, why=why)
        self._changed()
        self._serve(resident)

    async def unload(self, resident: Resident) -> None:
        """End a model's worker once its running jobs are done; jobs that come meanwhile load it again afterwards."""
        resident.wanted += 1
        try:
            while resident.places or resident.state in ("loading", "stopping"):
                await self._wait()
            await self._evict(resident, "asked")
        finally:
            resident.wanted -= 1
            self._serve(resident)

    async def close(self, drain_s: float, *, kill: bool = False) -> None:
        """Refuse what waits, give running jobs a moment, then end every worker, or kill it."""
        self._closing = True
        for resident in self.residents.values():
            self._refuse(resident, ShuttingDown("the server is stopping", retry_after_s=5.0))
        try:
            async with asyncio.timeout(drain_s):
                while any(resident.places for resident in self.residents.values()):
                    await self._wait()
        except TimeoutError:
            pass
        for task in list(self._tasks):
            task.cancel()
        for resident in self.residents.values():
            resident.hold()
        workers = [resident.worker for resident in self.residents.values() if resident.worker]
        await asyncio.gather(*(worker.kill() if kill else worker.stop() for worker in workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- failures ---

    def doubt(self, resident: Resident) -> None:
        """Probe a worker that has just failed at a job, to learn whether the input or the worker is at fault."""
        resident.doubts += 1
        if resident.ready and not resident.checking:
            resident.checking = True
            self._spawn(self.check(resident))

    async def check(self, resident: Resident) -> None:
        """Probe a model; a worker that does not pass is ended, and another started. Moves no keep-alive."""
        resident.checking = True
        expires_at, worker = resident.expires_at, resident.worker
        try:
            place = await self.acquire(resident, probe_request(resident.spec.installed.model))
        except SlimvoiceError:
            resident.checking = False
            return
        try:
            answered = -1
            while worker is not None and answered != resident.doubts:  # some job may fail while the probe is away
                answered = resident.doubts
                await probe(worker, resident.step_limit_s)
        except SlimvoiceError as error:
            log.warning("probe failed", model=resident.name, error=error.message, detail=error.detail)
            if worker is not None:
                worker.fail("wedged" if resident.device == "cpu" else "device", f"its probe failed: {error.message}")
        finally:
            resident.checking = False
            self.release(resident, place)
            resident.expires_no_later(expires_at)

    async def _attend(self, resident: Resident, worker: WorkerProcess) -> None:
        """Wait for the end of a worker; if nobody asked for it, start another at once, within the policy."""
        await worker.gone.wait()
        if resident.worker is not worker or worker.exit is None or not worker.exit.failure:
            return
        resident.state, resident.worker = "absent", None
        resident.hold()
        again = self._failed(resident, worker.exit.cause, worker.error())
        self._changed()
        if again:
            resident.restarts += 1
            self._bring(resident)
        else:
            try:
                resident.check_cooling()
            except SlimvoiceError as error:
                self._refuse(resident, error)

    def _failed(self, resident: Resident, cause: str, error: SlimvoiceError) -> bool:
        """Note a failure; returns whether the model may be loaded again at once."""
        resident.last_error = f"{cause}: {error.message}"
        self._metrics.failed(resident.name, cause)
        log.error("model failed", model=resident.name, cause=cause, error=error.message, detail=error.detail)
        return resident.policy.failed(time.monotonic())

    # --- waiting ---

    async def _wait(self) -> None:
        """Wait for any change."""
        await self._change.wait()

    def _changed(self) -> None:
        """Wake everybody who waits for something to change."""
        self._change.set()
        self._change = asyncio.Event()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
