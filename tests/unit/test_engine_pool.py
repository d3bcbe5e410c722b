"""The pool's decisions over time, with a fake worker and a fake clock: no process, no waiting."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from engine_fakes import until
from pool_fakes import FakePool, settled

from slimvoice.backends.fake.adapter import FakeVariants
from slimvoice.engine.hosted_model import HostSettings
from slimvoice.engine.variants import Variants
from slimvoice.errors import InsufficientMemory, ModelFailed, ModelLoad, ShuttingDown, WorkerCrashed

# --- load --------------------------------------------------------------------------------------------


async def test_a_job_loads_its_model_and_runs() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    assert (hosted.state, hosted.active) == ("loading", 0)
    fake.workers[0].finish_load()
    assert await job == "words"
    assert (hosted.state, hosted.jobs_done, hosted.idle) == ("ready", 1, True)


async def test_ten_jobs_of_a_cold_model_cause_one_load() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    jobs = [fake.job(hosted) for _ in range(10)]
    await settled()
    (worker,) = fake.workers
    worker.finish_load()
    assert await asyncio.gather(*jobs) == ["words"] * 10
    assert len(fake.workers) == 1


async def test_a_load_that_fails_is_told_to_all_who_wait_and_tried_again_for_the_next() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    jobs = [fake.job(hosted) for _ in range(3)]
    await settled()
    fake.workers[0].fail_load(ModelLoad("its file is damaged"))
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["its file is damaged"] * 3
    assert (hosted.state, hosted.worker) == ("absent", None)
    assert hosted.last_error == "load: its file is damaged"
    again = fake.job(hosted)
    await settled()
    fake.workers[1].finish_load()
    assert await again == "words"


async def test_a_worker_that_crashes_while_it_loads_is_an_error() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    fake.workers[0].crash(signal.SIGKILL)
    with pytest.raises(WorkerCrashed):
        await job
    assert (hosted.state, hosted.worker) == ("absent", None)


async def test_a_model_that_does_not_pass_its_probe_is_ended() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    fake.workers[0].spoiled = True
    fake.workers[0].let_stop()
    fake.workers[0].finish_load()
    with pytest.raises(ModelLoad, match="does not work"):
        await job
    assert fake.workers[0].gone.is_set()
    assert hosted.state == "absent"


async def test_a_load_goes_on_when_its_client_leaves_and_the_keep_alive_begins() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    job.cancel()
    await settled()
    fake.workers[0].finish_load()
    await settled()
    assert hosted.idle
    assert hosted.keep_alive.expires_at == fake.clock.unix_s() + 300
    assert hosted.admitted == 0


async def test_a_client_that_leaves_with_the_grant_gives_its_slot_back() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    fake.workers[0].finish_load()
    while not hosted.active:  # noqa: ASYNC110 - the job must not run on before it is cancelled
        await asyncio.sleep(0)
    job.cancel()
    await settled()
    assert hosted.idle
    assert hosted.keep_alive.expires_at is not None


async def test_a_gpu_that_cannot_be_used_gives_way_to_the_cpu_unless_it_was_asked_for() -> None:
    for may_fall_back in (True, False):
        fake = FakePool(by_hand=True)
        hosted = fake.host(device="cuda:0", settings=HostSettings(may_fall_back=may_fall_back))
        job = fake.job(hosted)
        await settled()
        fake.workers[0].fail_load(ModelLoad("no GPU"))
        await settled()
        if may_fall_back:
            assert (hosted.state, hosted.device) == ("loading", "cpu")
            fake.workers[1].finish_load()
            assert await job == "words"
        else:
            with pytest.raises(ModelLoad, match="no GPU"):
                await job
            assert hosted.device == "cuda:0"


async def test_a_variant_that_crashes_gives_way_to_the_next_which_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeVariants, "names", ("middle", "low"))
    fake = FakePool(by_hand=True, home=tmp_path)
    hosted = fake.host()
    job = fake.job(hosted)
    for number, variant in enumerate(("", "middle", "low")):
        await until(lambda count=number: len(fake.workers) > count)  # the variants are listed in a thread
        assert fake.workers[number].spec.variant == variant
        if variant == "low":
            fake.workers[number].finish_load()
        else:
            fake.workers[number].crash(signal.SIGILL)
    assert await job == "words"
    kept = Variants(tmp_path).lowered("fake-stt")
    assert kept is not None
    assert (kept.variant, kept.why) == ("low", "SIGILL")
    assert (hosted.restarts, hosted.cooling_s, hosted.lowered_by) == (0, 0, "")


async def test_a_model_that_crashes_every_variant_is_refused_and_begins_with_the_best_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeVariants, "names", ("low",))
    fake = FakePool(by_hand=True, home=tmp_path)
    hosted = fake.host()
    for first in (0, 2):
        job = fake.job(hosted)
        for number, variant in ((first, ""), (first + 1, "low")):
            await until(lambda count=number: len(fake.workers) > count)
            assert fake.workers[number].spec.variant == variant
            fake.workers[number].crash()
        with pytest.raises(ModelLoad, match="every variant"):
            await job
    assert Variants(tmp_path).lowered("fake-stt") is None


# --- evict -------------------------------------------------------------------------------------------


async def test_the_least_recently_used_idle_model_is_evicted() -> None:
    fake = FakePool(budget_bytes=100)
    old, old_worker = await fake.loaded("old", memory_bytes=40)
    fake.clock.advance(1)
    new, _ = await fake.loaded("new", memory_bytes=40)
    await fake.loaded("third", memory_bytes=40)
    assert (old.state, new.state) == ("absent", "ready")
    assert old_worker.gone.is_set()


async def test_a_model_in_use_is_waited_for_and_its_new_jobs_queue_behind() -> None:
    fake = FakePool(budget_bytes=100)
    busy, worker = await fake.loaded("busy", memory_bytes=80)
    running = fake.job(busy, held=True)
    await settled()
    other = fake.host("other", memory_bytes=80)
    waiting = fake.job(other)
    await settled()
    behind = fake.job(busy)
    await settled()
    assert (other.state, busy.state, busy.active, busy.slots.waiting) == ("pending", "ready", 1, 1)
    worker.finish_job()
    assert await running == "words"
    assert await waiting == "words"
    assert await behind == "words"
    assert not worker.evicted_in_use
    assert len(fake.workers) == 3  # busy, other, busy again


async def test_a_load_that_nobody_waits_for_any_more_evicts_nobody() -> None:
    fake = FakePool(budget_bytes=100)
    busy, worker = await fake.loaded("busy", memory_bytes=80)
    running = fake.job(busy, held=True)
    other = fake.host("other", memory_bytes=80)
    await settled()
    waiting = fake.job(other)
    await settled()
    waiting.cancel()
    await settled()
    assert (other.state, busy.eviction_waiters) == ("absent", 0)
    worker.finish_job()
    assert await running == "words"
    assert busy.ready


async def test_a_model_that_never_fits_is_refused() -> None:
    fake = FakePool(budget_bytes=100)
    hosted = fake.host(memory_bytes=101)
    with pytest.raises(InsufficientMemory):
        await fake.job(hosted)
    assert hosted.state == "absent"
    assert not fake.workers


async def test_models_that_have_grown_past_the_budget_make_room_when_one_is_idle() -> None:
    fake = FakePool(budget_bytes=100)
    first, _ = await fake.loaded("first", memory_bytes=40)
    fake.clock.advance(1)
    second, _ = await fake.loaded("second", memory_bytes=40)
    second.memory.ram_bytes = 70
    await fake.job(second)
    await settled()
    assert (first.state, second.state) == ("absent", "ready")


# --- keep-alive --------------------------------------------------------------------------------------


async def test_an_idle_model_is_unloaded_after_its_keep_alive() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded(settings=HostSettings(keep_alive_s=60))
    fake.clock.advance(59)
    await settled()
    assert hosted.ready
    fake.clock.advance(1)
    await settled()
    assert (hosted.state, worker.gone.is_set()) == ("absent", True)
    unloads = fake.metrics.registry.get_sample_value("slimvoice_unloads_total", {"model": "stt", "why": "keep-alive"})
    assert unloads == 1


async def test_a_job_stops_the_keep_alive_and_its_end_starts_it_anew() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded(settings=HostSettings(keep_alive_s=60))
    fake.clock.advance(50)
    job = fake.job(hosted, held=True)
    await settled()
    assert hosted.keep_alive.expires_at is None
    fake.clock.advance(100)
    await settled()
    worker.finish_job()
    assert await job == "words"
    assert hosted.keep_alive.expires_at == fake.clock.unix_s() + 60


async def test_a_negative_keep_alive_never_expires() -> None:
    fake = FakePool()
    hosted, _ = await fake.loaded(settings=HostSettings(keep_alive_s=-1))
    fake.clock.advance(10**9)
    await settled()
    assert hosted.ready


async def test_a_probe_does_not_extend_the_keep_alive() -> None:
    fake = FakePool()
    hosted, _ = await fake.loaded(settings=HostSettings(keep_alive_s=60))
    expires_at = hosted.keep_alive.expires_at
    fake.clock.advance(50)
    await fake.pool.probe_or_replace(hosted)
    assert hosted.keep_alive.expires_at == expires_at
    fake.clock.advance(10)
    await settled()
    assert hosted.state == "absent"


# --- failures ----------------------------------------------------------------------------------------


async def test_a_worker_that_crashes_is_restarted_at_once_three_times_and_then_cools_down() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    for restart in range(3):
        worker.crash()
        await settled()
        assert (hosted.state, hosted.restarts) == ("ready", restart + 1)
        worker = fake.workers[-1]
    worker.crash()
    await settled()
    assert (hosted.state, hosted.restarts, len(fake.workers)) == ("absent", 3, 4)
    with pytest.raises(ModelFailed) as refused:
        await fake.job(hosted)
    assert refused.value.retry_after_s == 30
    fake.clock.advance(30)
    assert await fake.job(hosted) == "words"


async def test_a_crash_ends_the_running_job_and_serves_the_queued_ones_on_the_next_worker() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    running = [fake.job(hosted, held=True) for _ in range(5)]
    queued = fake.job(hosted)
    await settled()
    assert (hosted.active, hosted.slots.waiting) == (5, 1)
    worker.crash()
    answers = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(answer, WorkerCrashed) for answer in answers)
    assert await queued == "words"


async def test_a_failed_job_has_its_worker_probed_and_replaced_only_where_the_probe_fails() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    fake.pool.suspect(hosted)
    assert hosted.checking
    await settled()
    assert (hosted.checking, hosted.restarts, len(fake.workers)) == (False, 0, 1)
    worker.spoiled = True
    fake.pool.suspect(hosted)
    await settled()
    assert (hosted.checking, hosted.restarts, hosted.state) == (False, 1, "ready")
    assert hosted.last_error.startswith("wedged")
    assert await fake.job(hosted) == "words"


# --- unload ------------------------------------------------------------------------------------------


async def test_unload_during_a_load_serves_who_waits_and_then_unloads() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted, held=True)
    await settled()
    unload = asyncio.ensure_future(fake.pool.unload(hosted))
    await settled()
    fake.workers[0].finish_load()
    await settled()
    assert (hosted.state, hosted.active, unload.done()) == ("ready", 1, False)
    fake.workers[0].let_stop()
    fake.workers[0].finish_job()
    assert await job == "words"
    await unload
    assert hosted.state == "absent"


async def test_unload_waits_for_running_jobs_and_new_ones_load_again_afterwards() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    running = fake.job(hosted, held=True)
    await settled()
    unload = asyncio.ensure_future(fake.pool.unload(hosted))
    await settled()
    behind = fake.job(hosted)
    await settled()
    assert (worker.stopping, hosted.slots.waiting) == (False, 1)
    worker.finish_job()
    assert await running == "words"
    await unload
    assert await behind == "words"
    assert len(fake.workers) == 2


async def test_unload_of_a_model_that_is_not_loaded_does_nothing() -> None:
    fake = FakePool()
    hosted = fake.host()
    await fake.pool.unload(hosted)
    assert (hosted.state, fake.workers) == ("absent", [])


async def test_an_unload_whose_client_leaves_is_carried_out() -> None:
    fake = FakePool(by_hand=True)
    hosted, worker = await fake.loaded()
    unload = asyncio.ensure_future(fake.pool.unload(hosted))
    await settled()
    assert hosted.state == "stopping"
    unload.cancel()
    await settled()
    worker.let_stop()
    await settled()
    assert hosted.state == "absent"
    job = fake.job(hosted)
    await settled()
    fake.workers[1].finish_load()
    assert await job == "words"


async def test_a_crash_while_its_eviction_has_begun_leaves_no_second_worker() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    fake.recorded.clear()  # what was measured takes its time to be written
    unload = asyncio.ensure_future(fake.pool.unload(hosted))
    await settled()
    worker.crash()
    await settled()
    fake.recorded.set()
    await unload
    assert (hosted.state, hosted.worker, len(fake.workers)) == ("absent", None, 1)
    assert hosted.last_error.startswith("crashed")
    assert await fake.job(hosted) == "words"


# --- close -------------------------------------------------------------------------------------------


async def test_close_during_a_load_rejects_who_waits_and_leaves_no_worker() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    fake.workers[0].let_stop()
    await fake.pool.close(0)
    with pytest.raises(ShuttingDown):
        await job
    assert fake.workers[0].gone.is_set()
    assert (hosted.state, hosted.worker) == ("absent", None)


async def test_close_waits_for_running_jobs_and_rejects_new_ones() -> None:
    fake = FakePool()
    hosted, worker = await fake.loaded()
    running = fake.job(hosted, held=True)
    await settled()
    closing = asyncio.ensure_future(fake.pool.close(60))
    await settled()
    assert not worker.stopping
    with pytest.raises(ShuttingDown):
        await fake.job(hosted)
    worker.finish_job()
    assert await running == "words"
    await closing
    assert (hosted.state, worker.gone.is_set()) == ("absent", True)


async def test_close_ends_the_jobs_that_do_not_end_in_time() -> None:
    fake = FakePool()
    hosted, _ = await fake.loaded()
    running = fake.job(hosted, held=True)
    await settled()
    await fake.pool.close(0)
    with pytest.raises(WorkerCrashed):
        await running
    assert (hosted.state, hosted.active) == ("absent", 0)


async def test_close_while_a_load_waits_for_memory_lets_go_of_what_it_held() -> None:
    fake = FakePool(budget_bytes=100)
    busy, _ = await fake.loaded("busy", memory_bytes=80)
    running = fake.job(busy, held=True)
    await settled()
    other = fake.host("other", memory_bytes=80)
    waiting = fake.job(other)
    await settled()
    await fake.pool.close(0)
    answers = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [WorkerCrashed, ShuttingDown]
    assert (busy.eviction_waiters, busy.state, other.state) == (0, "absent", "absent")


async def test_an_unload_that_waits_when_the_pool_closes_ends() -> None:
    fake = FakePool(by_hand=True)
    hosted = fake.host()
    job = fake.job(hosted)
    await settled()
    unload = asyncio.ensure_future(fake.pool.unload(hosted))
    await settled()
    fake.workers[0].let_stop()
    await fake.pool.close(0)
    await asyncio.wait_for(unload, 5)
    with pytest.raises(ShuttingDown):
        await job
