"""What the suite is run on: a loaded model, and input for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from slimvoice.backends.base import Backend, SpeechToText, TextToSpeech, loaded_capabilities
from slimvoice.backends.registry import BACKENDS, backend_class, capabilities_of
from slimvoice.speech import (
    Capabilities,
    InstalledModel,
    LoadSpec,
    SynthesizeEvent,
    SynthesizeRequest,
    TranscribeEvent,
    TranscribeRequest,
    Waveform,
)

SHORT = "Good morning to you all."
LONG = (
    "The boat left the harbour at dawn, when the wind was still low. By noon we had passed the second island, and the "
    "captain let us steer for a while. Nobody spoke much after that: the sea was calm, and there was nothing to say."
)


@dataclass
class Control:
    """What the worker tells a job."""

    threads: int = 2
    cancelled: bool = False
    steps: int = field(default=0)


def load(installed: InstalledModel) -> Backend:
    """Load a model in this process, with the environment that a worker would have."""
    os.environ.update(BACKENDS[installed.model.backend].env)  # before the runtime is loaded
    return backend_class(installed.model.backend).load(LoadSpec(installed=installed, threads=2, slots=2))


def able(backend: Backend, installed: InstalledModel) -> Capabilities:
    """Return what a loaded model can do: by itself, or by its backend's descriptor."""
    return loaded_capabilities(backend) or capabilities_of(installed.model)


@dataclass(frozen=True)
class SttSubject:
    """A loaded model, a recording of a few seconds that it understands, and one that needs several steps.

    `long` ends with speech. `language` is that of the recordings; None: they are in none.
    """

    backend: SpeechToText
    installed: InstalledModel
    speech: Waveform
    long: Waveform
    language: str | None = "en"

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""
        return able(self.backend, self.installed)

    def run(
        self, waveform: Waveform | None = None, control: Control | None = None, **fields: Any
    ) -> list[TranscribeEvent]:
        """Transcribe to the end."""
        control = control or Control()
        events: list[TranscribeEvent] = []
        for step in self.backend.transcribe(self.request(waveform or self.speech, **fields), control):
            control.steps += 1
            events.extend(step)
        return events

    def request(self, waveform: Waveform, **fields: Any) -> TranscribeRequest:
        """Return a request in the recordings' language."""
        fields.setdefault("language", self.language)
        return TranscribeRequest(model=self.installed.model, waveform=waveform, **fields)


@dataclass(frozen=True)
class TtsSubject:
    """A loaded model, a short sentence, and a text of several sentences that takes several steps."""

    backend: TextToSpeech
    installed: InstalledModel
    short: str = SHORT
    long: str = LONG
    other_weights: Callable[[], str] | None = None
    """Returns the path of weights of another backend's model, to be refused."""

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""
        return able(self.backend, self.installed)

    def steps(self, text: str, control: Control | None = None, **fields: Any) -> Iterator[list[SynthesizeEvent]]:
        """Synthesize step by step."""
        request = SynthesizeRequest(model=self.installed.model, text=text, **fields)
        return (list(events) for events in self.backend.synthesize(request, control or Control()))

    def run(self, text: str, control: Control | None = None, **fields: Any) -> list[SynthesizeEvent]:
        """Synthesize to the end."""
        return [event for step in self.steps(text, control, **fields) for event in step]


def stt_subject(installed: InstalledModel, speech: Waveform, long: Waveform, language: str | None = "en") -> SttSubject:
    """Load a speech-to-text model."""
    return SttSubject(cast(SpeechToText, load(installed)), installed, speech, long, language)


def tts_subject(installed: InstalledModel, **fields: Any) -> TtsSubject:
    """Load a text-to-speech model."""
    return TtsSubject(cast(TextToSpeech, load(installed)), installed, **fields)


def with_weights(installed: InstalledModel, weights: Path, content: bytes | None) -> InstalledModel:
    """Return a model whose weights are `content` at the path `weights`, or missing; skips where it has no such file."""
    if "weights" not in installed.files:
        pytest.skip("this model has no weights file")
    if content is not None:
        weights.write_bytes(content)
    return InstalledModel(model=installed.model, files={**installed.files, "weights": str(weights)})
