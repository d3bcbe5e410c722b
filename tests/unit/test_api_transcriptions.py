"""POST /v1/audio/transcriptions and translations, over a provider that says what it is told."""

from __future__ import annotations

import asyncio
import base64

import pytest
import pytest_asyncio
from api_fakes import DONE, HELLO, TEXT, Api, error_of, open_api, sse_events, wav
from structlog.testing import capture_logs

from slimvoice.errors import Inference, Overloaded, WorkerCrashed
from slimvoice.speech import Progress, VoiceDetection


@pytest_asyncio.fixture
async def api():
    async with open_api() as api:
        yield api


async def test_json_has_text_and_usage(api: Api):
    response = await api.transcribe()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"text": TEXT, "usage": {"type": "duration", "seconds": 2.0}}
    assert api.provider.requests[0].waveform.duration_s == pytest.approx(2.0)


async def test_text_srt_and_vtt_are_plain_text(api: Api):
    text = await api.transcribe(response_format="text")
    assert text.text == TEXT + "\n"
    srt = await api.transcribe(response_format="srt")
    assert srt.text.startswith("1\n00:00:00,000 --> 00:00:01,250\nHello there,\n\n2\n")
    vtt = await api.transcribe(response_format="vtt")
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nHello there,\n\n")
    assert {r.headers["content-type"] for r in (text, srt, vtt)} == {"text/plain; charset=utf-8"}


async def test_verbose_json_has_all_ten_segment_fields_and_no_words_unless_asked(api: Api):
    body = (await api.transcribe(response_format="verbose_json")).json()
    assert body["task"] == "transcribe"
    assert body["language"] == "english"
    assert body["duration"] == 2.0
    assert isinstance(body["duration"], float)
    assert body["text"] == TEXT
    assert body["usage"] == {"type": "duration", "seconds": 2.0}
    assert "words" not in body
    assert body["segments"][0] == {
        "id": 0, "seek": 0, "start": 0.0, "end": 1.25, "text": " Hello there,", "tokens": [50364, 2425, 456, 11],
        "temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 0.9, "no_speech_prob": 0.01,
    }  # fmt: skip
    assert body["language_probability"] == 0.98


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp_granularities__": ["word", "segment"]},
        {"timestamp_granularities": ["word", "segment"]},
        {"timestamp_granularities": '["word", "segment"]'},
        {"timestamp_granularities[0]": "word", "timestamp_granularities[1]": "segment"},
    ],
)
async def test_every_spelling_of_a_list_is_read(api: Api, fields):
    body = (await api.transcribe(response_format="verbose_json", **fields)).json()
    assert body["words"][:2] == [
        {"word": "Hello", "start": 0.0, "end": 0.5},
        {"word": "there,", "start": 0.5, "end": 1.25},
    ]
    assert len(body["segments"]) == 2
    assert api.provider.requests[0].word_timestamps


async def test_words_alone_leave_segments_out(api: Api):
    body = (await api.transcribe(response_format="verbose_json", timestamp_granularities="word")).json()
    assert "segments" not in body
    assert len(body["words"]) == 3


async def test_granularities_without_verbose_json_are_refused(api: Api):
    response = await api.transcribe(timestamp_granularities__=["word"])
    assert response.status_code == 400
    assert error_of(response)["param"] == "timestamp_granularities"


@pytest.mark.parametrize("response_format", ["json", "text", "vtt", None])
async def test_segments_asked_for_where_there_are_none_are_ignored_and_logged(api: Api, response_format):
    asked = {"response_format": response_format} if response_format else {}
    with capture_logs() as logs:
        response = await api.transcribe(timestamp_granularities__=["segment"], **asked)
    assert response.status_code == 200
    assert [line["names"] for line in logs if line["event"] == "fields ignored"] == [["timestamp_granularities"]]
    both = await api.transcribe(timestamp_granularities__=["segment", "word"], **asked)
    assert (both.status_code, error_of(both)["param"]) == (400, "timestamp_granularities")


async def test_include_logprobs(api: Api):
    body = (await api.transcribe(include__=["logprobs"])).json()
    assert body["logprobs"][0] == {"token": " Hello", "bytes": list(b" Hello"), "logprob": -0.1}
    assert api.provider.requests[0].logprobs
    refused = await api.transcribe(include__=["logprobs"], response_format="text")
    assert error_of(refused)["param"] == "include"
    unknown = await api.transcribe(include__=["everything"])
    assert error_of(unknown)["param"].startswith("include")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"chunking_strategy": "auto"}, VoiceDetection()),
        (
            {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "0.7"},
            VoiceDetection(threshold=0.7),
        ),
        (
            {"chunking_strategy": '{"type": "server_vad", "prefix_padding_ms": 100, "silence_duration_ms": 250}'},
            VoiceDetection(prefix_padding_ms=100, silence_duration_ms=250),
        ),
    ],
)
async def test_chunking_strategy_in_every_spelling(api: Api, fields, wanted):
    assert (await api.transcribe(**fields)).status_code == 200
    assert api.provider.requests[0].voice_detection == wanted


async def test_all_parameters_reach_the_provider(api: Api):
    response = await api.transcribe(
        languages__=["en", "de-DE"],
        keywords__=["slimvoice", "Kokoro"],
        prompt="A tale\x00 of\nslimvoice",
        temperature="0.4",
        keep_alive="5m",
    )
    assert response.status_code == 200
    request = api.provider.requests[0]
    assert request.languages == ("en", "de")
    assert request.keywords == ("slimvoice", "Kokoro")
    assert request.prompt == "A tale  of\nslimvoice"
    assert request.temperature == 0.4
    assert request.context.keep_alive_s == 300
    assert request.context.request_id == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("language", "code"), [("de", "de"), ("EN-us", "en"), ("German", "de"), ("", None), ("auto", None)]
)
async def test_language_in_every_spelling(api: Api, language, code):
    assert (await api.transcribe(language=language)).status_code == 200
    assert api.provider.requests[0].language == code


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "klingon"}, "language"),
        ({"language": "ja"}, "language"),
        ({"languages__": ["xx"]}, "languages"),
        ({"temperature": "1.5"}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"response_format": "xml"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"known_speaker_names__": ["Ann"]}, "known_speaker_names"),
        ({"known_speaker_references__": ["data:audio/wav;base64,AAAA"]}, "known_speaker_references"),
        ({"chunking_strategy": "sometimes"}, "chunking_strategy"),
        ({"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "7"}, "chunking_strategy.threshold"),
        ({"chunking_strategy": '{"type": "semantic_vad"}'}, "chunking_strategy.type"),
        ({"stream": "perhaps"}, "stream"),
        ({"keep_alive": "for ages"}, "keep_alive"),
        ({"model": ["a", "b"]}, "model"),
    ],
)
async def test_a_wrong_field_is_a_400_that_names_it(api: Api, fields, param):
    response = await api.transcribe(**fields)
    assert response.status_code == 400
    assert error_of(response)["param"] == param
    assert api.provider.requests == []


async def test_unknown_fields_are_ignored(api: Api):
    assert (await api.transcribe(user="me", foo__=["1", "2"])).json()["text"] == TEXT


@pytest.mark.parametrize("response_format", [None, "json", "text"])
async def test_stream_sends_increments_then_the_whole_then_done(api: Api, response_format):
    api.provider.heard = (Progress(done_s=0, total_s=2), *api.provider.heard)
    fields = {"response_format": response_format} if response_format else {}
    response = await api.transcribe(stream="true", **fields)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = sse_events(response.text)
    assert [event["type"] for event in events[:-1]] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event["delta"] for event in events[:2]) == events[2]["text"] == TEXT
    assert events[2]["usage"] == {
        "type": "tokens", "input_tokens": 20, "output_tokens": 6, "total_tokens": 26,
        "input_token_details": {"audio_tokens": 20, "text_tokens": 0},
    }  # fmt: skip
    assert events[3] == "[DONE]"


async def test_gpt_transcribe_tells_the_languages_too(api: Api):
    assert (await api.transcribe(model="gpt-transcribe")).json()["languages"] == [{"code": "en"}]
    events = sse_events((await api.transcribe(model="gpt-transcribe", stream="true")).text)
    assert events[-2]["languages"] == [{"code": "en"}]


async def test_stream_carries_logprobs_when_asked(api: Api):
    events = sse_events((await api.transcribe(stream="true", include__="logprobs")).text)
    assert [len(event["logprobs"]) for event in events[:3]] == [2, 1, 3]


async def test_stream_of_silence_is_an_empty_done(api: Api):
    api.provider.heard = (DONE,)
    events = sse_events((await api.transcribe(stream="true")).text)
    assert [event["type"] for event in events[:-1]] == ["transcript.text.done"]
    assert events[0]["text"] == ""


async def test_stream_is_ignored_for_subtitles_as_openai_does(api: Api):
    response = await api.transcribe(stream="true", response_format="srt")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.startswith("1\n")


async def test_an_error_before_the_first_event_is_a_status_even_when_streaming(api: Api):
    api.provider.heard = (Overloaded("the queue is full", retry_after_s=900),)
    response = await api.transcribe(stream="true")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "120"
    assert response.headers["x-should-retry"] == "true"
    assert error_of(response)["code"] == "overloaded"


async def test_an_error_after_the_first_event_is_an_error_event_without_done(api: Api):
    api.provider.heard = (HELLO, WorkerCrashed("the worker died"))
    events = sse_events((await api.transcribe(stream="true")).text)
    assert events[0]["delta"] == "Hello there,"
    assert events[1]["error"]["code"] == "worker_crashed"
    assert len(events) == 2


async def test_a_deterministic_fault_tells_clients_not_to_retry(api: Api):
    api.provider.heard = (Inference("no", detail="Traceback: secret"),)
    response = await api.transcribe()
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"
    assert "Traceback" not in response.text


async def test_an_unforeseen_error_shows_nothing_of_itself(api: Api):
    api.provider.heard = (RuntimeError("secret path /root/x"),)
    with capture_logs() as logs:
        response = await api.transcribe()
    assert "unforeseen error" in {line["event"] for line in logs}
    assert response.status_code == 500
    assert error_of(response)["code"] == "internal_error"
    assert "secret" not in response.text
    assert response.headers["x-request-id"]


async def test_translations_in_every_format(api: Api):
    assert (await api.transcribe("translations")).json()["text"] == TEXT
    verbose = (await api.transcribe("translations", response_format="verbose_json")).json()
    assert verbose["task"] == "translate"
    assert verbose["language"] == "english"
    assert len(verbose["segments"]) == 2
    assert (await api.transcribe("translations", response_format="text")).text == TEXT + "\n"
    assert (await api.transcribe("translations", response_format="srt")).text.startswith("1\n")
    assert (await api.transcribe("translations", response_format="vtt")).text.startswith("WEBVTT")
    assert {request.task for request in api.provider.requests} == {"translate"}


async def test_a_model_that_cannot_translate_says_so(api: Api):
    api.provider.overrides = {"translate": False}
    response = await api.transcribe("translations")
    assert response.status_code == 400
    assert error_of(response)["code"] == "unsupported"


async def test_openai_names_and_no_name_mean_the_default_model(api: Api):
    for name in ("whisper-1", "gpt-4o-mini-transcribe", ""):
        response = await api.transcribe(model=name)
        assert response.status_code == 200, response.text
    assert {request.model.name for request in api.provider.requests} == {"fake-stt"}


@pytest.mark.parametrize(("model", "code"), [("nobody", "model_not_found"), ("not-pulled", "model_not_pulled")])
async def test_missing_models_are_404_with_a_hint(api: Api, model, code):
    response = await api.transcribe(model=model)
    assert response.status_code == 404
    error = error_of(response)
    assert error["code"] == code
    assert error["param"] == "model"
    if code == "model_not_pulled":
        assert "slimvoice pull not-pulled" in error["message"]


async def test_open_webui_sends_audio_in_json(api: Api):
    body = {
        "model": "fake-stt",
        "language": "en",
        "input_audio": {"data": base64.b64encode(wav()).decode(), "format": "wav"},
    }
    response = await api.client.post("/v1/audio/transcriptions", json=body)
    assert response.json()["text"] == TEXT
    data_url = body | {"input_audio": {"data": "data:audio/wav;base64," + body["input_audio"]["data"]}}
    assert (await api.client.post("/v1/audio/transcriptions", json=data_url)).json()["text"] == TEXT
    broken = body | {"input_audio": {"data": "§§", "format": "wav"}}
    response = await api.client.post("/v1/audio/transcriptions", json=broken)
    assert response.status_code == 400
    assert error_of(response)["param"] == "input_audio.data"


async def test_a_request_without_audio_says_what_is_missing(api: Api):
    url = "/v1/audio/transcriptions"
    no_file = await api.client.post(url, data={"model": "x"})
    assert (no_file.status_code, error_of(no_file)["param"]) == (400, "file")
    plain_field = await api.client.post(url, files={"file": (None, "abc")}, data={"model": "fake-stt"})
    assert (plain_field.status_code, error_of(plain_field)["param"]) == (400, "file")
    two = await api.client.post(url, files=[("file", ("a", wav())), ("file", ("b", wav()))])
    assert (two.status_code, error_of(two)["param"]) == (400, "file")
    empty = await api.transcribe(audio=b"")
    assert (empty.status_code, error_of(empty)["param"]) == (400, "file")
    noise = await api.transcribe(audio=b"this is not audio")
    assert (noise.status_code, error_of(noise)["code"]) == (400, "invalid_audio")


async def test_audio_that_waits_is_bounded():
    async with open_api(max_held_audio_s=3) as api:
        api.provider.gate = asyncio.Event()
        waiting = asyncio.ensure_future(api.transcribe())  # two seconds
        await api.provider.asked.wait()
        refused = await api.transcribe()
        assert refused.status_code == 429
        assert error_of(refused)["code"] == "overloaded"
        api.provider.gate.set()
        assert (await waiting).status_code == 200
        assert (await api.transcribe()).status_code == 200


async def test_requests_at_once_are_bounded_and_health_is_not():
    async with open_api(max_requests=1) as api:
        api.provider.gate = asyncio.Event()
        waiting = asyncio.ensure_future(api.transcribe())
        await api.provider.asked.wait()
        refused = await api.client.get("/v1/models")
        assert refused.status_code == 429
        assert error_of(refused)["code"] == "overloaded"
        assert (await api.client.get("/health")).status_code == 200
        api.provider.gate.set()
        assert (await waiting).status_code == 200
        assert (await api.client.get("/v1/models")).status_code == 200


async def test_too_long_audio_is_413():
    async with open_api(max_audio_s=1) as api:
        response = await api.transcribe()
        assert response.status_code == 413
        assert error_of(response)["param"] == "file"
