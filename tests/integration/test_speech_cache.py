"""A real server with a cache of finished speech: what was said once is said again without a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest
from api_server import Server, make_volume, running

FORMATS = ("mp3", "aac", "flac", "wav", "pcm")
"""All but Opus, as each stream of an Ogg has a number of its own, by chance."""


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> tuple[Path, Path]:
    return make_volume(tmp_path_factory.mktemp("volume"))


def speak(server: Server, text: str, **fields) -> bytes:
    body = {"model": "tts-1", "input": text, "voice": "af_bella", "response_format": "pcm", **fields}
    response = httpx.post(f"{server.url}/v1/audio/speech", json=body, timeout=60)
    assert response.status_code == 200
    return response.content


def outcomes(server: Server) -> tuple[int, int]:
    """Return hits and misses, as the metrics tell them."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    counts = dict(line.rsplit(" ", 1) for line in lines if line.startswith("slimvoice_speech_cache_requests_total{"))
    return tuple(
        int(float(counts.get(f'slimvoice_speech_cache_requests_total{{outcome="{outcome}"}}', 0)))
        for outcome in ("hit", "miss")
    )  # type: ignore[return-value]


def test_second_request_is_the_same_in_every_format_and_wakes_no_model(volume):
    home, mirror = volume
    with running(home, mirror, speech_cache_mb=1) as server:
        before = [speak(server, "One two. Three.", response_format=name) for name in FORMATS]
        assert outcomes(server) == (4, 1)
        speak(server, "One two. Three.", voice="af_sky")
        assert outcomes(server) == (4, 2)
        captions = {"stream_format": "sse", "word_timestamps": True}
        words = speak(server, "One two. Three.", **captions)
    with running(home, mirror, speech_cache_mb=1) as server:
        assert [speak(server, "One two. Three.", response_format=name) for name in FORMATS] == before
        assert speak(server, "One two. Three.", **captions) == words
        assert outcomes(server) == (6, 0)
        assert server.workers() == []
    kept = list((home / "cache" / "speech").iterdir())
    assert len(kept) == 3
    assert not [path for path in kept if b"Three" in path.name.encode()]


def test_speech_of_a_client_that_left_is_not_kept(volume, tmp_path):
    home, mirror = volume
    folder = home / "cache" / "speech"
    with running(home, mirror, speech_cache_mb=1) as server:
        held = set(folder.iterdir()) if folder.exists() else set()
        body = {"model": "tts-1", "input": "Early. !slow=600 Late.", "response_format": "pcm"}
        with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=60) as response:
            chunks = response.iter_raw()  # kept: an iterator that is forgotten ends the connection
            next(chunks)
            assert set(folder.iterdir()) - held  # a draft
        until = time.monotonic() + 20
        while set(folder.iterdir()) - held:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_oldest_speech_goes_when_the_cache_is_full(volume):
    home, mirror = volume
    texts = [" ".join([word] * 25) for word in ("one", "two", "three", "four")]  # 300 kB each
    with running(home, mirror, speech_cache_mb=1) as server:
        for text in texts:
            speak(server, text)
        sizes = [path.stat().st_size for path in (home / "cache" / "speech").iterdir()]
        assert sum(sizes) <= 1_000_000
        speak(server, texts[3])
        assert outcomes(server) == (1, 4)
        speak(server, texts[0])
        assert outcomes(server) == (1, 5)


def test_cache_is_off_unless_asked_for(volume):
    home, mirror = volume
    held = set((home / "cache").rglob("*"))
    with running(home, mirror) as server:
        assert speak(server, "Off the record.") == speak(server, "Off the record.")
        assert outcomes(server) == (0, 0)
    assert {path for path in (home / "cache").rglob("*") if path.parent.name == "speech"} <= held


def test_command_and_server_share_what_was_said(volume, tmp_path):
    home, mirror = volume
    environment = os.environ | {"SLIMVOICE_HOME": str(home), "SLIMVOICE_SPEECH_CACHE_MB": "1"}
    command = [sys.executable, "-m", "slimvoice", "say", "Shared.", "-m", "fake-tts", "-v", "af_bella", "-f", "pcm"]
    said = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    with running(home, mirror, speech_cache_mb=1) as server:
        assert speak(server, "Shared.") == said
        assert outcomes(server) == (1, 0)
        assert server.workers() == []
