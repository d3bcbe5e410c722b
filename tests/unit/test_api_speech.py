"""POST /v1/audio/speech, over a provider that says what it is told."""

from __future__ import annotations

import asyncio
import base64

import pytest
import pytest_asyncio
from api_fakes import RATE, Api, error_of, open_api, sse_events, tone

from slimvoice.audio.decode import decode
from slimvoice.errors import Inference, InvalidRequest
from slimvoice.speech import AudioChunk, SpeechDone, Waveform

CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


@pytest_asyncio.fixture
async def api():
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("name", CONTENT_TYPES)
async def test_every_format_carries_the_whole_speech(api: Api, name):
    response = await api.speak(response_format=name)
    assert response.status_code == 200
    assert response.headers["content-type"] == CONTENT_TYPES[name]
    if name == "pcm":
        assert response.content == tone(0.5, RATE) * 2
    else:
        assert decode(response.content, max_duration_s=10).duration_s == pytest.approx(1.0, abs=0.1)


async def test_mp3_is_the_default(api: Api):
    assert (await api.speak()).headers["content-type"] == "audio/mpeg"


async def test_all_parameters_reach_the_provider(api: Api):
    response = await api.speak(
        voice="af_bella(2)+af_sky(1)", speed=1.5, instructions="Whisper.", language="en-GB", keep_alive=-1
    )
    assert response.status_code == 200
    request = api.provider.requests[0]
    assert request.voice == "af_bella(2)+af_sky(1)"
    assert request.speed == 1.5
    assert request.instructions == "Whisper."
    assert request.language == "en-GB"
    assert request.context.keep_alive_s == -1
    assert request.context.request_id == response.headers["x-request-id"]


async def test_a_voice_may_be_an_object(api: Api):
    await api.speak(voice={"id": "af_sky"})
    assert api.provider.requests[0].voice == "af_sky"


async def test_home_assistants_none_means_no_instructions(api: Api):
    await api.speak(instructions="None", voice="alloy")
    assert api.provider.requests[0].instructions == ""


@pytest.mark.parametrize(
    ("body", "param", "status"),
    [
        ({"input": ""}, "input", 400),
        ({"input": " \n "}, "input", 400),
        ({"input": None}, "input", 400),
        ({"input": "x" * 4097}, "input", 413),
        ({"speed": 0.2}, "speed", 400),
        ({"speed": 4.1}, "speed", 400),
        ({"speed": "fast"}, "speed", 400),
        ({"response_format": "ogg"}, "response_format", 400),
        ({"stream_format": "text"}, "stream_format", 400),
        ({"voice": 7}, "voice", 400),
        ({"voice": {"id": 7}}, "voice.id", 400),
        ({"voice": "x" * 501}, "voice", 400),
        ({"keep_alive": 1.5}, "keep_alive", 400),
        ({"keep_alive": True}, "keep_alive", 400),
        ({"keep_alive": "soon"}, "keep_alive", 400),
        ({"model": "fake-stt"}, "model", 404),
    ],
)
async def test_a_wrong_field_is_refused_by_name(api: Api, body, param, status):
    response = await api.speak(**body)
    assert response.status_code == status
    assert error_of(response)["param"] == param
    assert api.provider.requests == []


@pytest.mark.parametrize(("keep_alive", "seconds"), [(30, 30), (30.0, 30), ("30", 30), ("5m", 300), (-1, -1)])
async def test_keep_alive_in_every_spelling(api: Api, keep_alive, seconds):
    assert (await api.speak(keep_alive=keep_alive)).status_code == 200
    assert api.provider.requests[0].context.keep_alive_s == seconds


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"nonsense", b"[" * 100_000, b'{"input": "\xff"}'])
async def test_a_body_that_is_no_object_is_a_400(api: Api, content):
    response = await api.client.post("/v1/audio/speech", content=content)
    assert response.status_code == 400
    error_of(response)


async def test_half_a_surrogate_pair_is_replaced(api: Api):
    response = await api.client.post(
        "/v1/audio/speech", content=b'{"model": "fake-tts", "input": "Hi \\ud83d there \\ud83d\\ude00"}'
    )
    assert response.status_code == 200
    assert api.provider.requests[0].text == "Hi \ufffd there \U0001f600"


async def test_sse_carries_the_audio_then_usage_then_done(api: Api):
    response = await api.speak(stream_format="sse", response_format="pcm")
    assert response.headers["content-type"].startswith("text/event-stream")
    events = sse_events(response.text)
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:2]) == tone(0.5, RATE) * 2
    assert events[2]["usage"] == {"input_tokens": 11, "output_tokens": 20, "total_tokens": 31}
    assert events[3] == "[DONE]"


async def test_sse_carries_word_times_when_asked(api: Api):
    events = sse_events((await api.speak(stream_format="sse", word_timestamps=True)).text)
    assert events[0]["words"] == [{"word": "Hello", "start": 0.0, "end": 0.5}]
    assert api.provider.requests[0].word_timestamps


async def test_word_times_that_a_model_has_not_are_refused(api: Api):
    api.provider.overrides = {"word_timestamps": False}
    response = await api.speak(stream_format="sse", word_timestamps=True)
    assert response.status_code == 400
    assert error_of(response)["param"] == "word_timestamps"


async def test_an_error_before_the_first_audio_is_a_status(api: Api):
    api.provider.spoken = (InvalidRequest("no such voice", param="voice"),)
    response = await api.speak(voice="nobody")
    assert response.status_code == 400
    assert error_of(response)["param"] == "voice"


async def test_an_error_after_the_first_audio_is_an_error_event(api: Api):
    first = api.provider.spoken[0]
    api.provider.spoken = (first, Inference("broken"))
    events = sse_events((await api.speak(stream_format="sse", response_format="pcm")).text)
    assert events[0]["type"] == "speech.audio.delta"
    assert events[1]["error"]["code"] == "inference_failed"
    assert len(events) == 2


async def test_speech_of_no_sound_is_an_empty_file(api: Api):
    api.provider.spoken = (SpeechDone(duration_s=0.0),)
    response = await api.speak(response_format="wav")
    assert response.status_code == 200
    assert len(response.content) == 44


async def test_the_first_audio_leaves_before_the_second_is_made(api: Api):
    api.provider.gate = asyncio.Event()
    messages: asyncio.Queue[dict] = asyncio.Queue()
    body = b'{"model": "fake-tts", "input": "Hello world", "response_format": "pcm"}'
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "path": "/v1/audio/speech", "raw_path": b"/v1/audio/speech", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "server": ("localhost", 80),
    }  # fmt: skip
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive():
        message = next(sent, None)
        return message or await asyncio.Event().wait()

    serving = asyncio.ensure_future(api.app(scope, receive, messages.put))
    async with asyncio.timeout(10):
        assert (await messages.get())["type"] == "http.response.start"
        assert (await messages.get())["body"] == tone(0.5, RATE)
        assert messages.empty()
        api.provider.gate.set()
        assert (await messages.get())["body"] == tone(0.5, RATE)
        await serving


async def test_longer_text_is_a_setting():
    async with open_api(max_text_chars=100_000) as api:
        text = "".join(chr(code) for code in (0x1F600, 0x4E2D, 0x0416, 0x0905, 0x05D0, 0x7)) * 16_000
        assert (await api.speak(input=text)).status_code == 200
        assert api.provider.requests[0].text == text


async def test_resampled_speech_keeps_its_length(api: Api):
    chunk = AudioChunk(waveform=Waveform(pcm=tone(1.0, 22_050), sample_rate=22_050))
    api.provider.spoken = (chunk, SpeechDone(duration_s=1.0))
    assert len((await api.speak(response_format="pcm")).content) / 2 == pytest.approx(24_000, abs=64)
