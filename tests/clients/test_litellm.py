"""LiteLLM as a client, its library and its proxy, against a real `slimvoice serve` with fake backends.

Not among what scripts/test runs: LiteLLM with its proxy is 756 MB, which scripts/litellm-check fetches once.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest
from api_fakes import tone, wav
from api_server import Server, make_volume, running
from cache import venv_folder

from slimvoice.audio.decode import decode
from slimvoice.keys import SCOPES, KeyStore

LITELLM = "litellm[proxy]==1.108.7"
CALLS = Path(__file__).with_name("litellm_calls.py")
WORDS = f"clip {zlib.crc32(tone(2.0)):08x}."
CLIP = base64.b64encode(wav()).decode()
KEY = "sk-proxy"
PRIVATE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*"}
"""Keep LiteLLM from fetching its price list."""

PROXY_CONFIG = """
model_list:
  - model_name: hear
    litellm_params: {{model: openai/whisper-1, api_base: "{url}/v1", api_key: {key}}}
    model_info: {{mode: audio_transcription}}
  - model_name: say
    litellm_params: {{model: openai/tts-1, api_base: "{url}/v1", api_key: {key}}}
    model_info: {{mode: audio_speech}}
  - model_name: hear-rarely
    litellm_params: {{model: openai/whisper-1, api_base: "{url}/v1", api_key: {rare}}}
    model_info: {{mode: audio_transcription}}
general_settings: {{master_key: {master}}}
litellm_settings: {{telemetry: false, num_retries: 0}}
"""


@pytest.fixture(scope="session")
def programs() -> Path:
    """Return the folder of LiteLLM's programs."""
    return venv_folder(LITELLM) / "bin"


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> tuple[Path, Path]:
    return make_volume(tmp_path_factory.mktemp("litellm"))


@pytest.fixture(scope="module")
def key(volume) -> str:
    return KeyStore(volume[0] / "keys").create("litellm", SCOPES)[1]


@pytest.fixture(scope="module")
def rare_key(volume) -> str:
    return KeyStore(volume[0] / "keys").create("rare", requests_per_minute=2)[1]


@pytest.fixture(scope="module")
def server(volume, key) -> Iterator[Server]:
    with running(*volume, auth="on") as server:
        yield server


class Library:
    """LiteLLM's library in a process with its own packages."""

    def __init__(self, python: Path, url: str, key: str) -> None:
        self._common = {"api_base": f"{url}/v1", "api_key": key, "max_retries": 0}
        self.process = subprocess.Popen(
            [python, CALLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | PRIVATE
        )

    def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"function": function, "arguments": self._common | arguments}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("answer: "):
                return json.loads(line.removeprefix("answer: "))
        raise AssertionError("LiteLLM ended")

    def hear(self, **arguments: Any) -> dict[str, Any]:
        return self.call("transcription", **{"model": "openai/whisper-1", "file": CLIP} | arguments)

    def say(self, **arguments: Any) -> dict[str, Any]:
        return self.call("speech", **{"model": "openai/tts-1", "voice": "alloy", "input": "One two."} | arguments)


@pytest.fixture(scope="module")
def library(programs, server, key) -> Iterator[Library]:
    library = Library(programs / "python", server.url, key)
    with library.process as process:
        yield library
        process.terminate()


@pytest.fixture(scope="module")
def proxy(programs, server, key, rare_key, tmp_path_factory) -> Iterator[str]:
    """LiteLLM's proxy in front of the server: its URL."""
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "config.yaml").write_text(PROXY_CONFIG.format(url=server.url, key=key, rare=rare_key, master=KEY))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        str(programs / "litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    log: list[str] = []
    up = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            if "Uvicorn running on" in line:
                up.set()
        up.set()

    with subprocess.Popen(
        command, cwd=folder, env=os.environ | PRIVATE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            assert up.wait(120), log
            assert process.poll() is None, log
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)
            reader.join(10)


def test_library_asks_for_verbose_json_and_finds_the_duration(library):
    heard = library.hear()
    assert (heard["text"], heard["language"], heard["duration"]) == (WORDS, "english", 2.0)
    assert heard["usage"] == {"type": "duration", "seconds": 2.0}
    assert [segment["text"].strip() for segment in heard["segments"]] == [WORDS]


@pytest.mark.parametrize(
    ("kind", "begin"),
    [("json", WORDS), ("text", WORDS), ("srt", "1\n00:00:00,000 --> 00:00:02,000\n"), ("vtt", "WEBVTT\n\n")],
)
def test_library_gets_every_format(library, kind, begin):
    assert library.hear(response_format=kind)["text"].startswith(begin)


def test_library_gets_words(library):
    heard = library.hear(
        response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en", temperature=0
    )
    assert [word["word"] for word in heard["words"]] == WORDS.split()


@pytest.mark.parametrize("kind", [None, "mp3", "opus", "aac", "flac", "wav"])
def test_library_gets_speech_in_every_format(library, kind):
    wanted = {"response_format": kind} if kind else {}
    audio = base64.b64decode(library.say(**wanted)["audio"])
    assert decode(audio, max_duration_s=10).duration_s == pytest.approx(0.5, abs=0.1)
    if kind in {None, "mp3"}:
        assert audio[:2] in {b"\xff\xf3", b"\xff\xfb"}


@pytest.mark.parametrize(
    ("arguments", "raised", "status"),
    [
        ({"model": "openai/nobody"}, "NotFoundError", 404),
        ({"response_format": "diarized_json"}, "BadRequestError", 400),
        ({"file": base64.b64encode(b"no audio").decode()}, "BadRequestError", 400),
        ({"api_key": "wrong"}, "AuthenticationError", 401),
        ({"prompt": "!fail"}, "InternalServerError", 500),
        ({"prompt": "!crash"}, "InternalServerError", 503),
    ],
)
def test_library_raises_its_own_classes(library, arguments, raised, status):
    failed = library.hear(**arguments)
    assert (failed["raised"], failed["status"]) == (raised, status)


def test_library_sees_when_to_come_back(library, rare_key):
    first, *_, failed = [
        library.hear(api_key=rare_key) for _ in range(4)
    ]  # two, or three where a minute begins between
    assert first["text"] == WORDS
    assert (failed["raised"], failed["status"]) == ("RateLimitError", 429)
    assert 1 <= int(failed["headers"]["retry-after"]) <= 61


def test_proxy_passes_transcripts_on(proxy):
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as client:
        assert client.audio.transcriptions.create(model="hear", file=("a.wav", wav())).text == WORDS
        verbose = client.audio.transcriptions.create(
            model="hear", file=("a.wav", wav()), response_format="verbose_json"
        )
        assert (verbose.text, verbose.duration, verbose.language) == (WORDS, 2.0, "english")


def test_proxy_passes_speech_on(proxy):
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as client:
        speech = client.audio.speech.create(model="say", voice="alloy", input="One two.").content
    assert decode(speech, max_duration_s=10).duration_s == pytest.approx(0.5, abs=0.1)


def test_proxy_passes_errors_on_and_goes_on(proxy):
    with openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="does not tell speakers apart"):
            client.audio.transcriptions.create(model="hear", file=("a.wav", wav()), response_format="diarized_json")
        with pytest.raises(openai.BadRequestError, match="has no voice"):
            client.audio.speech.create(model="say", voice="nobody", input="One.")
        with pytest.raises(openai.InternalServerError, match="told to fail"):
            client.audio.transcriptions.create(model="hear", file=("a.wav", wav()), prompt="!fail")
        assert client.audio.transcriptions.create(model="hear", file=("a.wav", wav())).text == WORDS


def test_proxy_passes_a_rate_limit_on(proxy):
    with (
        openai.OpenAI(base_url=f"{proxy}/v1", api_key=KEY, max_retries=0) as client,
        pytest.raises(openai.RateLimitError, match="has used up"),
    ):
        for _ in range(4):
            client.audio.transcriptions.create(model="hear-rarely", file=("a.wav", wav()))


def test_proxy_lists_its_models(proxy):
    listed = httpx.get(f"{proxy}/v1/models", headers={"Authorization": f"Bearer {KEY}"}, timeout=60).json()
    assert {model["id"] for model in listed["data"]} == {"hear", "hear-rarely", "say"}
