"""Every text-to-speech backend against one suite.

A subject is a loaded backend; add one to SUBJECTS to hold a new backend to the contract of slimvoice/backends/base.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from slimvoice.backends.base import TextToSpeech
from slimvoice.backends.registry import backend_class, capabilities_of
from slimvoice.config import Settings
from slimvoice.errors import Cancelled, InvalidRequest, ModelLoad, ModelNotPulled, SlimvoiceError, Unsupported
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import (
    AudioChunk,
    InstalledModel,
    LoadSpec,
    Model,
    SpeechDone,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    Voice,
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


@dataclass(frozen=True)
class Subject:
    """A loaded backend and what it was loaded from."""

    backend: TextToSpeech
    installed: InstalledModel

    def steps(self, text: str, control: Control | None = None, **fields) -> Iterator[list[SynthesizeEvent]]:
        """Synthesize step by step."""
        request = SynthesizeRequest(model=self.installed.model.name, text=text, **fields)
        return (list(events) for events in self.backend.synthesize(request, control or Control()))

    def run(self, text: str, control: Control | None = None, **fields) -> list[SynthesizeEvent]:
        """Synthesize to the end."""
        return [event for step in self.steps(text, control, **fields) for event in step]


def _load(installed: InstalledModel) -> Subject:
    backend = backend_class(installed.model.backend).load(LoadSpec(installed=installed, threads=2, slots=2))
    return Subject(cast(TextToSpeech, backend), installed)


def _installed(name: str) -> InstalledModel:
    """Return a model that scripts/test has pulled; skips without it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = Path(os.environ.get("SLIMVOICE_TEST_HOME") or cache / "slimvoice-test")
    try:
        return ModelLibrary(Settings(home=home, offline=True)).require(name)
    except ModelNotPulled:
        return pytest.skip(f"{name} is not pulled: scripts/test does it")


def _fake() -> Subject:
    if find_spec("slimvoice.backends.fake.adapter") is None:
        pytest.skip("no fake backend")
    voices = (Voice(id="af_bella", language="en-US"), Voice(id="af_sky", language="en-US"))
    model = Model(name="m", task=Task.TEXT_TO_SPEECH, backend="fake-tts", voices=voices, default_voice="af_bella")
    return _load(InstalledModel(model=model, files={}))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "kokoro": lambda: _load(_installed("kokoro")),
    "piper": lambda: _load(_installed("piper:en_US-joe-medium")),
    "fake": _fake,
}


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = SUBJECTS[request.param]()
    yield made
    made.backend.close()


@pytest.fixture(scope="module")
def long_run(subject: Subject) -> list[list[SynthesizeEvent]]:
    """The steps of a long text, with word times."""
    return list(subject.steps(LONG, word_timestamps=True))


def chunks_of(events: list[SynthesizeEvent]) -> list[AudioChunk]:
    return [event for event in events if isinstance(event, AudioChunk)]


def duration_s(events: list[SynthesizeEvent]) -> float:
    return sum(chunk.waveform.duration_s for chunk in chunks_of(events))


def test_speech_done_comes_once_and_last_and_counts_every_sample(long_run: list[list[SynthesizeEvent]]) -> None:
    events = [event for step in long_run for event in step]
    done = events[-1]
    assert isinstance(done, SpeechDone)
    assert sum(isinstance(event, SpeechDone) for event in events) == 1
    assert done.duration_s == pytest.approx(duration_s(events), abs=1e-6)
    assert done.input_tokens > 0


def test_a_long_text_takes_several_steps_of_one_piece_each(long_run: list[list[SynthesizeEvent]]) -> None:
    pieces = [chunks_of(step) for step in long_run]
    assert len(pieces) > 1
    assert all(len(piece) <= 1 for piece in pieces)
    assert len(pieces[0]) == 1, "the first step brings the first audio"


def test_pieces_together_are_the_whole_text(long_run: list[list[SynthesizeEvent]]) -> None:
    pieces = [chunk.text for step in long_run for chunk in chunks_of(step)]
    assert " ".join(" ".join(pieces).split()) == LONG


def test_audio_is_whole_samples_at_one_rate(long_run: list[list[SynthesizeEvent]]) -> None:
    waveforms = [chunk.waveform for step in long_run for chunk in chunks_of(step)]
    assert len({waveform.sample_rate for waveform in waveforms}) == 1
    assert all(waveform.pcm and len(waveform.pcm) % 2 == 0 for waveform in waveforms)


def test_words_are_those_of_the_text_in_order_on_one_clock(long_run: list[list[SynthesizeEvent]]) -> None:
    events = [event for step in long_run for event in step]
    words = [word for chunk in chunks_of(events) for word in chunk.words]
    assert [word.text for word in words] == LONG.split()
    assert all(0 <= word.start_s <= word.end_s <= duration_s(events) for word in words)
    assert all(before.start_s <= after.start_s for before, after in pairwise(words))
    assert words[-1].end_s > duration_s(events) / 2


def test_words_come_only_when_asked_for(subject: Subject) -> None:
    assert all(chunk.words == () for chunk in chunks_of(subject.run(SHORT)))


@pytest.mark.parametrize("text", ["", "   \n", "...", "?!", "😀🎉", "\u0000\u0007", "***", "---\n\n---"])
def test_text_without_a_sound_is_refused_before_any_event(subject: Subject, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(text))
    assert caught.value.param == "input"


def test_unknown_voice_is_refused_with_the_way_to_list_them(subject: Subject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(SHORT, voice="nobody_at_all"))
    assert caught.value.param == "voice"
    assert "slimvoice voices" in caught.value.hint


@pytest.mark.parametrize("speed", [0.2, 4.1, 0.0, -1.0])
def test_speed_out_of_range_is_refused(subject: Subject, speed: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(SHORT, speed=speed))
    assert caught.value.param == "speed"


def test_unknown_language_is_refused(subject: Subject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(SHORT, language="xx-XX"))
    assert caught.value.param == "language"


def test_twice_the_speed_takes_half_the_time(subject: Subject, long_run: list[list[SynthesizeEvent]]) -> None:
    normal = sum(duration_s(step) for step in long_run)  # a long text: the silence at both ends keeps its length
    assert duration_s(subject.run(LONG, speed=2.0)) == pytest.approx(normal / 2, rel=0.25)


def test_openai_voice_names_are_understood(subject: Subject) -> None:
    assert chunks_of(subject.run("Hello.", voice="alloy"))


def test_mixes_work_or_are_refused_as_the_capabilities_say(subject: Subject) -> None:
    names = [voice.id for voice in subject.installed.model.voices]
    mix = f"{names[0]}(2)+{names[-1]}(1)"
    if capabilities_of(subject.installed.model).voice_mixing:
        assert chunks_of(subject.run("Hello.", voice=mix))
    else:
        with pytest.raises(Unsupported) as caught:
            next(subject.steps("Hello.", voice=mix))
        assert caught.value.param == "voice"


def test_a_cancelled_job_ends_without_speech_done(subject: Subject) -> None:
    control = Control()
    events: list[SynthesizeEvent] = []
    try:
        for step in subject.steps(LONG, control):
            events += step
            control.cancelled = True
    except Cancelled:
        pass
    assert len(chunks_of(events)) == 1
    assert not any(isinstance(event, SpeechDone) for event in events)


def test_dropping_the_generator_leaves_the_backend_usable(subject: Subject) -> None:
    steps = subject.backend.synthesize(SynthesizeRequest(model="m", text=LONG), Control())
    next(iter(steps))
    del steps
    assert isinstance(subject.run(SHORT)[-1], SpeechDone)


def test_jobs_in_two_threads_do_not_mix(subject: Subject) -> None:
    texts = ["One small step for us all.", LONG[:139]]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(subject.run, texts))
    for text, events in zip(texts, results, strict=True):
        assert isinstance(events[-1], SpeechDone)
        assert " ".join(chunk.text for chunk in chunks_of(events)) == text
    assert duration_s(results[1]) > 1.5 * duration_s(results[0])


@pytest.mark.parametrize(
    "text",
    [
        "Tabs\tand\r\nlines, \u202eoverrides\u202c, zero\u200bwidth and \ufeffmarks.",
        "naïve café, Ωμέγα, Привет, مرحبا, שלום, 你好, こんにちは, 안녕하세요, สวัสดี, नमस्ते",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + " smile",
        "a" * 250,
        "1234567890" * 5,
        "# Title\n\n- **bold** item [link](https://example.com/a?b=c)\n- `code` | cell |\n\n```py\nx = 1\n```",
        "<speak>Hello <break time='1s'/> there</speak>",
        "[[ h@l@U ]] done",
    ],
)
def test_odd_text_is_spoken_or_refused_but_never_fails(subject: Subject, text: str) -> None:
    try:
        assert isinstance(subject.run(text, word_timestamps=True)[-1], SpeechDone)
    except InvalidRequest as error:
        assert error.param == "input"


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x08\x08" + bytes(4096)])
def test_bad_weights_are_a_load_error(subject: Subject, tmp_path: Path, content: bytes | None) -> None:
    if not subject.installed.files:
        pytest.skip("this backend has no files")
    weights = tmp_path / "weights.onnx"
    if content is not None:
        weights.write_bytes(content)
    files = {**subject.installed.files, "weights": str(weights)}
    with pytest.raises(ModelLoad) as caught:
        _load(InstalledModel(model=subject.installed.model, files=files))
    assert isinstance(caught.value, SlimvoiceError)
    assert caught.value.message


def test_weights_of_another_kind_of_model_are_a_load_error(subject: Subject) -> None:
    if not subject.installed.files:
        pytest.skip("this backend has no files")
    other = "piper:en_US-joe-medium" if subject.installed.model.backend == "kokoro" else "kokoro"
    files = {**subject.installed.files, "weights": _installed(other).files["weights"]}
    with pytest.raises(ModelLoad):
        _load(InstalledModel(model=subject.installed.model, files=files))
