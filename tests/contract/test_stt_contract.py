"""Every speech-to-text backend against one suite.

A subject is a loaded backend with a recording that it understands; add one to SUBJECTS to hold a new backend to
the contract of slimvoice/backends/base.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from slimvoice.audio.decode import decode
from slimvoice.backends.base import SpeechToText
from slimvoice.backends.registry import BACKENDS, backend_class
from slimvoice.errors import Cancelled, InvalidRequest
from slimvoice.speech import (
    InstalledModel,
    LoadSpec,
    Model,
    Progress,
    Segment,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    VoiceDetection,
    Waveform,
    joined_text,
)

SECOND = 2 * 16_000


@dataclass
class Control:
    """What the worker tells a job."""

    threads: int = 2
    cancelled: bool = False
    steps: int = field(default=0)


@dataclass(frozen=True)
class Subject:
    """A loaded backend, a recording of a few seconds of English speech, and one that needs several steps."""

    backend: SpeechToText
    speech: Waveform
    long: Waveform

    def run(self, waveform: Waveform | None = None, control: Control | None = None, **fields) -> list[TranscribeEvent]:
        """Transcribe to the end."""
        fields.setdefault("language", "en")
        request = TranscribeRequest(model="m", waveform=waveform or self.speech, **fields)
        control = control or Control()
        events: list[TranscribeEvent] = []
        for step in self.backend.transcribe(request, control):
            control.steps += 1
            events.extend(step)
        return events


def _load(backend: str, files: dict[str, str]) -> SpeechToText:
    os.environ.update(BACKENDS[backend].env)  # as a worker process has it, before the runtime is loaded
    model = Model(name="m", task=Task.SPEECH_TO_TEXT, backend=backend)
    installed = InstalledModel(model=model, files=files)
    return backend_class(backend).load(LoadSpec(installed=installed, threads=2, slots=2))


def _whisper(request: pytest.FixtureRequest) -> Subject:
    folder: Path = request.getfixturevalue("speech")
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    heard = [
        decode((folder / entry["path"]).read_bytes(), max_duration_s=60).pcm
        for entry in entries
        if entry["set"] in {"jfk", "ljspeech-32"}
    ]
    jfk = heard.pop()
    long = (bytes(2 * SECOND)).join([jfk, *heard[:5]])
    backend = _load("whisper.cpp", {"weights": str(_tiny_weights())})
    return Subject(backend, Waveform(pcm=jfk[: 5 * SECOND]), Waveform(pcm=long))


def _tiny_weights() -> Path:
    """Return the weights of whisper:tiny that scripts/test has pulled, or a mirror folder's; skips without them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    places = [Path(os.environ.get("SLIMVOICE_TEST_HOME") or cache / "slimvoice-test")]
    places += [Path(mirror)] if (mirror := os.environ.get("SLIMVOICE_TEST_MIRROR")) else []
    for place in places:
        for found in sorted(place.rglob("ggml-tiny.bin")):
            return found
    return pytest.skip("whisper:tiny is not pulled: scripts/test does it")


def _fake(_request: pytest.FixtureRequest) -> Subject:
    if find_spec("slimvoice.backends.fake.adapter") is None:
        pytest.skip("no fake backend")
    loud = b"\x00\x20\x00\xe0" * (SECOND // 4)
    return Subject(_load("fake-stt", {}), Waveform(pcm=loud * 5), Waveform(pcm=loud * 50))


SUBJECTS: dict[str, Callable[[pytest.FixtureRequest], Subject]] = {"whisper.cpp": _whisper, "fake": _fake}


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made = SUBJECTS[request.param](request)
    yield made
    made.backend.close()


def segments_of(events: list[TranscribeEvent]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def test_transcript_done_comes_once_and_last(subject: Subject) -> None:
    events = subject.run()
    assert isinstance(events[-1], TranscriptDone)
    assert sum(isinstance(event, TranscriptDone) for event in events) == 1
    assert events[-1].language == "en"
    assert events[-1].duration_s == pytest.approx(subject.speech.duration_s)


def test_segments_are_in_order_and_within_the_recording(subject: Subject) -> None:
    found = segments_of(subject.run())
    assert joined_text(found)
    assert [segment.id for segment in found] == list(range(len(found)))
    assert all(0 <= segment.start_s <= segment.end_s <= subject.speech.duration_s for segment in found)
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    assert all(segment.text.strip() and segment.tokens and segment.language == "en" for segment in found)


def test_progress_only_rises(subject: Subject) -> None:
    done = [event.done_s for event in subject.run() if isinstance(event, Progress)]
    assert done == sorted(done)
    assert all(0 <= value <= subject.speech.duration_s + 0.001 for value in done)


def test_words_and_logprobs_come_only_when_asked_for(subject: Subject) -> None:
    plain = segments_of(subject.run())
    assert all(segment.words == () and segment.logprobs == () for segment in plain)
    full = segments_of(subject.run(word_timestamps=True, logprobs=True))
    assert joined_text(full) == joined_text(plain)
    for segment in full:
        assert [word.text for word in segment.words] == segment.text.split()
        assert all(segment.start_s - 0.5 <= w.start_s <= w.end_s <= segment.end_s + 0.5 for w in segment.words)
        assert all(before.end_s <= after.start_s for before, after in pairwise(segment.words))
        assert all(0 < word.probability <= 1 for word in segment.words)
        assert b"".join(logprob.bytes for logprob in segment.logprobs).decode() == segment.text
        assert all(logprob.logprob <= 0 for logprob in segment.logprobs)


@pytest.mark.parametrize("duration_s", [0, 0.01, 0.05])
def test_hardly_any_audio_has_no_words_even_after_another_recording(subject: Subject, duration_s: float) -> None:
    assert segments_of(subject.run())
    events = subject.run(Waveform(pcm=bytes(round(duration_s * 16_000) * 2)))
    assert segments_of(events) == []
    assert isinstance(events[-1], TranscriptDone)


def test_silence_has_no_words(subject: Subject) -> None:
    events = subject.run(Waveform(pcm=bytes(8 * SECOND)))
    assert segments_of(events) == []
    assert events[-1].speech_s == 0


def test_unknown_language_is_refused(subject: Subject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        subject.run(language="klingon")
    assert caught.value.param == "language"


def test_language_is_found_when_not_given(subject: Subject) -> None:
    done = subject.run(language=None)[-1]
    assert done.language == "en"
    assert 0 < done.language_probability <= 1


def test_long_recording_takes_several_steps_on_one_clock(subject: Subject) -> None:
    control = Control()
    found = segments_of(subject.run(subject.long, control))
    assert control.steps >= 2
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    assert found[-1].end_s == pytest.approx(subject.long.duration_s, abs=2)


def test_voice_detection_can_be_switched_off(subject: Subject) -> None:
    events = subject.run(voice_detection=VoiceDetection(enabled=False))
    assert joined_text(segments_of(events))


def test_cancelled_job_ends_without_a_result_and_leaves_the_backend_well(subject: Subject) -> None:
    expected = joined_text(segments_of(subject.run()))
    events: list[TranscribeEvent] = []
    with suppress(Cancelled):
        events = subject.run(control=Control(cancelled=True))
    assert segments_of(events) == []
    assert joined_text(segments_of(subject.run())) == expected


def test_dropped_job_leaves_the_backend_well(subject: Subject) -> None:
    expected = joined_text(segments_of(subject.run()))
    request = TranscribeRequest(model="m", waveform=subject.long, language="en")
    job = subject.backend.transcribe(request, Control())
    next(iter(job))
    del job
    assert joined_text(segments_of(subject.run())) == expected


def test_jobs_that_take_turns_do_not_mix(subject: Subject) -> None:
    waveforms = (subject.speech, Waveform(pcm=subject.speech.pcm[: 3 * SECOND]))
    alone = [segments_of(subject.run(waveform)) for waveform in waveforms]
    requests = [TranscribeRequest(model="m", waveform=waveform, language="en") for waveform in waveforms]
    jobs = [subject.backend.transcribe(request, Control()) for request in requests]
    together: list[list[TranscribeEvent]] = [[], []]
    running = [0, 1]
    while running:
        for index in list(running):
            step = next(jobs[index], None)
            if step is None:
                running.remove(index)
            else:
                together[index].extend(step)
    assert [segments_of(events) for events in together] == alone


def test_slots_run_at_once_without_mixing(subject: Subject) -> None:
    waveforms = (subject.speech, Waveform(pcm=subject.speech.pcm[: 3 * SECOND]))
    alone = [segments_of(subject.run(waveform, Control(threads=1))) for waveform in waveforms]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(subject.run, waveform, Control(threads=1)) for waveform in waveforms]
        together = [segments_of(run.result(timeout=120)) for run in runs]
    assert together == alone
