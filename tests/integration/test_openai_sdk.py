"""The openai SDK, sync and async: every method of its audio resources, every parameter and format, on a real socket.

The provider is a FakeProvider, so that each value of each answer is known.
"""

from __future__ import annotations

import base64
import inspect
import io

import openai
import pytest
import pytest_asyncio
from api_fakes import DONE, HELLO, RATE, TEXT, build, served, sse_events, tone, wav
from openai import AsyncOpenAI, OpenAI
from openai.types.audio import Transcription, TranscriptionVerbose, Translation, TranslationVerbose

from slimvoice.audio.decode import decode
from slimvoice.errors import Inference, InsufficientMemory, Overloaded, WorkerCrashed
from slimvoice.speech import VoiceDetection

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's mark on translations


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A served face: URL and provider."""
    app, provider, _ = build(tmp_path_factory.mktemp("sdk"))
    with served(app) as url:
        yield url, provider


@pytest.fixture
def provider(server):
    server[1].reset()
    return server[1]


class Both:
    """The sync and the async client behind one asynchronous face."""

    def __init__(self, client: OpenAI | AsyncOpenAI) -> None:
        self.audio = client.audio
        self.models = client.models
        self.client = client

    @staticmethod
    async def done(result):
        return await result if inspect.isawaitable(result) else result

    @staticmethod
    async def listed(stream):
        if hasattr(stream, "__aiter__"):
            return [item async for item in stream]
        return list(stream)


@pytest_asyncio.fixture(params=["sync", "async"])
async def sdk(request, server, provider):
    make = OpenAI if request.param == "sync" else AsyncOpenAI
    both = Both(make(base_url=f"{server[0]}/v1", api_key="none", max_retries=0, timeout=30))
    yield both
    await both.done(both.client.close())


def file() -> tuple[str, bytes]:
    return "a.wav", wav()


async def test_transcription_json(sdk, provider):
    answer = await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1"))
    assert isinstance(answer, Transcription)
    assert answer.text == TEXT
    assert answer.usage.type == "duration"
    assert answer.usage.seconds == 2.0
    assert answer._request_id == provider.requests[0].context.request_id


@pytest.mark.parametrize(
    ("kind", "begin"), [("text", TEXT), ("srt", "1\n00:00:00,000 --> 00:00:01,250\n"), ("vtt", "WEBVTT\n\n")]
)
async def test_transcription_as_plain_text(sdk, kind, begin):
    for resource in (sdk.audio.transcriptions, sdk.audio.translations):
        answer = await sdk.done(resource.create(file=file(), model="whisper-1", response_format=kind))
        assert isinstance(answer, str)
        assert answer.startswith(begin)


async def test_transcription_verbose_json(sdk):
    answer = await sdk.done(
        sdk.audio.transcriptions.create(
            file=file(),
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    )
    assert isinstance(answer, TranscriptionVerbose)
    assert (answer.text, answer.language, answer.duration) == (TEXT, "english", 2.0)
    assert [(word.word, word.start, word.end) for word in answer.words] == [
        ("Hello", 0.0, 0.5), ("there,", 0.5, 1.25), ("wörld", 1.25, 2.0),
    ]  # fmt: skip
    first = answer.segments[0]
    assert first.model_dump() == {
        "id": 0, "seek": 0, "start": 0.0, "end": 1.25, "text": " Hello there,", "tokens": [50364, 2425, 456, 11],
        "temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 0.9, "no_speech_prob": 0.01,
    }  # fmt: skip
    assert answer.usage.seconds == 2.0


async def test_transcription_parameters(sdk, provider):
    answer = await sdk.done(
        sdk.audio.transcriptions.create(
            file=file(),
            model="gpt-4o-transcribe",
            chunking_strategy={
                "type": "server_vad",
                "prefix_padding_ms": 100,
                "silence_duration_ms": 250,
                "threshold": 0.6,
            },
            include=["logprobs"],
            prompt="Slimvoice.",
            response_format="json",
            temperature=0.2,
            extra_body={"keywords": ["Kokoro", "Piper"], "languages": ["en", "de"]},
        )
    )
    first = answer.logprobs[0]
    assert (first.token, first.bytes, first.logprob) == (" Hello", list(b" Hello"), -0.1)
    asked = provider.requests[0]
    assert asked.voice_detection == VoiceDetection(threshold=0.6, prefix_padding_ms=100, silence_duration_ms=250)
    assert asked.logprobs
    assert asked.prompt == "Slimvoice."
    assert asked.temperature == 0.2
    assert asked.keywords == ("Kokoro", "Piper")
    assert asked.languages == ("en", "de")


async def test_transcription_new_parameters(sdk, provider):
    known = inspect.signature(sdk.audio.transcriptions.create).parameters
    if "keywords" not in known:
        pytest.skip("an older SDK")
    answer = await sdk.done(
        sdk.audio.transcriptions.create(
            file=file(), model="gpt-transcribe", keywords=["Kokoro"], languages=["en", "de"], chunking_strategy="auto"
        )
    )
    assert answer.languages[0].code == "en"
    assert provider.requests[0].keywords == ("Kokoro",)
    assert provider.requests[0].languages == ("en", "de")


async def test_transcription_language(sdk, provider):
    await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1", language="de"))
    assert provider.requests[0].language == "de"


async def test_transcription_of_any_kind_of_file(sdk, tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(wav())
    with path.open("rb") as opened:
        for kind in (path, opened, io.BytesIO(wav()), wav()):
            answer = await sdk.done(sdk.audio.transcriptions.create(file=kind, model="whisper-1"))
            assert answer.text == TEXT


async def test_transcription_stream(sdk):
    stream = await sdk.done(sdk.audio.transcriptions.create(file=file(), model="gpt-4o-mini-transcribe", stream=True))
    events = await sdk.listed(stream)
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event.delta for event in events[:2]) == events[2].text == TEXT
    assert events[2].usage.type == "tokens"
    assert events[2].usage.input_tokens == 20
    assert events[2].usage.total_tokens == 26
    assert events[2].usage.input_token_details.audio_tokens == 20


async def test_transcription_stream_with_logprobs(sdk):
    stream = await sdk.done(
        sdk.audio.transcriptions.create(file=file(), model="whisper-1", stream=True, include=["logprobs"])
    )
    events = await sdk.listed(stream)
    assert [len(event.logprobs) for event in events] == [2, 1, 3]
    assert events[1].logprobs[0].bytes == list(" wörld".encode())


async def test_transcription_stream_of_silence(sdk, provider):
    provider.heard = (DONE,)
    stream = await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1", stream=True))
    events = await sdk.listed(stream)
    assert [(event.type, event.text) for event in events] == [("transcript.text.done", "")]


async def test_transcription_stream_that_breaks_raises(sdk, provider):
    provider.heard = (HELLO, WorkerCrashed("the worker died"))
    stream = await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1", stream=True))
    with pytest.raises(openai.APIError, match="the worker died"):
        await sdk.listed(stream)


async def test_transcription_with_streaming_response_and_raw_response(sdk):
    raw = await sdk.done(sdk.audio.transcriptions.with_raw_response.create(file=file(), model="whisper-1"))
    assert (await sdk.done(raw.parse())).text == TEXT
    assert raw.headers["x-request-id"]
    manager = sdk.audio.transcriptions.with_streaming_response.create(file=file(), model="whisper-1", stream=True)
    if isinstance(sdk.client, OpenAI):
        with manager as response:
            text = "".join(response.iter_text())
    else:
        async with manager as response:
            text = "".join([part async for part in response.iter_text()])
    assert sse_events(text)[-1] == "[DONE]"
    assert sse_events(text)[-2]["text"] == TEXT


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "diarized_json", "chunking_strategy": "auto"}, "response_format"),
        ({"extra_body": {"known_speaker_names": ["Ann"]}}, "known_speaker_names"),
        ({"extra_body": {"known_speaker_references": ["data:audio/wav;base64,AA"]}}, "known_speaker_references"),
        ({"temperature": 2.0}, "temperature"),
        ({"language": "xx"}, "language"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
    ],
)
async def test_transcription_refusals_name_the_parameter(sdk, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1", **fields))
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code in {"invalid_request", "unsupported"}


async def test_translation(sdk, provider):
    answer = await sdk.done(
        sdk.audio.translations.create(file=file(), model="whisper-1", prompt="Greetings.", temperature=0.1)
    )
    assert isinstance(answer, Translation)
    assert answer.text == TEXT
    assert provider.requests[0].task == "translate"
    assert provider.requests[0].prompt == "Greetings."
    verbose = await sdk.done(
        sdk.audio.translations.create(file=file(), model="whisper-1", response_format="verbose_json")
    )
    assert isinstance(verbose, TranslationVerbose)
    assert (verbose.text, verbose.language, float(verbose.duration)) == (TEXT, "english", 2.0)
    assert [segment.id for segment in verbose.segments] == [0, 1]


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("json", '"text":"Hello there, wörld & <all>."'),
        ("text", TEXT + "\n"),
        ("srt", "2\n00:00:01,250 --> 00:00:02,000\nwörld & <all>.\n\n"),
        ("vtt", "00:00:01.250 --> 00:00:02.000\nwörld &amp; &lt;all&gt;.\n\n"),
        ("verbose_json", '"duration":2.0'),
    ],
)
async def test_translation_with_raw_response_and_streaming_response(sdk, kind, whole):
    asked = {"file": file(), "model": "whisper-1", "response_format": kind}
    raw = await sdk.done(sdk.audio.translations.with_raw_response.create(**asked))
    assert raw.status_code == 200
    assert whole in (raw.text if isinstance(raw.text, str) else await sdk.done(raw.text()))
    manager = sdk.audio.translations.with_streaming_response.create(**asked)
    if isinstance(sdk.client, OpenAI):
        with manager as response:
            text = "".join(response.iter_text())
    else:
        async with manager as response:
            text = "".join([part async for part in response.iter_text()])
    assert whole in text


async def test_speech_with_raw_response(sdk):
    raw = await sdk.done(
        sdk.audio.speech.with_raw_response.create(input="Hello world", model="tts-1", voice="alloy", speed=4.0)
    )
    assert raw.headers["content-type"] == "audio/mpeg"
    content = (await sdk.done(raw.parse())).content
    assert decode(content, max_duration_s=10).duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("voice", "heard"),
    [("af_sky", "af_sky"), ({"id": "af_sky"}, "af_sky"), ("af_bella(2)+af_sky(1)", "af_bella(2)+af_sky(1)")],
)
async def test_speech_with_every_kind_of_voice(sdk, provider, voice, heard):
    await sdk.done(sdk.audio.speech.create(input="Hello", model="tts-1", voice=voice, response_format="pcm"))
    assert provider.requests[0].voice == heard


@pytest.mark.parametrize(
    ("fields", "param", "status"),
    [
        ({"input": ""}, "input", 400),
        ({"input": "x" * 4097}, "input", 413),
        ({"speed": 0.2}, "speed", 400),
        ({"response_format": "ogg"}, "response_format", 400),
        ({"stream_format": "text"}, "stream_format", 400),
        ({"voice": {"id": 7}}, "voice.id", 400),
    ],
)
async def test_speech_refusals_name_the_parameter(sdk, fields, param, status):
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.done(sdk.audio.speech.create(**{"input": "Hello", "model": "tts-1", "voice": "alloy"} | fields))
    assert (caught.value.status_code, caught.value.param) == (status, param)


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
async def test_speech_in_every_format(sdk, provider, kind):
    answer = await sdk.done(
        sdk.audio.speech.create(
            input="Hello world", model="tts-1", voice="alloy", response_format=kind, speed=1.25, instructions="Softly."
        )
    )
    content = answer.content if isinstance(sdk.client, OpenAI) else await answer.aread()
    if kind == "pcm":
        assert content == tone(0.5, RATE) * 2
    else:
        assert decode(content, max_duration_s=10).duration_s == pytest.approx(1.0, abs=0.1)
    asked = provider.requests[0]
    assert (asked.text, asked.voice, asked.speed, asked.instructions) == ("Hello world", "alloy", 1.25, "Softly.")


async def test_speech_streamed_to_a_file(sdk, tmp_path):
    manager = sdk.audio.speech.with_streaming_response.create(
        input="Hello world", model="gpt-4o-mini-tts", voice="marin", response_format="wav", stream_format="audio"
    )
    path = tmp_path / "speech.wav"
    if isinstance(sdk.client, OpenAI):
        with manager as response:
            response.stream_to_file(path)
    else:
        async with manager as response:
            await response.stream_to_file(path)
    assert decode(path.read_bytes(), max_duration_s=10).duration_s == pytest.approx(1.0, abs=0.01)


async def test_speech_as_events(sdk):
    manager = sdk.audio.speech.with_streaming_response.create(
        input="Hello world", model="tts-1", voice="alloy", response_format="pcm", stream_format="sse"
    )
    if isinstance(sdk.client, OpenAI):
        with manager as response:
            text = "".join(response.iter_text())
    else:
        async with manager as response:
            text = "".join([part async for part in response.iter_text()])
    events = sse_events(text)
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-2]) == tone(0.5, RATE) * 2
    assert events[-2] == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 11, "output_tokens": 20, "total_tokens": 31},
    }
    assert events[-1] == "[DONE]"


async def test_models(sdk):
    listed = await sdk.listed(await sdk.done(sdk.models.list()))
    assert {model.id for model in listed} == {"fake-stt", "fake-stt-en", "fake-tts"}
    one = await sdk.done(sdk.models.retrieve("tts-1"))
    assert (one.id, one.object) == ("tts-1", "model")
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.done(sdk.models.retrieve("nobody"))
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (Overloaded("full"), openai.RateLimitError),
        (Inference("broken"), openai.InternalServerError),
        (InsufficientMemory("too big"), openai.InternalServerError),
    ],
)
async def test_errors_are_the_sdks_own_classes(sdk, provider, error, cls):
    provider.heard = (error,)
    with pytest.raises(cls) as caught:
        await sdk.done(sdk.audio.transcriptions.create(file=file(), model="whisper-1"))
    assert caught.value.code == error.code
    assert error.message in str(caught.value)


@pytest.mark.parametrize(("error", "asked"), [(Inference("broken"), 1), (WorkerCrashed("gone"), 2)])
async def test_the_client_retries_what_may_succeed_and_nothing_else(server, provider, error, asked):
    provider.heard = (error,)
    async with AsyncOpenAI(base_url=f"{server[0]}/v1", api_key="none", max_retries=1) as client:
        with pytest.raises(openai.InternalServerError):
            await client.audio.transcriptions.create(file=file(), model="whisper-1")
    assert len(provider.requests) == asked
