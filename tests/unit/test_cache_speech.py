"""Finished speech is said again without its provider; what is not finished is not kept."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from slimvoice.cache.folder import STALE_S, CacheFolder
from slimvoice.cache.speech import SpeechCache
from slimvoice.errors import Inference, ModelNotPulled
from slimvoice.metrics import SpeechCacheMetrics
from slimvoice.speech import (
    AudioChunk,
    Capabilities,
    Model,
    RequestContext,
    SpeechDone,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    Waveform,
    Word,
)

VOICE = Model(name="voice", task=Task.TEXT_TO_SPEECH, fingerprint="voice abc")
HELLO = SynthesizeRequest(model=VOICE, text="Hello. World.", voice="a(2)+b")
SPEECH: tuple[SynthesizeEvent, ...] = (
    AudioChunk(waveform=Waveform(pcm=b"\x01\x02" * 500, sample_rate=24_000), text="Hello."),
    AudioChunk(
        waveform=Waveform(pcm=b"\x03\x04" * 500, sample_rate=24_000),
        text="World.",
        words=(Word(text="World.", start_s=0.1, end_s=0.2),),
    ),
    SpeechDone(duration_s=0.5, input_tokens=7),
)


class Provider:
    """Says SPEECH, or fails after its first piece; counts."""

    def __init__(self) -> None:
        self.said = 0
        self.fails = False
        self.heeds_instructions = False
        self.files = "abc"

    async def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        self.said += 1
        for number, event in enumerate(SPEECH):
            if number and self.fails:
                raise Inference("no more")
            yield event

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        if name == "absent":
            raise ModelNotPulled("not here")
        capabilities = Capabilities(instructions=self.heeds_instructions)
        return Model(name=name, task=Task.TEXT_TO_SPEECH, capabilities=capabilities, fingerprint=f"{name} {self.files}")


class Bench:
    """A cache over a provider that counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.provider = Provider()
        self.registry = CollectorRegistry()
        self.folder = CacheFolder(path, 100_000)
        metrics = SpeechCacheMetrics(self.registry)
        self.cache = SpeechCache(self.provider, self.folder, metrics)  # type: ignore[arg-type]

    async def say(self, model: str = "voice", **fields: object) -> list[SynthesizeEvent]:
        request = msgspec.structs.replace(HELLO, model=await self.cache.resolve(model), **fields)
        return [event async for event in self.cache.synthesize(request)]

    @property
    def files(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.exists() else []

    def count(self, outcome: str) -> float:
        return self.registry.get_sample_value("slimvoice_speech_cache_requests_total", {"outcome": outcome}) or 0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cache" / "speech")


# --- speech ------------------------------------------------------------------------------------------


async def test_speech_is_made_once_and_said_again_event_by_event(bench: Bench) -> None:
    assert await bench.say() == list(SPEECH)
    assert await bench.say(context=RequestContext(request_id="another", keep_alive_s=0)) == list(SPEECH)
    assert bench.provider.said == 1
    assert (bench.count("hit"), bench.count("miss")) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Hello. World"},
        {"voice": "a+b(2)"},
        {"speed": 1.1},
        {"language": "en"},
        {"word_timestamps": True},
        {"model": "another"},
    ],
)
async def test_whatever_changes_the_sound_is_made_anew(bench: Bench, change: dict[str, object]) -> None:
    await bench.say()
    await bench.say(**change)
    assert bench.provider.said == 2


async def test_files_of_the_model_and_slimvoices_version_count(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.say()
    bench.provider.files = "another pull"
    await bench.say()
    monkeypatch.setattr("slimvoice.__version__", "99")
    await bench.say()
    assert bench.provider.said == 3


async def test_instructions_count_where_the_model_heeds_them(bench: Bench) -> None:
    await bench.say()
    await bench.say(instructions="Whisper.")
    assert bench.provider.said == 1
    bench.provider.heeds_instructions = True
    await bench.say(instructions="Whisper.")
    assert bench.provider.said == 2


async def test_unfinished_speech_is_not_kept(bench: Bench) -> None:
    async with aclosing(bench.cache.synthesize(HELLO)) as events:
        await anext(events)
        assert len(bench.files) == 1
    assert bench.files == []
    bench.provider.fails = True
    with pytest.raises(Inference):
        await bench.say()
    assert bench.files == []


async def test_reader_that_goes_with_the_last_event_has_it_kept(bench: Bench) -> None:
    async with aclosing(bench.cache.synthesize(HELLO)) as events:
        async for event in events:
            if isinstance(event, SpeechDone):
                break
    assert len(bench.files) == 1


async def test_two_requests_at_once_do_not_disturb_each_other(bench: Bench) -> None:
    async with aclosing(bench.cache.synthesize(HELLO)) as first, aclosing(bench.cache.synthesize(HELLO)) as second:
        pairs = [(await anext(first), await anext(second)) for _ in SPEECH]
    assert [one for one, _ in pairs] == [two for _, two in pairs] == list(SPEECH)
    assert len(bench.files) == 1
    assert await bench.say() == list(SPEECH)


async def test_names_tell_nothing_and_only_the_owner_may_read(bench: Bench) -> None:
    await bench.say()
    (file,) = bench.files
    assert len(file.name) == 64
    assert set(file.name) <= set("0123456789abcdef")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-100], lambda data: b"\x00" * len(data)])
async def test_damaged_file_is_made_anew(bench: Bench, damage) -> None:
    await bench.say()
    (file,) = bench.files
    file.write_bytes(damage(file.read_bytes()))
    assert await bench.say() == list(SPEECH)
    assert await bench.say() == list(SPEECH)
    assert bench.provider.said == 2


async def test_disk_that_does_not_take_it_costs_no_request(bench: Bench) -> None:
    bench.path.parent.mkdir(parents=True)
    bench.path.write_bytes(b"")  # a file where the folder should be
    assert await bench.say() == list(SPEECH)
    assert bench.path.read_bytes() == b""


async def test_model_that_is_not_here_is_refused_as_the_engine_does(bench: Bench) -> None:
    with pytest.raises(ModelNotPulled):
        await bench.say(model="absent")
    assert bench.count("miss") == 0


# --- the folder --------------------------------------------------------------------------------------


def put(folder: CacheFolder, name: str, size: int, used_s: int) -> None:
    draft = folder.draft(name)
    draft.write(b"x" * size)
    draft.keep()
    if (folder.path / name).exists():
        os.utime(folder.path / name, (used_s, used_s))


def names(folder: CacheFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, 1000)
    for number, name in enumerate("abcd"):
        put(folder, name, 250, 1000 + number)
    file = folder.open("a")
    assert file is not None
    file.close()
    put(folder, "e", 250, 2000)
    assert names(folder) == {"a", "d", "e"}  # somewhat more than needed goes at once


def test_what_an_earlier_process_left_counts(tmp_path: Path) -> None:
    put(CacheFolder(tmp_path, 1000), "a", 450, 1000)
    put(CacheFolder(tmp_path, 1000), "b", 450, 1001)
    put(CacheFolder(tmp_path, 1000), "c", 450, 1002)
    assert names(CacheFolder(tmp_path, 1000)) == {"c"}


def test_file_that_would_push_out_too_much_is_not_taken(tmp_path: Path) -> None:
    draft = CacheFolder(tmp_path, 1000).draft("a")
    with pytest.raises(OSError, match="too large"):
        draft.write(b"x" * 501)
    draft.discard()
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, 1000)
    dead, living = folder.draft("a"), folder.draft("b")
    old = tmp_path.stat().st_mtime - STALE_S - 60
    os.utime(dead._path, (old, old))
    put(folder, "c", 100, 1000)
    assert names(folder) == {"c", living._path.name}
    living.discard()
    dead.discard()
    assert names(folder) == {"c"}


async def test_speech_of_a_model_that_nobody_can_tell_is_the_same_is_not_kept(bench: Bench) -> None:
    request = msgspec.structs.replace(HELLO, model=msgspec.structs.replace(VOICE, fingerprint=""))
    for _ in range(2):
        assert [event async for event in bench.cache.synthesize(request)] == list(SPEECH)
    assert (bench.provider.said, bench.files) == (2, [])
