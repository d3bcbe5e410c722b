"""`python -m slimvoice.backends.conformance NAME`: run the suite on a pulled model of the backend NAME."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from slimvoice.backends.probes import FIGURES, clip
from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.errors import ConfigError, InvalidRequest, ModelNotPulled, SlimvoiceError
from slimvoice.speech import InstalledModel, Task, Waveform

if TYPE_CHECKING:
    from slimvoice.backends.conformance.subjects import SttSubject, TtsSubject

PAUSE_S = 2


def main(arguments: list[str]) -> int:
    """Return pytest's exit status; 2 when there is nothing to run on."""
    parser = argparse.ArgumentParser(prog="python -m slimvoice.backends.conformance", description=__doc__)
    parser.add_argument("name", help="the backend, as its entry point is called")
    parser.add_argument("--model", default="", help="a pulled model of it; the first one by default")
    parser.add_argument("--speech", type=Path, help="a recording of a few seconds that the model understands")
    parser.add_argument("--language", default="", help="ISO 639-1 code of that recording; - for none")
    own, for_pytest = parser.parse_known_args(arguments)
    if find_spec("pytest") is None:
        raise ConfigError("the suite runs on pytest, which is not installed", hint="pip install pytest")
    installed = find_model(own.name, own.model)
    return run(installed, own.speech, own.language, for_pytest)


def find_model(backend: str, name: str) -> InstalledModel:
    """Return a pulled model of a backend; raises ModelLoad, ModelNotPulled, InvalidRequest."""
    from slimvoice import config_sources
    from slimvoice.models.library import ModelLibrary

    BACKENDS.require(backend)
    library = ModelLibrary(config_sources.load({}).settings)
    if name:
        found = library.require(name)
        if found.model.backend != backend:
            raise InvalidRequest(f"{name} is a model of {found.model.backend}", param="model")
        return found
    for found in library.installed():
        if found.model.backend == backend:
            return found
    raise ModelNotPulled(f"no model of {backend} is on this machine", hint="slimvoice list --all, slimvoice pull MODEL")


def run(installed: InstalledModel, speech: Path | None, language: str, for_pytest: list[str]) -> int:
    """Run descriptor's and model's tests with pytest, apart from any configuration of the folder it runs in."""
    import pytest

    def name() -> str:
        return installed.model.backend

    def model() -> InstalledModel:
        return installed

    def loaded() -> Iterator[SttSubject | TtsSubject]:
        made = subject(installed, speech, language)
        yield made
        made.backend.close()

    fixtures = ModuleType("slimvoice_conformance_fixtures")
    for fixture, function in {"name": name, "installed": model, "subject": loaded}.items():
        setattr(fixtures, fixture, pytest.fixture(scope="module", name=fixture)(function))
    folder = Path(__file__).parent
    suite = "speech_to_text.py" if installed.model.task is Task.SPEECH_TO_TEXT else "text_to_speech.py"
    alone = [
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--import-mode",
        "importlib",
    ]
    print(f"{installed.model.backend}: {installed.model.name}", flush=True)
    files = [str(folder / "descriptor.py"), str(folder / suite)]
    return int(pytest.main([*alone, "-q", "-rs", *for_pytest, *files], plugins=[fixtures]))


def subject(installed: InstalledModel, speech: Path | None, language: str) -> SttSubject | TtsSubject:
    """Load the model, with input that suits it."""
    from slimvoice.backends.conformance.subjects import stt_subject, tts_subject

    model = installed.model
    english = not model.languages or "en" in model.languages
    if model.task is Task.TEXT_TO_SPEECH:
        if english:
            return tts_subject(installed)
        return tts_subject(installed, short=FIGURES, long=" ".join([FIGURES] * 12))
    own = BACKENDS[model.backend].probe.clip
    if speech is not None:
        from slimvoice.audio.decode import decode

        short = decode(speech.read_bytes(), max_duration_s=30)
    else:
        short = imported(own)() if own else clip()
    if not language and not speech:
        language = "en" if english and not own else "-"
    spoken = None if language in ("", "-") else language
    return stt_subject(installed, short, _repeated(short, BACKENDS[model.backend].window_s), spoken)


def _repeated(speech: Waveform, window_s: float) -> Waveform:
    """Return the recording again and again, with pauses, until it takes several windows."""
    times = int(1.3 * window_s / (speech.duration_s + PAUSE_S)) + 2
    return Waveform(pcm=bytes(2 * PAUSE_S * speech.sample_rate).join([speech.pcm] * times))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SlimvoiceError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
