"""The engine with real worker processes and the fake backend."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from array import array
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest
from engine_fakes import MB, Shelf, children, clip, expected, hear, killed_under_load, running, until, worker_pid
from fake_models import STT, TTS
from structlog.testing import capture_logs

from slimvoice.backends.fake.adapter import clip_text
from slimvoice.engine.health import Timeouts
from slimvoice.errors import (
    DeadlineExceeded,
    InsufficientMemory,
    InvalidRequest,
    ModelFailed,
    ModelLoad,
    Overloaded,
    ShuttingDown,
    SlimvoiceError,
    WorkerCrashed,
    WorkerWedged,
)
from slimvoice.speech import (
    AudioChunk,
    RequestContext,
    Segment,
    SpeechDone,
    SynthesizeRequest,
    TranscribeRequest,
    Voice,
    Waveform,
)

# --- the way of a job --------------------------------------------------------------------------------


async def test_engine_transcribes_and_speaks() -> None:
    async with running() as engine:
        assert await hear(engine, clip(1)) == expected(clip(1))
        events = [e async for e in engine.synthesize(SynthesizeRequest(model=TTS, text="One two. Three!"))]
        assert [type(event) for event in events] == [AudioChunk, AudioChunk, SpeechDone]
        spoken = sum(event.waveform.duration_s for event in events if isinstance(event, AudioChunk))
        assert events[-1].duration_s == pytest.approx(spoken)


async def test_a_voice_that_does_not_speak_well_is_told_in_the_log_once() -> None:
    shelf = Shelf()
    voices = (Voice(id="af_x", language="en-US"), Voice(id="zf_x", language="zh", note="no tones"))
    shelf.names["tts"] = msgspec.structs.replace(shelf.names["tts"], voices=voices)
    with capture_logs() as logs:
        async with running(shelf) as engine:
            for voice in ("af_x", "zf_x", "zf_x", "nobody"):
                with suppress(InvalidRequest):
                    request = SynthesizeRequest(model=await engine.resolve("tts"), text="One two.", voice=voice)
                    assert [event async for event in engine.synthesize(request)]
    warned = [(line["language"], line["note"]) for line in logs if line["log_level"] == "warning"]
    assert warned == [("zh", "no tones")]
    assert "One two" not in str(logs)


async def test_long_audio_crosses_the_pipe_whole() -> None:
    long = Waveform(pcm=array("h", random.Random(1).choices(range(-9000, 9000), k=16_000 * 90)).tobytes())
    async with running() as engine:
        heard = await hear(engine, long)
    windows = [long.pcm[at : at + 5 * 32_000] for at in range(0, len(long.pcm), 5 * 32_000)]
    assert heard == " ".join(clip_text(window).strip() for window in windows)


async def test_ten_clients_of_a_cold_model_cause_one_load() -> None:
    async with running(Shelf(stt={"load": "slow", "load_s": 0.3})) as engine:
        heard = await asyncio.gather(*(hear(engine, clip(i)) for i in range(10)))
        assert heard == [expected(clip(i)) for i in range(10)]
        assert len(children()) == 1
        assert engine.metrics.registry.get_sample_value("slimvoice_load_seconds_count", {"model": "stt"}) == 1


async def test_queue_is_bounded_and_nothing_is_lost_or_mixed_up() -> None:
    async with running(queue=32) as engine:
        await engine.load(STT)
        answers = await asyncio.gather(
            *(hear(engine, clip(i), prompt="!slow=0.01") for i in range(200)), return_exceptions=True
        )
        right = [i for i, answer in enumerate(answers) if answer == expected(clip(i))]
        refused = [answer for answer in answers if isinstance(answer, Overloaded)]
        assert len(right) + len(refused) == 200
        assert len(right) >= 33
        assert refused
        assert all(1 <= (error.retry_after_s or 0) <= 120 for error in refused)
        assert (await engine.status()).workers[0].queued == 0


async def test_short_jobs_are_not_stuck_behind_a_long_one() -> None:
    async with running() as engine:
        order: list[str] = []

        async def run(name: str, waveform: Waveform, prompt: str) -> None:
            await hear(engine, waveform, prompt=prompt)
            order.append(name)

        long = asyncio.create_task(run("long", clip(0, 600), "!slow=0.05"))  # twenty windows
        await until(lambda: engine.pool.models["stt"].active if "stt" in engine.pool.models else 0)
        await asyncio.gather(*(run(f"short {i}", clip(i), "") for i in range(5)))
        assert not long.done()
        await long
        assert order[-1] == "long"


async def test_a_stream_of_short_jobs_does_not_starve_a_long_one() -> None:
    async with running(slots=1) as engine:
        long = asyncio.create_task(hear(engine, clip(0, 300), prompt="!slow=0.02"))
        shorts = 0
        while not long.done():  # each step of the long job waits for one short job at most
            await hear(engine, clip(1), prompt="!slow=0.02")
            shorts += 1
            assert shorts <= 40
        assert await long


# --- memory ------------------------------------------------------------------------------------------


async def test_two_models_in_a_budget_for_one_alternate() -> None:
    shelf = Shelf(stt={"memory": 60 * MB}, stt2={"memory": 60 * MB})
    shelf.measured = {"stt": 80 * MB, "stt2": 80 * MB}
    async with running(shelf, ram_budget="150MB") as engine:
        jobs = [hear(engine, clip(i), model=("stt", "stt2")[i % 2], prompt="!slow=0.02") for i in range(12)]
        assert await asyncio.gather(*jobs) == [expected(clip(i)) for i in range(12)]
        assert len(children()) == 1


async def test_what_is_in_use_is_never_evicted() -> None:
    shelf = Shelf(stt={"memory": 60 * MB}, stt2={"memory": 60 * MB})
    shelf.measured = {"stt": 80 * MB, "stt2": 80 * MB}
    async with running(shelf, ram_budget="150MB") as engine:
        long = asyncio.create_task(hear(engine, clip(0, 120), prompt="!slow=0.1"))
        await until(children)
        other = asyncio.create_task(hear(engine, clip(1), model="stt2"))
        done, _ = await asyncio.wait({long, other}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {long}
        assert await other == expected(clip(1))


async def test_least_recently_used_model_goes_first() -> None:
    shelf = Shelf(**{name: {"memory": 100 * MB} for name in ("stt", "stt2", "stt3")})
    shelf.measured = dict.fromkeys(("stt", "stt2", "stt3"), 120 * MB)
    async with running(shelf, ram_budget="300MB") as engine:
        for model in ("stt", "stt2", "stt", "stt3"):
            await hear(engine, clip(1), model=model)
        assert {worker.model for worker in (await engine.status()).workers} == {"stt", "stt3"}


async def test_model_larger_than_the_budget_is_refused_with_the_figures() -> None:
    shelf = Shelf()
    shelf.measured["stt"] = 900 * MB
    async with running(shelf, ram_budget="500MB") as engine:
        with pytest.raises(InsufficientMemory, match=r"900 MB.*500 MB"):
            await hear(engine, clip(1))


async def test_unload_gives_every_byte_back() -> None:
    async with running(Shelf(stt={"memory": 100 * MB})) as engine:
        before = _tree_bytes()
        await hear(engine, clip(1))
        assert _tree_bytes() > before + 90 * MB
        await engine.unload(STT)
        assert children() == []
        assert _tree_bytes() < before * 1.05
        assert (await engine.status()).workers == ()


async def test_a_hundred_loads_and_unloads_do_not_grow_the_server() -> None:
    async with running() as engine:
        me = psutil.Process()
        for _ in range(10):
            await engine.load(TTS)
            await engine.unload(TTS)
        descriptors, memory = me.num_fds(), me.memory_info().rss
        for _ in range(90):
            await engine.load(TTS)
            await engine.unload(TTS)
        assert me.num_fds() <= descriptors
        assert me.memory_info().rss < memory * 1.05


def _tree_bytes() -> int:
    return psutil.Process().memory_info().rss + sum(child.memory_info().rss for child in children())


async def test_idle_model_unloads_after_its_keep_alive() -> None:
    async with running(keep_alive="0") as engine:
        await hear(engine, clip(1))
        await until(lambda: not children())
        await hear(engine, clip(1), context=RequestContext(keep_alive_s=-1))
        assert (await engine.status()).workers[0].expires_at is None
        await hear(engine, clip(1), context=RequestContext(keep_alive_s=300))
        assert (await engine.status()).workers[0].expires_at == pytest.approx(time.time() + 300, abs=5)


async def test_memory_is_measured_after_load_and_kept() -> None:
    shelf = Shelf(stt={"memory": 50 * MB})
    async with running(shelf) as engine:
        await hear(engine, clip(1))
    assert 50 * MB < shelf.measured["stt"] < 200 * MB


# --- failures ----------------------------------------------------------------------------------------


async def test_model_that_does_not_load_says_so() -> None:
    async with running(Shelf(stt={"load": "fail"})) as engine:
        with pytest.raises(ModelLoad, match="told not to load") as caught:
            await hear(engine, clip(1))
    assert "slimvoice pull stt " in caught.value.hint


async def test_crash_while_loading_is_an_error_not_a_hang() -> None:
    async with running(Shelf(stt={"load": "crash"})) as engine:
        with pytest.raises(WorkerCrashed, match="SIGSEGV"):
            await hear(engine, clip(1))


@pytest.mark.parametrize(
    ("fault", "error", "cause"),
    [("!crash", WorkerCrashed, "crashed"), ("!exit", WorkerCrashed, "crashed"), ("!broken", WorkerWedged, "device")],
)
async def test_fatal_input_costs_one_worker_and_is_told_apart(
    fault: str, error: type[SlimvoiceError], cause: str
) -> None:
    async with running() as engine:
        with pytest.raises(error):
            await hear(engine, clip(1), prompt=fault)
        assert await hear(engine, clip(2)) == expected(clip(2))
        assert (await engine.status()).workers[0].last_error.startswith(cause)


async def test_operator_sees_the_last_words_of_a_worker() -> None:
    async with running() as engine:
        with pytest.raises(WorkerCrashed) as caught:
            await hear(engine, clip(1), prompt="!exit")
        assert "told to exit" in caught.value.detail
        assert "told to exit" not in str(caught.value)


async def test_what_a_worker_writes_is_in_the_debug_log_as_it_comes() -> None:
    with capture_logs() as logs:
        async with running() as engine:
            with suppress(WorkerCrashed):
                await hear(engine, clip(1), prompt="!exit")
    wrote = [line for line in logs if line["event"] == "worker wrote"]
    assert {line["log_level"] for line in wrote} == {"debug"}
    assert [line["line"] for line in wrote if line["model"] == "stt" and line["pid"]] == [
        "the fake was told to exit"
    ] * 2


async def test_hanging_step_is_ended_at_its_deadline() -> None:
    async with running(timeouts=Timeouts(load_s=20, pong_s=5, ping_every_s=0.2, step_s=1)) as engine:
        with pytest.raises(WorkerWedged, match="a step took more than"):
            await hear(engine, clip(1), prompt="!hang")
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_model_that_fails_too_often_cools_down_until_loaded_by_hand() -> None:
    async with running() as engine:
        with pytest.raises(ModelFailed) as caught:
            for _ in range(4):
                with pytest.raises(WorkerCrashed):
                    await hear(engine, clip(1), prompt="!crash")
            pytest.fail("it never failed for good")
        assert 1 <= (caught.value.retry_after_s or 0) <= 120
        assert (await engine.status()).workers[0].state == "failed"
        await engine.load(STT)
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_job_that_had_begun_ends_with_an_error_and_is_not_repeated() -> None:
    async with running() as engine:
        events = engine.transcribe(TranscribeRequest(model=STT, waveform=clip(0, 90), prompt="!slow=0.2"))
        assert isinstance(await anext(events), Segment)
        os.kill(await worker_pid(engine), signal.SIGKILL)
        with pytest.raises(WorkerCrashed):
            async for _ in events:
                pass


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
async def test_job_whose_worker_dies_before_its_first_event_is_retried_unseen(kill: signal.Signals) -> None:
    async with running() as engine:
        await engine.load(STT)
        pid = await worker_pid(engine)
        job = asyncio.create_task(hear(engine, clip(7), prompt="!slow=0.5"))
        await until(lambda: engine.pool.models["stt"].active)
        os.kill(pid, kill)
        assert await job == expected(clip(7))
        assert await worker_pid(engine) != pid


async def test_fifty_kills_under_load_lose_nothing() -> None:
    chance = random.Random(7)
    async with running(queue=64) as engine:

        async def ask(number: int) -> str:
            waveform = clip(number)
            try:
                heard = await hear(engine, waveform, prompt="!slow=0.02")
            except (WorkerCrashed, WorkerWedged, ModelFailed, Overloaded) as error:
                assert error.retryable
                return "retryable"
            assert heard == expected(waveform)
            return "right"

        async def moment(outcomes: list[str]) -> None:
            wanted = outcomes.count("right") + chance.choice([0, 3])
            await until(lambda: outcomes.count("right") > wanted)

        await engine.load(STT)
        outcomes = await killed_under_load(engine, "stt", ask, moment, kills=50, clients=6, chance=chance)
        assert outcomes.count("right") > 50


# --- leaving -----------------------------------------------------------------------------------------


async def test_client_that_leaves_frees_its_slot() -> None:
    async with running() as engine:
        events = engine.transcribe(TranscribeRequest(model=STT, waveform=clip(0, 90), prompt="!slow=30"))
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: engine.pool.models["stt"].active if "stt" in engine.pool.models else 0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):  # the 30 s step it was in would not be over
            assert await hear(engine, clip(1)) == expected(clip(1))


async def test_request_past_its_deadline_ends_clearly() -> None:
    async with running() as engine:
        with pytest.raises(DeadlineExceeded):
            await hear(engine, clip(1), prompt="!slow=30", context=RequestContext(timeout_s=0.5))
        assert await hear(engine, clip(2)) == expected(clip(2))


async def test_closing_drains_then_refuses() -> None:
    async with running(drain_s=10) as engine:
        job = asyncio.create_task(hear(engine, clip(1), prompt="!slow=0.3"))
        await until(lambda: engine.pool.models["stt"].active if "stt" in engine.pool.models else 0)
        closing = asyncio.create_task(engine.close())
        assert await job == expected(clip(1))
        await closing
        with pytest.raises(ShuttingDown):
            await hear(engine, clip(2))


async def test_idle_worker_and_engine_use_no_cpu() -> None:
    async with running() as engine:
        await engine.load(STT)
        worker = psutil.Process(await worker_pid(engine))
        await hear(engine, clip(1))
        before = worker.cpu_times()
        switches = worker.num_ctx_switches()
        await asyncio.sleep(1.0)  # the quantity under test is what happens in a stretch of time
        after = worker.cpu_times()
        assert (after.user + after.system) - (before.user + before.system) <= 0.02
        assert worker.num_ctx_switches().voluntary - switches.voluntary <= 5


def test_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parents[1])!r}]\n"
        "from engine_fakes import Engine, Settings, Shelf, clip, hear, worker_pid\n"
        "from fake_models import STT\n"
        "async def main():\n"
        "    engine = Engine(Settings(), Shelf())\n"
        "    await engine.load(STT)\n"
        "    print('pid', await worker_pid(engine), flush=True)\n"
        "    await hear(engine, clip(1), prompt='!hang')\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid "))
        worker = psutil.Process(pid)
        parent.kill()
    assert worker.wait(timeout=5) is None or not worker.is_running()


async def test_what_a_loaded_model_says_that_it_can_do_goes_before_what_its_backend_says() -> None:
    async with running(Shelf(tts={"cannot": ["word_timestamps"]})) as engine:
        model = await engine.resolve("tts")
        assert model.capabilities.word_timestamps
        await engine.load(model)
        told = (await engine.resolve("tts")).capabilities
        assert not told.word_timestamps and told.voice_mixing
        await engine.unload(model)
        assert (await engine.resolve("tts")).capabilities == told, "it is remembered"
        assert (await engine.resolve("stt")).capabilities.word_timestamps
