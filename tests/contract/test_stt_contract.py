"""Every speech-to-text backend of ours against the suite that plug-ins run too (slimvoice/backends/conformance).

A subject is a loaded model with a recording that it understands; add one to SUBJECTS to hold a new backend to it.
"""
# ruff: noqa: F403 - the suite's tests are collected here

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slimvoice.audio.decode import decode
from slimvoice.backends.conformance.speech_to_text import *
from slimvoice.backends.conformance.subjects import SttSubject, stt_subject
from slimvoice.speech import InstalledModel, Model, Task, Waveform

SECOND = 2 * 16_000


def _model(backend: str, files: dict[str, str]) -> InstalledModel:
    return InstalledModel(model=Model(name="m", task=Task.SPEECH_TO_TEXT, backend=backend), files=files)


def _whisper(request: pytest.FixtureRequest) -> SttSubject:
    folder: Path = request.getfixturevalue("speech")
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    heard = [
        decode((folder / entry["path"]).read_bytes(), max_duration_s=60).pcm
        for entry in entries
        if entry["set"] in {"jfk", "ljspeech-32"}
    ]
    jfk = heard.pop()
    long = (bytes(2 * SECOND)).join([jfk, *heard[:5]])
    installed = _model("whisper.cpp", {"weights": str(_tiny_weights())})
    return stt_subject(installed, Waveform(pcm=jfk[: 5 * SECOND]), Waveform(pcm=long))


def _tiny_weights() -> Path:
    """Return the weights of whisper:tiny that scripts/test has pulled, or a mirror folder's; skips without them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    places = [Path(os.environ.get("SLIMVOICE_TEST_HOME") or cache / "slimvoice-test")]
    places += [Path(mirror)] if (mirror := os.environ.get("SLIMVOICE_TEST_MIRROR")) else []
    for place in places:
        for found in sorted(place.rglob("ggml-tiny.bin")):
            return found
    return pytest.skip("whisper:tiny is not pulled: scripts/test does it")


def _fake(_request: pytest.FixtureRequest) -> SttSubject:
    loud = b"\x00\x20\x00\xe0" * (SECOND // 4)
    return stt_subject(_model("fake-stt", {}), Waveform(pcm=loud * 5), Waveform(pcm=loud * 50))


SUBJECTS: dict[str, Callable[[pytest.FixtureRequest], SttSubject]] = {"whisper.cpp": _whisper, "fake": _fake}


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[SttSubject]:
    made = SUBJECTS[request.param](request)
    yield made
    made.backend.close()
