"""The calls of Open WebUI and Home Assistant, as their sources send them, to a server that asks for keys.

Open WebUI: backend/open_webui/routers/audio.py. Home Assistant: components/openai_conversation/stt.py and tts.py.
"""

from __future__ import annotations

import asyncio
import base64
import io
import wave
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest
import pytest_asyncio
from api_fakes import RATE, TEXT, build, served, tone, wav
from openai import AsyncOpenAI

from slimvoice.audio.decode import decode
from slimvoice.audio.encode import encode
from slimvoice.keys import KeyStore
from slimvoice.speech import Waveform

UUID = "0c9d1a35-9a5c-4f64-8d25-2a47a2a6f7c1"
HOME_ASSISTANT_PROMPT = (
    "The following conversation is a smart home user talking to Home Assistant; use names of rooms as they are."
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A served face that asks for keys: URL, provider and a key with the scope `use`."""
    folder = tmp_path_factory.mktemp("clients")
    app, provider, _ = build(folder, auth="on")
    _, token = KeyStore(folder / "home" / "keys").create("client")
    with served(app) as url:
        yield f"{url}/v1", provider, token


@pytest.fixture
def provider(server):
    server[1].reset()
    return server[1]


@pytest.fixture
def base(server) -> str:
    return server[0]


@pytest.fixture
def headers(server) -> dict[str, str]:
    """What Open WebUI sends beside the body, who is logged in included."""
    return {
        "Authorization": f"Bearer {server[2]}",
        "X-OpenWebUI-User-Name": "Ann%20Lee",
        "X-OpenWebUI-User-Id": UUID,
        "X-OpenWebUI-User-Email": "ann%40home.example",
        "X-OpenWebUI-User-Role": "admin",
    }


@pytest_asyncio.fixture
async def sdk(server, provider) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server[0], api_key=server[2], max_retries=0, timeout=30) as client:
        yield client


def test_open_webui_lists_models_and_voices_without_a_key(base):
    models = httpx.get(f"{base}/audio/models", timeout=5).json()["models"]
    assert all(model["id"] and model["name"] for model in models)
    assert "fake-tts" in {model["id"] for model in models}
    assert "fake-stt" not in {model["id"] for model in models}  # it offers them as voices' models
    voices = httpx.get(f"{base}/audio/voices", timeout=5).json()["voices"]
    assert {voice["id"]: voice["name"] for voice in voices}["af_sky"] == "sky"


def test_open_webui_speaks_with_no_format_and_gets_mp3(base, provider, headers):
    payload = {"input": "Hello world", "voice": "alloy", "model": "tts-1"}
    response = httpx.post(f"{base}/audio/speech", json=payload, headers=headers, timeout=30)
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/mpeg"
    assert decode(response.content, max_duration_s=10).duration_s == pytest.approx(1.0, abs=0.1)
    assert (provider.requests[0].text, provider.requests[0].voice) == ("Hello world", "alloy")


def test_open_webui_transcribes_a_file(base, provider, headers):
    file = {"file": (f"{UUID}.wav", io.BytesIO(wav()))}
    response = httpx.post(
        f"{base}/audio/transcriptions", headers=headers, files=file, data={"model": "whisper-1"}, timeout=30
    )
    assert response.status_code == 200
    assert response.json()["text"] == TEXT
    assert provider.requests[0].language is None


def test_open_webui_tries_again_without_a_language_that_is_refused(base, provider, headers):
    statuses = []
    for language in ("xx", None):
        data = {"model": "whisper-1"} | ({"language": language} if language else {})
        files = {"file": (f"{UUID}.wav", wav())}
        response = httpx.post(f"{base}/audio/transcriptions", headers=headers, files=files, data=data, timeout=30)
        statuses.append(response.status_code)
    assert statuses == [400, 200]
    assert response.json()["text"] == TEXT


@pytest.mark.parametrize("language", ["en", "de-DE", None])
def test_open_webui_transcribes_json(base, provider, headers, language):
    payload = {"model": "whisper-1", "input_audio": {"data": base64.b64encode(wav()).decode(), "format": "wav"}}
    payload |= {"language": language} if language else {}
    response = httpx.post(f"{base}/audio/transcriptions", headers=headers, json=payload, timeout=30)
    assert response.json()["text"] == TEXT
    assert provider.requests[0].language == (language[:2] if language else None)


async def test_open_webui_sends_the_parts_of_a_long_file_at_once(base, provider, headers):
    part = encode(Waveform(pcm=tone(3.0), sample_rate=16_000), "mp3")

    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        async def ask(number: int) -> httpx.Response:
            files = {"file": (f"{UUID}_compressed_chunk_{number}.mp3", part)}
            return await client.post(f"{base}/audio/transcriptions", files=files, data={"model": "whisper-1"})

        answers = await asyncio.gather(*(ask(number) for number in range(8)))
    assert [answer.json()["text"] for answer in answers] == [TEXT] * 8


def test_open_webui_shows_what_was_wrong(base, headers):
    files = {"file": (f"{UUID}.wav", b"no audio")}
    response = httpx.post(f"{base}/audio/transcriptions", headers=headers, files=files, timeout=30)
    assert response.status_code == 400
    assert response.json()["error"].get("message", "").startswith("the file is not audio")
    refused = httpx.post(f"{base}/audio/speech", json={"input": "Hello"}, timeout=30)
    assert refused.status_code == 401
    assert "API key" in refused.json()["error"]["message"]


def home_assistant_wav(bits: int, rate: int, channels: int) -> bytes:
    """Return what Home Assistant makes of the raw samples that come from a satellite."""
    sample = {8: b"\x80\xc0\xff\xc0\x80\x40\x00\x40", 16: tone(0.5, rate), 24: b"\x00\x00\x10\x00\x00\xf0" * 4000}[bits]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(sample * (1000 if bits == 8 else 1))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "audio"),
    [
        ("a.wav", home_assistant_wav(16, 16_000, 1)),
        ("a.wav", home_assistant_wav(16, 44_100, 2)),
        ("a.wav", home_assistant_wav(8, 8_000, 1)),
        ("a.wav", home_assistant_wav(24, 48_000, 2)),
        ("a.ogg", encode(Waveform(pcm=tone(1.0), sample_rate=16_000), "opus")),
    ],
    ids=["16-bit", "44100-stereo", "8-bit", "24-bit-stereo", "ogg"],
)
async def test_home_assistant_transcribes(sdk, provider, name, audio):
    response = await sdk.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe",
        file=(name, audio),
        response_format="json",
        language=["de", "DE"][0],
        prompt=HOME_ASSISTANT_PROMPT,
    )
    assert response.text == TEXT
    assert provider.requests[0].language == "de"
    assert provider.requests[0].prompt == HOME_ASSISTANT_PROMPT


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("prompt", [None, "Speak like a butler."])
async def test_home_assistant_speaks(sdk, provider, kind, prompt):
    async with sdk.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice="marin",
        input="The light is on.",
        instructions=str(prompt),
        speed=1.0,
        response_format=kind,
    ) as response:
        data = bytearray()
        async for chunk in response.iter_bytes():
            data.extend(chunk)
    seconds = len(data) / 2 / RATE if kind == "pcm" else decode(bytes(data), max_duration_s=10).duration_s
    assert seconds == pytest.approx(1.0, abs=0.1)
    assert provider.requests[0].instructions == (prompt or "")


async def test_home_assistant_lists_models_when_it_is_set_up(sdk):
    listed = await sdk.with_options(timeout=10.0).models.list()
    assert {model.id for model in listed.data} >= {"fake-stt", "fake-tts"}
