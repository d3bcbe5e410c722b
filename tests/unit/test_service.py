"""The service below all faces: the pull policy, the refusals that every face gives, and how much audio may wait."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from api_fakes import FakeProvider, make_settings, wav
from fake_models import STT, TTS

from slimvoice.errors import InvalidRequest, ModelNotPulled, Overloaded, SlimvoiceError, TooLarge, Unsupported
from slimvoice.models.library import ModelLibrary
from slimvoice.service import DECODERS, SpeechService
from slimvoice.speech import NO_AUDIO, Capabilities, Model, SynthesizeRequest, Task, TranscribeRequest, Waveform
from slimvoice.speech.checks import check
from slimvoice.text.languages import parse_language

ABLE = msgspec.structs.replace(
    STT,
    languages=("en", "de"),
    capabilities=Capabilities(translate=True, word_timestamps=True, logprobs=True, diarization=True),
)
UNABLE = msgspec.structs.replace(ABLE, capabilities=Capabilities())


def service_of(folder: Path, **settings: object) -> tuple[SpeechService, FakeProvider, list[str]]:
    """Return a service that pulls from the mirror and says what it pulls."""
    made = make_settings(folder, **settings)
    library = ModelLibrary(made)
    provider = FakeProvider(library)
    pulled: list[str] = []

    async def pull(name: str) -> None:
        pulled.append(name)
        await asyncio.to_thread(library.pull, name)

    return SpeechService(provider, library, made, pull=pull, max_text_chars=20), provider, pulled


# --- the model -----------------------------------------------------------------------------------------


async def test_model_on_this_machine_is_not_pulled(tmp_path: Path) -> None:
    service, _, pulled = service_of(tmp_path, auto_pull="any")
    service.library.pull("fake-stt")
    assert (await service.resolve("whisper-1", Task.SPEECH_TO_TEXT)).name == "fake-stt"
    assert pulled == []


@pytest.mark.parametrize(
    ("policy", "name", "pulls"),
    [
        ("off", "not-pulled", None),
        ("off", "hf:test/fake", None),
        ("catalog", "not-pulled", "not-pulled"),
        ("catalog", "whisper-1", "fake-stt"),
        ("catalog", "hf:test/fake", None),
        ("catalog", "HF:test/fake", None),
        ("any", "not-pulled", "not-pulled"),
        ("any", "HF:test/fake", "HF:test/fake"),
    ],
)
async def test_first_use_pulls_as_the_policy_says(tmp_path: Path, policy: str, name: str, pulls: str | None) -> None:
    service, _, pulled = service_of(tmp_path, auto_pull=policy)
    if pulls is None:
        with pytest.raises(ModelNotPulled):
            await service.resolve(name, Task.SPEECH_TO_TEXT)
    elif "hf:" in name.casefold():
        with pytest.raises(SlimvoiceError):  # the mirror has no such repository
            await service.resolve(name, Task.SPEECH_TO_TEXT)
    else:
        assert (await service.resolve(name, Task.SPEECH_TO_TEXT)).name == pulls
    assert pulled == ([] if pulls is None else [pulls])


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"task": "translate"}, "model", "does not translate"),
        ({"word_timestamps": True}, "timestamp_granularities", "has no word timestamps"),
        ({"logprobs": True}, "include", "has no logprobs"),
    ],
)
def test_what_a_model_cannot_do_is_refused_and_named(fields: dict[str, object], param: str, message: str) -> None:
    check(TranscribeRequest(model=ABLE, waveform=NO_AUDIO, **fields))  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match=message) as refused:
        check(TranscribeRequest(model=UNABLE, waveform=NO_AUDIO, **fields))  # type: ignore[arg-type]
    assert refused.value.param == param


@pytest.mark.parametrize(("fields", "param"), [({"language": "fr"}, "language"), ({"languages": ("fr",)}, "languages")])
def test_languages_that_a_model_does_not_know_are_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(Unsupported, match="does not know the language 'fr'") as refused:
        check(TranscribeRequest(model=ABLE, waveform=NO_AUDIO, **fields))  # type: ignore[arg-type]
    assert refused.value.param == param
    anything = msgspec.structs.replace(ABLE, languages=())  # nobody knows which it speaks
    check(TranscribeRequest(model=anything, waveform=NO_AUDIO, **fields))  # type: ignore[arg-type]


def test_languages_are_read_alike_by_every_face() -> None:
    assert [parse_language(text) for text in ("English", "EN-us", " auto ", "", None)] == ["en", "en", None, None, None]
    with pytest.raises(InvalidRequest) as unknown:
        parse_language("Klingon", "languages")
    assert unknown.value.param == "languages"


def test_texts_are_refused_by_length_and_emptiness() -> None:
    check(SynthesizeRequest(model=TTS, text="x" * 21))
    for text, error in (("x" * 21, TooLarge), (" \n", InvalidRequest)):
        with pytest.raises(error) as refused:
            check(SynthesizeRequest(model=TTS, text=text), max_text_chars=20)
        assert refused.value.param == "input"
    with pytest.raises(Unsupported) as words:
        check(SynthesizeRequest(model=TTS, text="x", word_timestamps=True))
    assert words.value.param == "word_timestamps"


async def test_face_that_forgets_to_check_gets_the_refusal_all_the_same(tmp_path: Path) -> None:
    service, provider, _ = service_of(tmp_path)
    with pytest.raises(TooLarge):
        service.synthesize(SynthesizeRequest(model=TTS, text="x" * 21))
    with pytest.raises(Unsupported):
        await anext(service.transcribe(TranscribeRequest(model=UNABLE, waveform=NO_AUDIO, task="translate")))
    assert provider.requests == []


# --- audio ---------------------------------------------------------------------------------------------


async def test_audio_that_waits_is_bounded_and_given_back(tmp_path: Path) -> None:
    service, provider, _ = service_of(tmp_path, max_held_audio_s=3)
    provider.gate = asyncio.Event()

    def job(seconds: int) -> TranscribeRequest:
        return TranscribeRequest(
            model=Model(name="m", task=Task.SPEECH_TO_TEXT), waveform=Waveform(pcm=bytes(32_000 * seconds))
        )

    async with aclosing(service.transcribe(job(9))) as alone:  # one always fits
        await anext(alone)
        with pytest.raises(Overloaded):
            await anext(service.transcribe(job(1)))
    async with aclosing(service.transcribe(job(1))) as first, aclosing(service.transcribe(job(2))) as second:
        await anext(first)
        await anext(second)
        with pytest.raises(Overloaded):
            await anext(service.transcribe(job(1)))


async def test_few_recordings_are_decoded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, _, _ = service_of(tmp_path)
    running: list[int] = []
    most: list[int] = []

    def decode(audio: bytes, *, max_duration_s: float) -> Waveform:
        running.append(1)
        most.append(len(running))
        together.wait(1)
        running.pop()
        return NO_AUDIO

    together = threading.Event()
    monkeypatch.setattr("slimvoice.service.decode", decode)
    jobs = [asyncio.create_task(service.decode(wav())) for _ in range(4)]
    async with asyncio.timeout(30):
        while len(most) < DECODERS:  # noqa: ASYNC110 - the threads tell nobody
            await asyncio.sleep(0.01)
    together.set()
    await asyncio.gather(*jobs)
    assert len(most) == 4
    assert max(most) == DECODERS
