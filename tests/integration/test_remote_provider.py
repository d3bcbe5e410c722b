"""A provider that is not the local engine serves every route: no engine, no worker, no model on this machine."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

import httpx2 as httpx
import pytest
from api_fakes import DONE, HELLO, RATE, TEXT, WORLD, error_of, served, sse_events, tone, wav

from slimvoice.api.app import create_app
from slimvoice.config import Settings
from slimvoice.errors import ModelNotFound, Upstream
from slimvoice.models.library import ModelLibrary
from slimvoice.service import SpeechService
from slimvoice.speech import (
    AudioChunk,
    Capabilities,
    Model,
    ProviderHealth,
    SpeechDone,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    Voice,
    Waveform,
)

EAR = Model(
    name="far/ear",
    task=Task.SPEECH_TO_TEXT,
    provider="faraway",
    capabilities=Capabilities(translate=True, detect_language=True),
    languages=("en", "de"),
    created=1_800_000_000,
)
MOUTH = Model(
    name="far/mouth",
    task=Task.TEXT_TO_SPEECH,
    provider="faraway",
    aliases=("mouth",),
    languages=("en",),
    voices=(Voice(id="ann", language="en-GB", name="Ann", gender="female"), Voice(id="bob", language="en-US")),
    default_voice="ann",
)


class Faraway:
    """Somebody else's two models; remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[TranscribeRequest | SynthesizeRequest] = []
        self.resolved: list[str] = []
        self.ready = True
        self.fault: Upstream | None = None

    def models(self) -> Sequence[Model]:
        return (EAR, MOUTH)

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        self.resolved.append(name)
        for model in (EAR, MOUTH):
            if task in {None, model.task} and name in {"", "whisper-1", "tts-1", model.name, *model.aliases}:
                return model
        raise ModelNotFound(f"no model is named {name!r}", param="model")

    async def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        for event in (HELLO, WORLD, DONE):
            yield event

    async def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        yield AudioChunk(waveform=Waveform(pcm=tone(0.5, RATE), sample_rate=RATE), text=request.text)
        yield SpeechDone(duration_s=0.5, input_tokens=5)

    async def health(self) -> ProviderHealth:
        return ProviderHealth(ready=self.ready)


class Remote:
    def __init__(self, provider: Faraway, client: httpx.Client) -> None:
        self.provider = provider
        self.client = client

    def upload(self, path: str = "transcriptions", **fields: str) -> httpx.Response:
        return self.client.post(f"/v1/audio/{path}", files={"file": ("a.wav", wav())}, data=fields)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    settings = Settings(home=tmp_path, offline=True, default_stt="whisper:tiny")
    provider = Faraway()
    with (
        served(create_app(SpeechService(provider, ModelLibrary(settings), settings))) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield Remote(provider, client)
    assert not (tmp_path / "models").exists()


def test_its_models_and_voices_are_listed_with_their_owner(remote: Remote) -> None:
    for path in ("/v1/models", "/v1/audio/models"):
        models = remote.client.get(path).json()["data"]
        assert [(model["id"], model["owned_by"]) for model in models] == [
            ("far/ear", "faraway"),
            ("far/mouth", "faraway"),
        ]
    assert [model["created"] for model in models] == [EAR.created, 0]
    assert not any(model["installed"] for model in models)
    assert [model["id"] for model in remote.client.get("/v1/audio/models?task=text-to-speech").json()["models"]] == [
        "far/mouth"
    ]
    everything = {model["id"]: model for model in remote.client.get("/v1/audio/models?all=true").json()["data"]}
    assert everything["far/ear"]["owned_by"] == "faraway"
    assert everything["kokoro"]["installed"] is False
    one = remote.client.get("/v1/models/mouth").json()
    assert (one["id"], one["name"], one["owned_by"]) == ("mouth", "far/mouth", "faraway")
    for query in ("", "?model=mouth", "?model=tts-1"):
        voices = remote.client.get(f"/v1/audio/voices{query}").json()["voices"]
        assert [(voice["id"], voice["model"]) for voice in voices] == [("ann", "far/mouth"), ("bob", "far/mouth")]
    assert remote.client.get("/v1/models/nobody").status_code == 404


def test_it_transcribes_and_translates_in_every_shape(remote: Remote) -> None:
    for model in ("far/ear", "whisper-1", ""):
        remote.provider.resolved.clear()
        answer = remote.upload(model=model, language="de")
        assert answer.json()["text"] == TEXT
        assert remote.provider.resolved == [model]  # once for each request
    assert [(request.model, request.language) for request in remote.provider.requests] == [(EAR, "de")] * 3
    assert remote.upload(response_format="verbose_json").json()["segments"][0]["text"] == HELLO.text
    events = sse_events(remote.upload(stream="true").text)
    assert [event for event in events if isinstance(event, dict)][-1]["text"] == TEXT
    assert remote.upload("translations", model="far/ear", response_format="text").text.strip() == TEXT
    assert remote.provider.requests[-1].task == "translate"


def test_it_speaks_in_every_shape(remote: Remote) -> None:
    body = {"model": "tts-1", "input": "Hello.", "voice": "bob"}
    spoken = remote.client.post("/v1/audio/speech", json={**body, "response_format": "pcm"})
    assert spoken.content == tone(0.5, RATE)
    assert spoken.headers["content-type"].startswith("audio/pcm")
    assert len(remote.client.post("/v1/audio/speech", json=body).content) > 1000
    events = remote.client.post("/v1/audio/speech", json={**body, "stream_format": "sse"}).text
    assert [event["type"] for event in sse_events(events) if isinstance(event, dict)][-1] == "speech.audio.done"
    (request, *_) = remote.provider.requests
    assert (request.model, request.text, request.voice) == (MOUTH, "Hello.", "bob")


def test_what_its_models_cannot_do_is_refused_before_it_is_asked(remote: Remote) -> None:
    words = remote.upload(model="far/ear", response_format="verbose_json", timestamp_granularities="word")
    assert (words.status_code, error_of(words)["code"]) == (400, "unsupported")
    unknown = remote.upload(model="far/ear", language="fr")
    assert (unknown.status_code, error_of(unknown)["param"]) == (400, "language")
    wrong_task = remote.upload(model="far/mouth")
    assert (wrong_task.status_code, error_of(wrong_task)["code"]) == (404, "model_not_found")
    body = {"model": "mouth", "input": "Hello.", "word_timestamps": True, "stream_format": "sse"}
    assert error_of(remote.client.post("/v1/audio/speech", json=body))["param"] == "word_timestamps"
    assert remote.provider.requests == []


def test_its_models_are_neither_loaded_nor_deleted_here(remote: Remote) -> None:
    for method, path in (
        ("POST", "/v1/audio/models/far/ear/load"),
        ("POST", "/v1/audio/models/far/ear/unload"),
        ("DELETE", "/v1/audio/models/far/ear"),
    ):
        refused = remote.client.request(method, path)
        assert (refused.status_code, error_of(refused)["code"]) == (400, "unsupported")
        assert "far/ear is served by faraway" in error_of(refused)["message"]
    assert remote.client.get("/system/audio/status").json()["workers"] == []


def test_its_faults_are_retried_as_their_cause_says(remote: Remote) -> None:
    for retryable in (False, True):
        remote.provider.fault = Upstream("faraway failed", retryable=retryable)
        for answer in (remote.upload(), remote.client.post("/v1/audio/speech", json={"input": "Hello."})):
            assert (answer.status_code, error_of(answer)["code"]) == (502, "upstream_failed")
            assert answer.headers["x-should-retry"] == str(retryable).lower()


def test_its_health_is_the_servers(remote: Remote) -> None:
    assert remote.client.get("/health/ready").status_code == 200
    remote.provider.ready = False
    assert remote.client.get("/health/ready").status_code == 503
    assert json.loads(remote.client.get("/health/live").content)["status"] == "ok"
