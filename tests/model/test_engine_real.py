"""The engine on real models: fairness, many at once, memory given back, clients that leave, workers that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest
from engine_fakes import children, killed_under_load, until, worker_pid

from slimvoice.audio.decode import decode
from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.errors import SlimvoiceError
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import (
    AudioChunk,
    Progress,
    Segment,
    SynthesizeRequest,
    TranscribeRequest,
    Waveform,
    joined_text,
)

WHISPER = "whisper:tiny"
VOICE = "kokoro"
KILLS = int(os.environ.get("SLIMVOICE_TEST_KILLS", "6"))
"""Kills under load; fifty take four minutes."""


@pytest.fixture(scope="module")
def clips(speech: Path) -> list[Waveform]:
    """Return five short clips, each with other words."""
    lines = [json.loads(line) for line in (speech / "manifest.jsonl").read_text().splitlines()]
    found = []
    for line in lines:
        if line["set"] == "ljspeech-32" and len(found) < 5:
            pcm = decode((speech / line["path"]).read_bytes(), max_duration_s=600).pcm
            found.append(Waveform(pcm=pcm[: 4 * 32_000]))
    assert len(found) == 5
    return found


@pytest.fixture(scope="module")
def recording(clips: list[Waveform]) -> Waveform:
    """Return two minutes of speech: several windows."""
    pcm = b"".join(clip.pcm for clip in clips)
    return Waveform(pcm=(pcm * 6)[: 120 * 32_000])


@asynccontextmanager
async def engine_of(library: ModelLibrary, model_home: Path) -> AsyncIterator[Engine]:
    engine = Engine(Settings(home=model_home, offline=True, drain_s=0, slots=2), library)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close(at_once=True)
        assert children() == []


async def hear(engine: Engine, waveform: Waveform) -> str:
    request = TranscribeRequest(model=await engine.resolve(WHISPER), waveform=waveform, language="en")
    return joined_text([event async for event in engine.transcribe(request) if isinstance(event, Segment)])


def tree_bytes() -> int:
    return psutil.Process().memory_info().rss + sum(child.memory_info().rss for child in children())


async def test_command_ends_inside_one_window_of_a_long_file(
    library: ModelLibrary, model_home: Path, clips: list[Waveform], recording: Waveform
) -> None:
    async with engine_of(library, model_home) as engine:
        alone = await hear(engine, clips[0])
        windows: list[float] = []
        passed: list[int] = []

        async def long() -> None:
            request = TranscribeRequest(model=await engine.resolve(WHISPER), waveform=recording, language="en")
            async for event in engine.transcribe(request):
                if isinstance(event, Progress):
                    windows.append(event.done_s)

        job = asyncio.create_task(long())
        await until(lambda: windows)
        while not job.done() and len(passed) < 3:
            before = len(windows)
            assert await hear(engine, clips[0]) == alone
            passed.append(len(windows) - before)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        assert len(windows) >= 1
        assert min(passed) <= 1  # it did not wait for the windows of the file


async def test_many_at_once_hear_what_each_hears_alone(
    library: ModelLibrary, model_home: Path, clips: list[Waveform]
) -> None:
    async with engine_of(library, model_home) as engine:
        alone = [await hear(engine, clip) for clip in clips]
        assert len(set(alone)) == len(clips)
        assert await asyncio.gather(*(hear(engine, clip) for clip in clips * 2)) == alone * 2


async def test_unload_gives_back_what_both_models_took(
    library: ModelLibrary, model_home: Path, clips: list[Waveform]
) -> None:
    async with engine_of(library, model_home) as engine:
        await hear(engine, clips[0])
        await engine.unload(await engine.resolve(WHISPER))
        before = tree_bytes()
        await hear(engine, clips[0])
        await engine.load(await engine.resolve(VOICE))
        assert tree_bytes() > before + 100_000_000
        await engine.unload(await engine.resolve(WHISPER))
        await engine.unload(await engine.resolve(VOICE))
        assert tree_bytes() < before * 1.05


async def test_client_that_leaves_ends_the_work_inside_its_window(
    library: ModelLibrary, model_home: Path, recording: Waveform
) -> None:
    async with engine_of(library, model_home) as engine:
        await engine.load(await engine.resolve(WHISPER))
        pid = await worker_pid(engine, WHISPER)
        request = TranscribeRequest(model=await engine.resolve(WHISPER), waveform=recording, language="en")
        async with aclosing(engine.transcribe(request)) as events:
            assert await anext(events)
        await settles(engine, WHISPER, pid)


async def test_listener_that_leaves_ends_the_speech_inside_its_sentence(
    library: ModelLibrary, model_home: Path
) -> None:
    async with engine_of(library, model_home) as engine:
        await engine.load(await engine.resolve(VOICE))
        pid = await worker_pid(engine, VOICE)
        text = " ".join(["This is a rather long sentence that takes its time to be spoken, and then some more."] * 10)
        request = SynthesizeRequest(model=await engine.resolve(VOICE), text=text)
        async with aclosing(engine.synthesize(request)) as events:
            assert isinstance(await anext(events), AudioChunk)
        await settles(engine, VOICE, pid)


async def settles(engine: Engine, model: str, pid: int) -> None:
    """Wait until the worker has no job, and then see that it computes nothing."""
    worker = engine.pool.models[model].worker
    assert worker is not None
    await until(lambda: not worker._jobs)
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(1.0)  # the quantity under test is what happens in a stretch of time
    assert sum(process.cpu_times()[:2]) - before < 0.1


async def test_kills_under_load_cost_nobody_a_wrong_answer(
    library: ModelLibrary, model_home: Path, clips: list[Waveform]
) -> None:
    chance = random.Random(KILLS)
    async with engine_of(library, model_home) as engine:
        right = [await hear(engine, clip) for clip in clips]
        hosted = engine.pool.models[WHISPER]
        open_files = psutil.Process().num_fds()

        async def ask(number: int) -> str:
            try:
                heard = await hear(engine, clips[number % len(clips)])
            except SlimvoiceError as error:
                assert error.retryable
                return error.code
            assert heard == right[number % len(clips)]
            return "right"

        async def moment(outcomes: list[str]) -> None:
            before = outcomes.count("right")
            await until(lambda: outcomes.count("right") > before)
            await until(lambda: hosted.ready and hosted.active)
            await asyncio.sleep(chance.uniform(0, 0.5))  # a random moment of a step, or of the load after it

        outcomes = await killed_under_load(engine, WHISPER, ask, moment, kills=KILLS, clients=4, chance=chance)
        print(Counter(outcomes))
        assert await hear(engine, clips[0]) == right[0]
        assert psutil.Process().num_fds() <= open_files + 2  # those of the worker's socket and its standard error
