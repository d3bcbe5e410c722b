"""The real thing: `slimvoice serve` in its own process, engine and workers included, with fake backends; and curl."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest
from api_fakes import sse_events, tone, wav
from api_server import Server, make_volume, running
from openai import OpenAI

WORDS = f"clip {zlib.crc32(tone(2.0)):08x}."
"""What the fake backend hears in `wav()`."""
RATE = 24_000


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> tuple[Path, Path]:
    return make_volume(tmp_path_factory.mktemp("volume"))


@pytest.fixture(scope="module")
def server(volume) -> Iterator[Server]:
    with running(*volume, max_upload_mb=4, body_timeout_s=5) as server:
        yield server


@pytest.fixture
def sdk(server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def curl(*arguments: str, body: bytes | None = None) -> bytes:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    return subprocess.run(
        ["curl", "-sS", "--max-time", "60", *arguments], input=body, capture_output=True, check=True
    ).stdout


def test_the_sdk_transcribes_through_a_worker(sdk):
    assert sdk.audio.transcriptions.create(file=("a.wav", wav()), model="whisper-1").text == WORDS
    verbose = sdk.audio.transcriptions.create(
        file=("a.wav", wav()), model="fake-stt", response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert [word.word for word in verbose.words] == WORDS.split()
    assert verbose.duration == pytest.approx(2.0)
    assert verbose.language == "english"


def test_the_sdk_streams_a_long_transcription(sdk):
    audio = ("a.wav", wav(70.0))
    whole = sdk.audio.transcriptions.create(file=audio, model="whisper-1").text
    events = list(sdk.audio.transcriptions.create(file=audio, model="whisper-1", stream=True))
    assert [event.type for event in events[:-1]] == ["transcript.text.delta"] * (len(events) - 1)
    assert len(events) > 3
    assert events[-1].text == "".join(event.delta for event in events[:-1]) == whole
    assert whole.startswith("clip ")
    assert events[-1].usage.input_tokens == 700


def test_the_sdk_speaks_through_a_worker(sdk):
    with sdk.audio.speech.with_streaming_response.create(
        input="One two. Three four five.", model="tts-1", voice="alloy", response_format="pcm"
    ) as response:
        pcm = b"".join(response.iter_bytes())
    assert len(pcm) / 2 / RATE == pytest.approx(5 * 0.25)


def test_speech_events_carry_word_times(server):
    body = {"model": "tts-1", "input": "One two. Three.", "stream_format": "sse", "word_timestamps": True}
    response = httpx.post(f"{server.url}/v1/audio/speech", json=body, timeout=60)
    events = sse_events(response.text)
    words = [word for event in events[:-2] for word in event.get("words", [])]
    assert [word["word"] for word in words] == ["One", "two.", "Three."]
    assert words[2]["start"] == pytest.approx(0.5)
    assert events[-2]["usage"]["input_tokens"] == len(body["input"])


def test_curls_spelling(server, tmp_path):
    clip = tmp_path / "a.wav"
    clip.write_bytes(wav())
    url = f"{server.url}/v1/audio"
    answer = curl(f"{url}/transcriptions", "-F", f"file=@{clip}", "-F", "model=whisper-1")
    assert json.loads(answer)["text"] == WORDS
    text = curl(f"{url}/transcriptions", "-F", f"file=@{clip}", "-F", "model=whisper-1", "-F", "response_format=text")
    assert text.decode() == WORDS + "\n"
    both = ["-F", "timestamp_granularities[]=word", "-F", "timestamp_granularities[]=segment"]
    verbose = curl(f"{url}/transcriptions", "-F", f"file=@{clip}", "-F", "response_format=verbose_json", *both)
    assert json.loads(verbose)["words"]
    assert json.loads(verbose)["segments"]
    spoken = curl(
        f"{url}/speech", "-H", "Content-Type: application/json", "--data-binary", "@-",
        body=b'{"model": "tts-1", "input": "Hello.", "voice": "alloy", "response_format": "wav"}',
    )  # fmt: skip
    assert spoken[:4] == b"RIFF"
    default_kind = curl(f"{url}/speech", "-d", '{"input": "Hello."}')  # curl says urlencoded when told nothing
    assert default_kind[:2] in {b"\xff\xf3", b"\xff\xfb"}


def test_a_worker_that_dies_is_a_503_and_the_next_request_is_served(server):
    url = f"{server.url}/v1/audio/transcriptions"
    files = {"file": ("a.wav", wav())}
    crashed = httpx.post(url, files=files, data={"prompt": "!crash"}, timeout=60)
    assert crashed.status_code == 503
    assert crashed.json()["error"]["code"] == "worker_crashed"
    assert crashed.headers["x-should-retry"] == "true"
    assert httpx.post(url, files=files, timeout=60).json()["text"] == WORDS


def test_a_fault_of_the_model_is_a_500_that_is_not_retried(server):
    files = {"file": ("a.wav", wav())}
    response = httpx.post(f"{server.url}/v1/audio/transcriptions", files=files, data={"prompt": "!fail"}, timeout=60)
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"
    assert "Traceback" not in response.text


def test_nothing_that_was_said_is_logged(server):
    secret = "Rosebud"
    body = {"model": "fake-tts", "input": f"{secret}!", "instructions": secret, "voice": secret, secret: secret}
    httpx.post(f"{server.url}/v1/audio/speech", json=body, timeout=60)
    files = {"file": (f"{secret}.wav", wav())}
    httpx.post(f"{server.url}/v1/audio/transcriptions", files=files, data={"prompt": secret}, timeout=60)
    httpx.post(f"{server.url}/v1/audio/speech?x={secret}", content=secret, timeout=60)
    assert not [line for line in server.log if secret in line and "unknown fields" not in line]


def test_load_status_and_unload(server):
    base = server.url
    loaded = httpx.post(f"{base}/v1/audio/models/fake-stt-en/load", json={"keep_alive": "1h"}, timeout=60)
    assert loaded.json()["state"] in {"ready", "busy"}
    status = httpx.get(f"{base}/system/audio/status").json()
    worker = next(worker for worker in status["workers"] if worker["model"] == "fake-stt-en")
    assert psutil.pid_exists(worker["pid"])
    assert httpx.post(f"{base}/v1/audio/models/fake-stt-en/unload", timeout=60).status_code == 200
    status = httpx.get(f"{base}/system/audio/status").json()
    assert "fake-stt-en" not in {worker["model"] for worker in status["workers"]}
    metrics = httpx.get(f"{base}/metrics").text
    assert 'slimvoice_load_seconds_count{model="fake-stt-en"} 1.0' in metrics
    assert "slimvoice_http_requests_total" in metrics


async def test_many_clients_at_once_get_each_their_own_words(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:

        async def ask(number: int) -> bool:
            seconds = 1 + number / 10
            response = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", wav(seconds))})
            return response.json()["text"] == f"clip {zlib.crc32(tone(seconds)):08x}."

        assert all(await asyncio.gather(*(ask(number) for number in range(16))))


def test_hostile_text_is_spoken_or_refused(server):
    texts = [
        "\x00\x01\x02", "\U0001f600" * 100, "e\u0301" * 500, "\u202eabc\u202c", "नमस्ते दुनिया", "שלום", "مرحبا",
        "你好世界。" * 50, "\ud800", "\ufffe\uffff", "<speak>hi</speak>", "'; DROP TABLE", "a" * 4096, "." * 4096,
        "\n" * 4000 + "hi", "ﷺ" * 99,
    ]  # fmt: skip
    for text in texts:
        body = json.dumps({"input": text, "response_format": "pcm"}).encode()
        response = httpx.post(f"{server.url}/v1/audio/speech", content=body, timeout=60)
        assert response.status_code in {200, 400}, (text[:20], response.text[:200])
    too_long = httpx.post(f"{server.url}/v1/audio/speech", json={"input": "x" * 100_000}, timeout=60)
    assert too_long.status_code == 413
    assert httpx.get(f"{server.url}/health").status_code == 200


async def test_a_client_that_leaves_frees_the_worker(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        body = {"file": ("a.wav", wav())}
        asking = asyncio.ensure_future(
            client.post("/v1/audio/transcriptions", files=body, data={"prompt": "!slow=600"})
        )
        await until(client, lambda worker: worker["running"] == 1)
        asking.cancel()
        await until(client, lambda worker: worker["running"] == 0)
        assert (await client.post("/v1/audio/transcriptions", files=body)).json()["text"] == WORDS


async def until(client: httpx.AsyncClient, holds: Callable[[dict], bool]) -> None:
    """Wait until the state of the speech-to-text worker is as wished."""
    async with asyncio.timeout(30):
        while True:
            workers = (await client.get("/system/audio/status")).json()["workers"]
            if any(worker["model"] == "fake-stt" and holds(worker) for worker in workers):
                return
            await asyncio.sleep(0.02)


def test_a_server_that_stops_says_so_to_who_still_waits(volume):
    with running(*volume) as server, ThreadPoolExecutor() as pool:
        files = {"file": ("a.wav", wav())}
        url = f"{server.url}/v1/audio/transcriptions"
        asking = pool.submit(httpx.post, url, files=files, data={"prompt": "!slow=600"}, timeout=60)
        while not server.workers():
            time.sleep(0.02)
        workers = server.workers()
        server.process.send_signal(signal.SIGTERM)
        response = asking.result(30)
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "shutting_down"
        assert response.headers["x-should-retry"] == "true"
        assert server.process.wait(20) == 0
        assert not any(worker.is_running() for worker in workers)


def test_a_server_on_all_addresses_asks_for_the_key_it_printed(volume):
    home, mirror = volume
    with running(home, mirror, host="0.0.0.0") as server:
        token = next(line for line in server.log if "sv-" in line).split()[-1]
        url = f"{server.url}/v1/audio/transcriptions"
        files = {"file": ("a.wav", wav())}
        assert httpx.post(url, files=files, timeout=60).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(url, files=files, headers=headers, timeout=60).json()["text"] == WORDS
        assert token not in (home / "keys").read_text()
        assert httpx.get(f"{server.url}/v1/audio/voices").status_code == 200
        sdk = OpenAI(base_url=f"{server.url}/v1", api_key=token, max_retries=0)
        with sdk:
            assert sdk.models.retrieve("whisper-1").id == "whisper-1"
    (home / "keys").unlink()
