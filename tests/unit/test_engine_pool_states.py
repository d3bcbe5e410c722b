"""The pool under any order of jobs, loads, crashes, unloads and closes: what must always hold."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pool_fakes import FakePool, FakeWorker, settled

from slimvoice.engine.hosted_model import HostedModel, HostSettings
from slimvoice.engine.job_slots import EXTRA_JOB_SLOTS, JOB_SLOTS_FOR_SHORT
from slimvoice.errors import ModelLoad, SlimvoiceError

T = TypeVar("T")

BUDGET = 100
SIZES = {"small": 30, "middle": 45, "large": 80, "huge": 101}
"""Any two of small and middle fit together; large fits alone; huge never."""
names = st.sampled_from(sorted(SIZES))
picks = st.integers(0, 20)


class PoolStates(RuleBasedStateMachine):
    """One pool, four models; every step happens on the event loop, which then runs until nothing moves by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._set_up())
        self.jobs: list[asyncio.Task[str]] = []
        self.unloads: list[asyncio.Task[None]] = []
        self.closing: asyncio.Task[None] | None = None

    async def _set_up(self) -> None:
        self.fake = FakePool(BUDGET, by_hand=True)
        self.models = {
            name: self.fake.host(name, size, HostSettings(queue=12, keep_alive_s=60, may_fall_back=True))
            for name, size in SIZES.items()
        }

    def _settle(self) -> None:
        self.loop.run_until_complete(settled())

    def _spawn(self, work: object) -> asyncio.Task[None]:
        return self.loop.create_task(work)  # type: ignore[arg-type]

    def _in_loop(self, call: object) -> None:
        async def run() -> None:
            call()  # type: ignore[operator]

        self.loop.run_until_complete(run())
        self._settle()

    @property
    def alive(self) -> list[FakeWorker]:
        return [worker for worker in self.fake.workers if not worker.gone.is_set()]

    def loading(self) -> list[FakeWorker]:
        return [worker for worker in self.alive if worker.loading]

    def busy(self) -> list[FakeWorker]:
        return [worker for worker in self.alive if worker.jobs]

    def stopping(self) -> list[FakeWorker]:
        return [worker for worker in self.alive if worker.stopping]

    @staticmethod
    def running(tasks: list[asyncio.Task[T]]) -> list[asyncio.Task[T]]:
        return [task for task in tasks if not task.done()]

    @staticmethod
    def _pick(items: list[T], pick: int) -> T:
        return items[pick % len(items)]

    # --- what happens ---

    @rule(name=names, held=st.booleans(), long=st.booleans(), count=st.integers(1, 4))
    def start_jobs(self, name: str, held: bool, long: bool, count: int) -> None:
        async def start() -> None:
            self.jobs += [self.fake.job(self.models[name], held=held, long=long) for _ in range(count)]

        self.loop.run_until_complete(start())
        self._settle()

    @precondition(lambda self: self.running(self.jobs))
    @rule(pick=picks)
    def client_leaves(self, pick: int) -> None:
        self._pick(self.running(self.jobs), pick).cancel()
        self._settle()

    @precondition(lambda self: self.busy())
    @rule(pick=picks)
    def job_ends(self, pick: int) -> None:
        self._in_loop(self._pick(self.busy(), pick).finish_job)

    @precondition(lambda self: self.loading())
    @rule(pick=picks)
    def load_ends(self, pick: int) -> None:
        self._in_loop(self._pick(self.loading(), pick).finish_load)

    @precondition(lambda self: self.loading())
    @rule(pick=picks)
    def load_fails(self, pick: int) -> None:
        worker = self._pick(self.loading(), pick)
        self._in_loop(lambda: worker.fail_load(ModelLoad("damaged")))

    @precondition(lambda self: self.alive)
    @rule(pick=picks)
    def worker_crashes(self, pick: int) -> None:
        worker = self._pick(self.alive, pick)
        self._in_loop(lambda: worker.fail("killed", "it was killed"))

    @precondition(lambda self: self.stopping())
    @rule(pick=picks)
    def stop_ends(self, pick: int) -> None:
        self._in_loop(self._pick(self.stopping(), pick).let_stop)

    @rule(name=names)
    def unload(self, name: str) -> None:
        self.unloads.append(self._spawn(self.fake.pool.unload(self.models[name])))
        self._settle()

    @precondition(lambda self: self.running(self.unloads))
    @rule(pick=picks)
    def unload_is_given_up(self, pick: int) -> None:
        self._pick(self.running(self.unloads), pick).cancel()
        self._settle()

    @rule(seconds=st.sampled_from([1, 30, 60, 4000]))
    def time_passes(self, seconds: float) -> None:
        self._in_loop(lambda: self.fake.clock.advance(seconds))

    @rule()
    def disk_slows_down_or_recovers(self) -> None:
        recorded = self.fake.recorded
        self._in_loop(recorded.clear if recorded.is_set() else recorded.set)

    @rule(name=names)
    def job_failed(self, name: str) -> None:
        self._in_loop(lambda: self.fake.pool.suspect(self.models[name]))

    @precondition(lambda self: self.alive)
    @rule(pick=picks)
    def worker_spoils(self, pick: int) -> None:
        self._pick(self.alive, pick).spoiled = True

    @rule(name=names)
    def operator_resets(self, name: str) -> None:
        self.models[name].policy.reset()

    @precondition(lambda self: self.closing is None)
    @rule(unlikely=st.integers(0, 9), kill=st.booleans())
    def close(self, unlikely: int, kill: bool) -> None:
        if unlikely == 0:
            self.closing = self._spawn(self.fake.pool.close(0, kill=kill))
            self._settle()

    # --- what must hold ---

    @invariant()
    def no_more_jobs_than_slots(self) -> None:
        for hosted in self.models.values():
            assert hosted.active <= 1 + EXTRA_JOB_SLOTS
            assert sum(slot.long for slot in hosted.slots._held) <= 1 + EXTRA_JOB_SLOTS - JOB_SLOTS_FOR_SHORT

    @invariant()
    def no_model_is_evicted_in_use(self) -> None:
        if self.closing is None:
            assert not any(worker.evicted_in_use for worker in self.fake.workers)

    @invariant()
    def memory_is_within_its_budget(self) -> None:
        assert sum(hosted.memory_bytes for hosted in self.models.values() if hosted.holds_memory) <= BUDGET

    @invariant()
    def every_worker_is_a_models_own(self) -> None:
        hosted = {id(hosted.worker) for hosted in self.models.values() if hosted.worker is not None}
        assert {id(worker) for worker in self.alive} <= hosted

    @invariant()
    def states_agree(self) -> None:
        for hosted in self.models.values():
            assert (hosted.worker is None) == (hosted.state in {"absent", "pending"})
            assert hosted.admitted >= hosted.active + hosted.slots.waiting - hosted.checking
            if self.closing is None and hosted.idle and not hosted.slots.waiting:
                assert hosted.keep_alive.expires_at is not None
            if hosted.active or not hosted.ready:
                assert hosted.keep_alive.expires_at is None

    @invariant()
    def who_waits_waits_for_something(self) -> None:
        for hosted in self.models.values():
            if hosted.slots.waiting and hosted.state == "ready":
                assert hosted.active or self._someone_else_waits_for(hosted)
            elif hosted.slots.waiting:
                assert hosted.state != "absent"

    def __str__(self) -> str:
        """Return what a failure is told with."""
        told = [
            f"{name}: {hosted.state}, {hosted.active} active, {hosted.slots.waiting} waiting, "
            f"held {hosted.eviction_waiters}"
            for name, hosted in self.models.items()
        ]
        return "; ".join(told)

    def _someone_else_waits_for(self, hosted: HostedModel) -> bool:
        return hosted.eviction_waiters > 0

    def teardown(self) -> None:
        """Let everything end by itself, then close: everybody has an answer, and nothing is left."""
        self.fake.by_hand = False
        self._in_loop(self.fake.recorded.set)
        for _ in range(200):
            for worker in self.alive:
                worker.spoiled = False
                if worker.loading:
                    self._in_loop(worker.finish_load)
                if worker.jobs:
                    self._in_loop(worker.finish_job)
                self._in_loop(worker.let_stop)
        waiting = [*self.jobs, *self.unloads]
        assert [task for task in waiting if not task.done()] == [], str(self)
        assert all(hosted.state in {"absent", "ready"} for hosted in self.models.values()), str(self)
        if self.closing is None:
            self.closing = self._spawn(self.fake.pool.close(0))
        self.loop.run_until_complete(asyncio.wait_for(self.closing, 5))
        self._settle()
        assert not self.alive
        for hosted in self.models.values():
            assert (hosted.state, hosted.worker, hosted.active, hosted.slots.waiting) == ("absent", None, 0, 0)
            assert (hosted.admitted, hosted.eviction_waiters) == (0, 0)
        assert not [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        for task in waiting:
            if not task.cancelled():
                assert task.exception() is None or isinstance(task.exception(), SlimvoiceError)
        self.loop.close()


PoolStates.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestPoolStates = PoolStates.TestCase
