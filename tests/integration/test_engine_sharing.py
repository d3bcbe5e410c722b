"""How jobs share a worker and models share the memory: fairness, slow readers, those who leave, what has grown."""

from __future__ import annotations

import asyncio
import os
import signal
from array import array
from collections.abc import Callable
from contextlib import aclosing

import msgspec
import psutil
import pytest
from engine_fakes import MB, TIMEOUTS, Shelf, children, clip, expected, hear, running, until, worker_pid
from fake_models import STT, TTS

from slimvoice.engine import pool
from slimvoice.engine.engine import Engine
from slimvoice.engine.health import Timeouts
from slimvoice.engine.messages import Request
from slimvoice.engine.probe import probe
from slimvoice.engine.scheduler import UNREAD_STEPS
from slimvoice.engine.worker_protocol import Worker
from slimvoice.errors import Inference, ModelLoad, ShuttingDown, WorkerWedged
from slimvoice.speech import AudioChunk, Segment, SynthesizeRequest, TranscribeRequest, TranscriptDone, Waveform


def running_jobs(engine: Engine, model: str = "stt") -> dict[int, object]:
    worker = engine.pool.models[model].worker
    return dict(worker._jobs) if worker is not None else {}  # what the engine itself must not keep for long


async def test_short_job_ends_inside_one_step_of_a_long_one() -> None:
    async with running(slots=2) as engine:
        order: list[str] = []
        first_window_done = asyncio.Event()

        async def long() -> None:
            request = TranscribeRequest(model=STT, waveform=clip(0, 60), prompt="!slow=2")
            async for event in engine.transcribe(request):
                if isinstance(event, Segment) and event.start_s in (0, 30):
                    order.append(f"window at {event.start_s:.0f} s")
                    first_window_done.set()

        job = asyncio.create_task(long())
        await first_window_done.wait()
        assert await hear(engine, clip(1)) == expected(clip(1))
        order.append("short")
        await job
        assert order == ["window at 0 s", "short", "window at 30 s"]


async def test_short_job_gets_a_place_while_long_ones_wait_for_theirs() -> None:
    async with running(slots=1) as engine:
        longs = [asyncio.create_task(hear(engine, clip(i, 600), prompt="!slow=0.05")) for i in range(6)]
        await until(lambda: len(running_jobs(engine)) >= 3 if "stt" in engine.pool.models else 0)
        assert await hear(engine, clip(9)) == expected(clip(9))
        assert not any(long.done() for long in longs)
        for long in longs:
            long.cancel()
        await asyncio.gather(*longs, return_exceptions=True)
        await until(lambda: not running_jobs(engine))


async def test_slow_reader_holds_back_its_own_job_alone() -> None:
    text = " ".join(f"Sentence number {i}." for i in range(40))
    async with running(slots=1) as engine:
        events = engine.synthesize(SynthesizeRequest(model=TTS, text=text))
        assert isinstance(await anext(events), AudioChunk)
        for _ in range(UNREAD_STEPS + 3):  # others take their turns meanwhile
            async for _ in engine.synthesize(SynthesizeRequest(model=TTS, text="Another.")):
                pass
        (job,) = running_jobs(engine, "tts").values()
        assert job.inbox.qsize() <= UNREAD_STEPS  # type: ignore[attr-defined]
        rest = [event async for event in events]
        assert sum(isinstance(event, AudioChunk) for event in rest) == 39


async def test_sentence_comes_at_once_and_the_next_ones_are_made_while_it_is_sent() -> None:
    text = "One. !slow=1 Two. " + " ".join(f"Sentence number {i}." for i in range(9))
    request = SynthesizeRequest(model=TTS, text=text)
    async with running(slots=1) as engine, aclosing(engine.synthesize(request)) as events:
        assert isinstance(await anext(events), AudioChunk)
        (job,) = running_jobs(engine, "tts").values()
        assert job.inbox.empty()  # type: ignore[attr-defined]  # the second one is still to be made
        await until(lambda: job.inbox.qsize() == UNREAD_STEPS - 1)  # type: ignore[attr-defined]
        for left in reversed(range(UNREAD_STEPS - 1)):
            assert isinstance(await anext(events), AudioChunk)
            assert job.inbox.qsize() >= left  # type: ignore[attr-defined]


async def test_client_that_leaves_while_its_audio_is_sent_leaves_no_job_behind() -> None:
    hour = Waveform(pcm=array("h", [1000, -1000] * (16_000 * 1800)).tobytes())
    async with running() as engine:
        await engine.load(STT)
        os.kill(await worker_pid(engine), signal.SIGSTOP)  # nobody reads: the audio cannot all be sent
        job = asyncio.create_task(hear(engine, hour))
        await until(lambda: running_jobs(engine))
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        os.kill(await worker_pid(engine), signal.SIGCONT)
        await until(lambda: not running_jobs(engine))
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_model_that_does_not_pass_its_probe_is_not_offered() -> None:
    async with running(Shelf(stt={"always": "!fail"})) as engine:
        with pytest.raises(ModelLoad, match=r"does not work.*told to fail") as caught:
            await hear(engine, clip(1))
        assert "slimvoice pull stt " in caught.value.hint
        assert children() == []


async def test_model_that_hangs_in_its_probe_is_a_wedge() -> None:
    timeouts = Timeouts(load_s=20, pong_s=20, ping_every_s=0.2, step_s=1)
    async with running(Shelf(stt={"always": "!hang"}), timeouts=timeouts) as engine:
        with pytest.raises(WorkerWedged):
            await hear(engine, clip(1))
        assert (await engine.status()).workers == () or engine.pool.models["stt"].last_error.startswith("wedged")


async def test_idle_model_is_probed_and_replaced_when_it_does_not_answer() -> None:
    async with running(probe_interval_s=0.3) as engine:
        await engine.load(STT)
        pid = await worker_pid(engine)
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: engine.pool.models["stt"].restarts == 1 and engine.pool.models["stt"].ready)
        assert await worker_pid(engine) != pid
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_models_that_grow_past_the_budget_make_room() -> None:
    shelf = Shelf(stt2={"memory": 60 * MB})
    shelf.measured = {"stt": 80 * MB, "stt2": 80 * MB}
    async with running(shelf, ram_budget="200MB") as engine:
        await hear(engine, clip(1), model="stt2")
        await hear(engine, clip(1), model="stt", prompt=f"!leak={150 * MB}")
        await until(lambda: not engine.pool.models["stt2"].ready)
        assert engine.pool.models["stt"].ready
        assert engine.pool.models["stt"].memory_bytes > 150 * MB


async def test_model_that_fits_is_not_kept_waiting_by_one_that_does_not() -> None:
    shelf = Shelf(stt={"memory": 100 * MB}, stt2={}, stt3={})
    shelf.measured = {"stt": 100 * MB, "stt2": 300 * MB, "stt3": 50 * MB}
    async with running(shelf, ram_budget="390MB") as engine:
        long = asyncio.create_task(hear(engine, clip(0, 600), prompt="!slow=0.2"))
        await until(lambda: "stt" in engine.pool.models and engine.pool.models["stt"].active)
        large = asyncio.create_task(hear(engine, clip(1), model="stt2"))
        await until(lambda: engine.pool.models["stt"].eviction_waiters)
        assert await hear(engine, clip(2), model="stt3") == expected(clip(2))
        assert not long.done()
        long.cancel()
        assert await large == expected(clip(1))


async def test_workers_outlive_the_signals_that_stop_the_server() -> None:
    async with running(timeouts=TIMEOUTS) as engine:
        await engine.load(STT)
        worker = psutil.Process(await worker_pid(engine))
        job = asyncio.create_task(hear(engine, clip(1), prompt="!slow=0.3"))
        await until(lambda: running_jobs(engine))
        for each in (signal.SIGTERM, signal.SIGINT):
            worker.send_signal(each)
        assert await job == expected(clip(1))
        assert worker.is_running()
        assert os.getpgid(worker.pid) != os.getpgid(0)


async def test_worker_tells_its_model_in_the_process_list() -> None:
    async with running() as engine:
        await engine.load(STT)
        assert "stt" in psutil.Process(await worker_pid(engine)).cmdline()


async def test_worker_that_fails_at_everything_is_replaced_and_one_bad_input_costs_nothing() -> None:
    async with running() as engine:
        with pytest.raises(Inference):
            await hear(engine, clip(1), prompt="!fail")
        await until(lambda: not engine.pool.models["stt"].checking)
        assert engine.pool.models["stt"].restarts == 0
        with pytest.raises(Inference):
            await hear(engine, clip(1), prompt="!spoil")
        await until(lambda: engine.pool.models["stt"].restarts == 1)
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_failure_while_an_earlier_one_is_looked_into_is_looked_into_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probed, spoiled = asyncio.Event(), asyncio.Event()

    async def probe_then_wait(worker: Worker, step_limit_s: Callable[[Request], float]) -> None:
        await probe(worker, step_limit_s)
        probed.set()
        await spoiled.wait()

    async with running() as engine:
        await engine.load(STT)
        monkeypatch.setattr(pool, "probe", probe_then_wait)
        with pytest.raises(Inference):
            await hear(engine, clip(1), prompt="!fail")
        await probed.wait()
        with pytest.raises(Inference):
            await hear(engine, clip(1), prompt="!spoil")
        spoiled.set()
        await until(lambda: engine.pool.models["stt"].restarts == 1)
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_gpu_that_cannot_be_used_gives_way_to_the_cpu_unless_it_was_asked_for() -> None:
    for may_fall_back in (True, False):
        async with running(Shelf(stt={"load": "cpu-only"})) as engine:
            engine._budgets["cuda:0"] = 10**10  # a machine with a GPU
            hosted = engine._hosted(STT)
            hosted.spec = msgspec.structs.replace(hosted.spec, device="cuda:0")
            hosted.may_fall_back = may_fall_back
            if may_fall_back:
                assert await hear(engine, clip(1)) == expected(clip(1))
                assert (await engine.status()).workers[0].device == "cpu"
            else:
                with pytest.raises(ModelLoad, match="no GPU"):
                    await hear(engine, clip(1))


async def test_closing_while_a_model_loads_leaves_nothing_behind() -> None:
    async with running(Shelf(stt={"load": "slow", "load_s": 30})) as engine:
        job = asyncio.create_task(hear(engine, clip(1)))
        await until(children)
        await engine.close()
        with pytest.raises(ShuttingDown):
            await job
        assert children() == []


async def test_reader_that_goes_with_the_last_event_is_no_client_that_left() -> None:
    async with running() as engine:
        async with aclosing(engine.transcribe(TranscribeRequest(model=STT, waveform=clip(1)))) as events:
            async for event in events:
                if isinstance(event, TranscriptDone):
                    break
        count = engine.metrics.registry.get_sample_value
        assert count("slimvoice_jobs_total", {"model": "stt", "outcome": "done"}) == 1
        assert (await engine.status()).workers[0].jobs_done == 1
        async with aclosing(engine.transcribe(TranscribeRequest(model=STT, waveform=clip(1, 90)))) as events:
            await anext(events)
        assert count("slimvoice_jobs_total", {"model": "stt", "outcome": "cancelled"}) == 1
