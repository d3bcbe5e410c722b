"""What the tests of the HTTP face share: a provider that says what it is told, and a home with fake models in it."""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import math
import shutil
import socket
import tempfile
import threading
import wave
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2 as httpx
import msgspec
import uvicorn
from fastapi import FastAPI

from slimvoice.api.app import create_app
from slimvoice.api.http_protocol import uvicorn_options
from slimvoice.config import Settings
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import (
    AudioChunk,
    Model,
    ProviderHealth,
    ProviderStatus,
    Segment,
    SpeechDone,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    TokenLogprob,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
    Word,
    WorkerStatus,
)

MODELS_YAML = """
models:
  - name: fake-stt
    task: speech-to-text
    backend: fake-stt
    repo: test/fake
    files: {weights: stt.bin}
    languages: [en, de, fr]
  - name: fake-stt-en
    task: speech-to-text
    backend: fake-stt
    repo: test/fake
    files: {weights: stt-en.bin}
    languages: [en]
  - name: fake-tts
    task: text-to-speech
    backend: fake-tts
    repo: test/fake
    files: {weights: tts.bin}
    languages: [en]
    voices: {en-US: {female: [af_bella, af_sky], male: [am_adam]}}
    default_voice: af_bella
  - name: not-pulled
    task: speech-to-text
    backend: fake-stt
    repo: test/fake
    files: {weights: later.bin}
  - name: not-there
    task: speech-to-text
    backend: fake-stt
    repo: test/fake
    files: {weights: never.bin}
"""

HELLO = Segment(
    id=0,
    seek=0,
    start_s=0.0,
    end_s=1.25,
    text=" Hello there,",
    tokens=(50364, 2425, 456, 11),
    avg_logprob=-0.25,
    compression_ratio=0.9,
    no_speech_prob=0.01,
    words=(
        Word(text=" Hello", start_s=0.0, end_s=0.5, probability=0.9),
        Word(text=" there,", start_s=0.5, end_s=1.25, probability=0.8),
    ),
    logprobs=(
        TokenLogprob(token=" Hello", bytes=b" Hello", logprob=-0.1),
        TokenLogprob(token=" there,", bytes=b" there,", logprob=-0.2),
    ),
    language="en",
)
WORLD = Segment(
    id=1,
    seek=125,
    start_s=1.25,
    end_s=2.0,
    text=" wörld & <all>. ",
    tokens=(1002, 13),
    avg_logprob=-0.5,
    words=(Word(text=" wörld", start_s=1.25, end_s=2.0),),
    logprobs=(TokenLogprob(token=" wörld", bytes=" wörld".encode(), logprob=-0.3),),
    language="en",
)
TEXT = "Hello there, wörld & <all>."
DONE = TranscriptDone(language="en", duration_s=2.0, language_probability=0.98, speech_s=1.8)
RATE = 24_000


def tone(seconds: float, rate: int = 16_000) -> bytes:
    """Return int16 PCM of a sine."""
    return array("h", (round(8000 * math.sin(n / 9)) for n in range(round(seconds * rate)))).tobytes()


def wav(seconds: float = 2.0, rate: int = 16_000) -> bytes:
    """Return a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(tone(seconds, rate))
    return file.getvalue()


class FakeProvider:
    """Says what it is told, and remembers what it was asked. An exception among the events is raised in its place.

    `gate`, where set, is waited for before the second event of a job.
    """

    def __init__(self, library: ModelLibrary) -> None:
        self._library = library
        self.reset()

    def reset(self) -> None:
        self.heard: Sequence[TranscribeEvent | Exception] = (HELLO, WORLD, DONE)
        self.spoken: Sequence[SynthesizeEvent | Exception] = (
            AudioChunk(
                waveform=Waveform(pcm=tone(0.5, RATE), sample_rate=RATE),
                text="Hello",
                words=(Word(text="Hello", start_s=0.0, end_s=0.5),),
            ),
            AudioChunk(waveform=Waveform(pcm=tone(0.5, RATE), sample_rate=RATE), text="world"),
            SpeechDone(duration_s=1.0, input_tokens=11),
        )
        self.requests: list[TranscribeRequest | SynthesizeRequest] = []
        self.loads: list[tuple[str, float | None]] = []
        self.unloads: list[str] = []
        self.workers: tuple[WorkerStatus, ...] = ()
        self.status_error: Exception | None = None
        self.overrides: dict[str, bool] = {}
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()

    async def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        self.requests.append(request)
        async for item in self._play(self.heard):
            yield item

    async def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        self.requests.append(request)
        async for item in self._play(self.spoken):
            yield item

    async def _play(self, events):
        self.asked.set()
        try:
            for number, item in enumerate(events):
                if number == 1 and self.gate is not None:
                    await self.gate.wait()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed.set()

    def models(self) -> list[Model]:
        return [installed.model for installed in self._library.installed()]

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        model = self._library.require(name, task).model
        capabilities = msgspec.structs.replace(model.capabilities, **self.overrides)
        return msgspec.structs.replace(model, capabilities=capabilities)

    async def health(self) -> ProviderHealth:
        workers = (await self.status()).workers
        return ProviderHealth(ready=not workers or any(worker.state != "failed" for worker in workers))

    async def start(self) -> None:
        pass

    async def close(self, *, at_once: bool = False) -> None:
        pass

    async def load(self, model: Model, keep_alive_s: float | None = None) -> WorkerStatus:
        self.loads.append((model.name, keep_alive_s))
        return WorkerStatus(model=model.name, task=Task.SPEECH_TO_TEXT, backend="fake-stt", state="ready")

    async def unload(self, model: Model) -> None:
        self.unloads.append(model.name)

    async def status(self) -> ProviderStatus:
        if self.status_error:
            raise self.status_error
        return ProviderStatus(workers=self.workers)


class Api:
    """A face over fakes, with a client that talks to it."""

    def __init__(self, app: FastAPI, provider: FakeProvider, library: ModelLibrary, client: httpx.AsyncClient) -> None:
        self.app = app
        self.provider = provider
        self.library = library
        self.client = client

    async def transcribe(self, path: str = "transcriptions", audio: bytes | None = None, **data) -> httpx.Response:
        """Post a form; a list value is sent as repeated fields of its name as given."""
        files = {"file": ("a.wav", wav() if audio is None else audio)}
        fields = {name.replace("__", "[]"): value for name, value in data.items()}
        return await self.client.post(f"/v1/audio/{path}", files=files, data={"model": "fake-stt", **fields})

    async def speak(self, **body) -> httpx.Response:
        return await self.client.post("/v1/audio/speech", json={"model": "fake-tts", "input": "Hello world", **body})


def make_home(folder: Path) -> tuple[Path, Path]:
    """Make a volume whose catalog knows fake models, and a mirror that has their files."""
    home, mirror = folder / "home", folder / "mirror"
    (mirror / "test" / "fake").mkdir(parents=True)
    for name in ("stt", "stt-en", "tts", "later"):
        (mirror / "test" / "fake" / f"{name}.bin").write_bytes(name.encode() * 100)
    home.mkdir()
    (home / "models.yaml").write_text(MODELS_YAML, encoding="utf-8")
    return home, mirror


def make_settings(folder: Path, **settings) -> Settings:
    """Return settings for `make_home`, made at the first call."""
    if not (folder / "home").exists():
        make_home(folder)
    values = {"default_stt": "fake-stt", "default_tts": "fake-tts", "offline": True} | settings
    return Settings(home=folder / "home", mirror=str(folder / "mirror"), **values)


_shared: dict[str, tuple[FastAPI, FakeProvider, ModelLibrary]] = {}


def build(folder: Path, **settings) -> tuple[FastAPI, FakeProvider, ModelLibrary]:
    """Build a face over a FakeProvider, with fake models pulled."""
    made = make_settings(folder, **settings)
    library = ModelLibrary(made)
    for name in ("fake-stt", "fake-stt-en", "fake-tts"):
        library.pull(name)
    provider = FakeProvider(library)
    return create_app(provider, library, made, host=provider), provider, library


@asynccontextmanager
async def open_api(folder: Path | None = None, **settings) -> AsyncIterator[Api]:
    """Open a client to a face; without a folder, to one that is built once and must be left as it was found."""
    if folder is None:
        key = repr(sorted(settings.items()))
        if key not in _shared:
            home = Path(tempfile.mkdtemp(prefix="slimvoice-api-"))
            atexit.register(shutil.rmtree, home, ignore_errors=True)
            _shared[key] = build(home, **settings)
        app, provider, library = _shared[key]
        provider.reset()
    else:
        app, provider, library = build(folder, **settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Api(app, provider, library, client)


def error_of(response: httpx.Response) -> dict:
    """Return the error of a response, after checking the envelope."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert response.headers["content-type"] == "application/json"
    return body["error"]


def sse_events(text: str) -> list[dict | str]:
    """Return the payloads of a stream of server-sent events."""
    lines = [block.removeprefix("data: ") for block in text.split("\n\n") if block]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@asynccontextmanager
async def serving(app: FastAPI, **options) -> AsyncIterator[int]:
    """Serve on a free port of loopback, in this event loop; gives the port."""
    config = uvicorn.Config(app, log_level="critical", **(uvicorn_options() | options))
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


@contextmanager
def served(app: FastAPI, **options) -> Iterator[str]:
    """Serve an application on a free port of loopback, in a thread of its own; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", **(uvicorn_options() | options)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
