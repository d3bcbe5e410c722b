"""The states of a hosted model, what each transition does, and its parts."""

from __future__ import annotations

import asyncio

import pytest
from pool_fakes import FakeClock, FakeWorker, request, spec

from slimvoice.engine.deadline import Deadline
from slimvoice.engine.hosted_model import NEXT_STATES, HostedModel, HostSettings, State
from slimvoice.engine.job_slots import EXTRA_JOB_SLOTS, JOB_SLOTS_FOR_SHORT, JobSlots
from slimvoice.engine.keep_alive import KeepAlive
from slimvoice.engine.memory_use import MemoryUse
from slimvoice.engine.status import worker_status
from slimvoice.errors import DeadlineExceeded, ModelFailed, ModelLoad, Overloaded, WorkerCrashed
from slimvoice.metrics import EngineMetrics


def model(settings: HostSettings | None = None, **of_spec: object) -> HostedModel:
    return HostedModel(spec(**of_spec), settings or HostSettings(), EngineMetrics(), 10, FakeClock())  # type: ignore[arg-type]


def clock_of(hosted: HostedModel) -> FakeClock:
    assert isinstance(hosted.clock, FakeClock)
    return hosted.clock


def worker() -> FakeWorker:
    return FakeWorker(spec(), by_hand=False)


def in_state(state: State) -> HostedModel:
    """Return a model that has come to a state by its transitions."""
    hosted = model()
    way = {"absent": 0, "pending": 1, "loading": 2, "ready": 3, "stopping": 4}[state]
    steps = (hosted.request_load, lambda: hosted.begin_loading(worker()), hosted.finish_loading, hosted.begin_stopping)
    for step in steps[:way]:
        step()
    assert hosted.state == state
    return hosted


# --- transitions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", NEXT_STATES)
async def test_each_transition_is_allowed_from_its_own_states_alone(state: State) -> None:
    transitions = {"pending": "request_load", "loading": "begin_loading", "ready": "finish_loading",
                   "stopping": "begin_stopping"}  # fmt: skip
    for target, name in transitions.items():
        hosted = in_state(state)
        arguments = [worker()] if name == "begin_loading" else []
        if target in NEXT_STATES[state]:
            getattr(hosted, name)(*arguments)
            assert hosted.state == target
        else:
            with pytest.raises(RuntimeError, match=f"cannot become {target}: it is {state}"):
                getattr(hosted, name)(*arguments)
            assert hosted.state == state


@pytest.mark.parametrize("state", NEXT_STATES)
async def test_stopped_ends_any_state_and_leaves_nothing(state: State) -> None:
    hosted = in_state(state)
    hosted.stopped()
    assert (hosted.state, hosted.worker, hosted.keep_alive.expires_at) == ("absent", None, None)
    assert not hosted.holds_memory


async def test_memory_is_held_from_loading_to_stopping() -> None:
    held = {state for state in NEXT_STATES if in_state(state).holds_memory}
    assert held == {"loading", "ready", "stopping"}


async def test_a_model_whose_worker_has_just_gone_is_not_ready() -> None:
    hosted = in_state("ready")
    assert isinstance(hosted.worker, FakeWorker)
    assert hosted.idle
    hosted.worker.crash()
    assert (hosted.ready, hosted.idle, hosted.state) == (False, False, "ready")


async def test_a_crash_counts_a_restart_only_where_there_is_one() -> None:
    hosted = in_state("ready")
    hosted.crashed(restart=False)
    assert (hosted.state, hosted.restarts) == ("absent", 0)
    hosted = in_state("ready")
    hosted.crashed(restart=True)
    assert (hosted.state, hosted.restarts) == ("absent", 1)


async def test_failures_are_counted_and_end_in_a_cool_down_that_a_load_by_hand_ends() -> None:
    hosted = model()
    again = [hosted.failed("crashed", WorkerCrashed("it died")) for _ in range(4)]
    assert again == [True, True, True, False]
    assert hosted.last_error == "crashed: it died"
    with pytest.raises(ModelFailed, match="crashed: it died"):
        hosted.check_cooling()
    assert worker_status(hosted).state == "failed"
    assert worker_status(hosted).retry_at == clock_of(hosted).unix_s() + 30
    hosted.policy.reset()
    hosted.check_cooling()


async def test_a_model_steps_down_to_a_variant_until_it_is_ready() -> None:
    hosted = model()
    hosted.failed("crashed", WorkerCrashed("it died"))
    hosted.step_down("low", "SIGILL")
    assert (hosted.spec.variant, hosted.lowered_by, list(hosted.policy.failures)) == ("low", "SIGILL", [])
    hosted.use_variant("")
    assert hosted.spec.variant == "low"
    hosted.request_load()
    hosted.begin_loading(worker())
    hosted.finish_loading()
    assert hosted.lowered_by == ""
    hosted.use_variant("")
    assert hosted.spec.variant == ""


async def test_the_cpu_is_fallen_back_to_once_and_only_where_it_is_allowed() -> None:
    allowed = model(HostSettings(may_fall_back=True), device="cuda:0")
    allowed.memory.gpu_bytes = 5
    assert allowed.fall_back_to_cpu()
    assert (allowed.device, allowed.memory_needs()) == ("cpu", {"cpu": 10})
    assert not allowed.fall_back_to_cpu()
    assert not model(device="cuda:0").fall_back_to_cpu()


# --- admission ---------------------------------------------------------------------------------------


async def test_the_queue_is_bounded_and_each_block_leaves_it() -> None:
    hosted = model(HostSettings(queue=1))
    with hosted.admission(request()), hosted.admission(request(long=True)):
        assert (hosted.admitted, hosted.queued, hosted.queue.backlog_s) == (2, 1, 101)
        with pytest.raises(Overloaded) as refused, hosted.admission(request()):
            pytest.fail("it was admitted")
        assert refused.value.retry_after_s == 51  # the backlog at the guessed pace
    assert (hosted.admitted, hosted.queued, hosted.queue.backlog_s) == (0, 0, 0)


async def test_a_request_that_fails_leaves_the_queue() -> None:
    hosted = model()
    with pytest.raises(ModelLoad), hosted.admission(request()):
        raise ModelLoad("it does not load")
    assert hosted.admitted == 0


# --- job slots ---------------------------------------------------------------------------------------


async def test_long_jobs_leave_slots_for_short_ones() -> None:
    slots = JobSlots(1)
    longs = [slots.request(long=True) for _ in range(5)]
    shorts = [slots.request(long=False) for _ in range(3)]
    slots.grant_waiting()
    assert [slot.granted.done() for slot in longs] == [True] * 3 + [False] * 2
    assert [slot.granted.done() for slot in shorts] == [True] * 2 + [False]
    assert slots.active == 1 + EXTRA_JOB_SLOTS
    slots.release(shorts[0])
    slots.grant_waiting()
    assert shorts[2].granted.done()
    assert not longs[3].granted.done()
    for slot in longs[: 1 + JOB_SLOTS_FOR_SHORT]:
        slots.release(slot)
    slots.grant_waiting()
    assert longs[4].granted.done()


async def test_a_slot_is_freed_once_and_a_job_that_left_gets_none() -> None:
    slots = JobSlots(1)
    job, left, gone = (slots.request(long=False) for _ in range(3))
    assert not slots.release(left)
    gone.granted.cancel()
    slots.grant_waiting()
    assert (slots.active, slots.waiting) == (1, 0)
    assert slots.release(job)
    assert not slots.release(job)
    assert slots.active == 0


async def test_rejected_jobs_each_get_an_error_of_their_own() -> None:
    slots = JobSlots(1)
    first, second, gone = (slots.request(long=False) for _ in range(3))
    gone.granted.cancel()
    slots.reject_waiting(ModelLoad("damaged"))
    errors = [slot.granted.exception() for slot in (first, second)]
    assert [str(error) for error in errors] == ["damaged", "damaged"]
    assert errors[0] is not errors[1]
    assert slots.waiting == 0


async def test_jobs_are_held_back_while_somebody_waits_for_an_idle_model_unless_it_is_fresh() -> None:
    hosted = in_state("ready")
    with hosted.new_jobs_held():
        job = hosted.request_slot(request())
        hosted.grant_waiting()
        assert not job.granted.done()
        hosted.grant_waiting(fresh=True)
        assert job.granted.done()
        later = hosted.request_slot(request())
    hosted.grant_waiting()
    assert later.granted.done()


# --- jobs --------------------------------------------------------------------------------------------


async def test_a_job_is_measured_when_its_last_event_comes() -> None:
    hosted = in_state("ready")
    async with hosted.job(request()) as (job, events):
        assert await job.next_event(events)
        assert hosted.jobs_done == 0
        assert await job.next_event(events)
        assert hosted.jobs_done == 1  # its reader may leave now
    assert hosted.throughput.realtime_factor == pytest.approx(0.1)


async def test_a_job_without_a_worker_is_a_crash_that_may_be_tried_again() -> None:
    with pytest.raises(WorkerCrashed) as refused:
        async with model().job(request()):
            pytest.fail("there is no worker")
    assert refused.value.retryable


async def test_what_is_not_done_by_the_deadline_is_cancelled() -> None:
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(DeadlineExceeded):
        await Deadline.after(0).wait_for(work)
    assert work.cancelled()


# --- suspicion ---------------------------------------------------------------------------------------


async def test_one_probe_looks_into_all_failures_that_come_before_its_end() -> None:
    hosted = in_state("ready")
    assert [hosted.suspect(), hosted.suspect()] == [True, False]
    with hosted.check():
        assert not hosted.suspect()
    assert (hosted.checking, hosted.suspicions) == (False, 3)
    assert hosted.suspect()


async def test_a_model_that_is_not_loaded_is_not_probed() -> None:
    hosted = model()
    assert not hosted.suspect()
    assert not hosted.checking


# --- keep-alive, memory ------------------------------------------------------------------------------


def test_the_keep_alive_runs_once_after_its_start() -> None:
    clock = FakeClock()
    keep_alive = KeepAlive(10, clock)
    expired: list[float] = []
    keep_alive.start(lambda: expired.append(clock.now))
    clock.advance(5)
    keep_alive.start(lambda: expired.append(clock.now))
    clock.advance(9)
    assert expired == []
    clock.advance(1)
    assert expired == [1015]
    keep_alive.stop()
    clock.advance(100)
    assert expired == [1015]


def test_an_earlier_expiry_is_restored_only_to_a_running_timer() -> None:
    clock = FakeClock()
    keep_alive = KeepAlive(10, clock)
    expired: list[float] = []
    keep_alive.restore(clock.unix_s() + 1)
    assert keep_alive.expires_at is None
    keep_alive.start(lambda: expired.append(clock.now))
    keep_alive.restore(None)
    assert keep_alive.expires_at == clock.unix_s() + 10
    keep_alive.restore(clock.unix_s() + 3)
    clock.advance(3)
    assert expired == [1003]


def test_zero_expires_at_once_and_below_zero_never() -> None:
    clock = FakeClock()
    expired: list[str] = []
    for seconds, name in ((0, "zero"), (-1, "never")):
        KeepAlive(seconds, clock).start(lambda name=name: expired.append(name))
    clock.advance(0)
    clock.advance(10**9)
    assert expired == ["zero"]


def test_memory_is_the_estimate_until_it_is_measured_and_on_a_gpu_is_needed_on_both() -> None:
    memory = MemoryUse(70)
    assert memory.needs("cpu") == {"cpu": 70}
    assert memory.needs("cuda:0") == {"cuda:0": 70, "cpu": 70}
    memory.gpu_bytes = 50
    assert memory.needs("cuda:0") == {"cuda:0": 50, "cpu": 70}
    memory.leave_gpu()
    assert memory.needs("cuda:0") == {"cuda:0": 70, "cpu": 70}
