"""Every text-to-speech backend of ours against the suite that plug-ins run too (slimvoice/backends/conformance).

A subject is a loaded model; add one to SUBJECTS to hold a new backend to it.
"""
# ruff: noqa: F403 - the suite's tests are collected here

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slimvoice.backends.conformance.subjects import TtsSubject, tts_subject
from slimvoice.backends.conformance.text_to_speech import *
from slimvoice.config import Settings
from slimvoice.errors import ModelNotPulled
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import InstalledModel, Model, Task, Voice


def _installed(name: str) -> InstalledModel:
    """Return a model that scripts/test has pulled; skips without it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = Path(os.environ.get("SLIMVOICE_TEST_HOME") or cache / "slimvoice-test")
    try:
        return ModelLibrary(Settings(home=home, offline=True)).require(name)
    except ModelNotPulled:
        return pytest.skip(f"{name} is not pulled: scripts/test does it")


def _weights(name: str) -> str:
    return _installed(name).files["weights"]


def _fake() -> TtsSubject:
    voices = (Voice(id="af_bella", language="en-US"), Voice(id="af_sky", language="en-US"))
    model = Model(name="m", task=Task.TEXT_TO_SPEECH, backend="fake-tts", voices=voices, default_voice="af_bella")
    return tts_subject(InstalledModel(model=model, files={}))


SUBJECTS: dict[str, Callable[[], TtsSubject]] = {
    "kokoro": lambda: tts_subject(_installed("kokoro"), other_weights=lambda: _weights("piper:en_US-joe-medium")),
    "piper": lambda: tts_subject(_installed("piper:en_US-joe-medium"), other_weights=lambda: _weights("kokoro")),
    "fake": _fake,
}


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[TtsSubject]:
    made = SUBJECTS[request.param]()
    yield made
    made.backend.close()
