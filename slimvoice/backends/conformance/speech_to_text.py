"""What every speech-to-text backend must do: tests on a fixture `subject` (SttSubject), which the caller defines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from slimvoice.backends.conformance.subjects import Control, SttSubject, load, with_weights
from slimvoice.backends.registry import BACKENDS
from slimvoice.errors import Cancelled, InvalidRequest, ModelLoad
from slimvoice.speech import (
    Progress,
    Segment,
    TranscribeEvent,
    TranscriptDone,
    VoiceDetection,
    Waveform,
    joined_text,
)

SECOND = 2 * 16_000


def segments_of(events: list[TranscribeEvent]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def test_transcript_done_comes_once_and_last(subject: SttSubject) -> None:
    events = subject.run()
    assert isinstance(events[-1], TranscriptDone)
    assert sum(isinstance(event, TranscriptDone) for event in events) == 1
    assert subject.language in (None, events[-1].language)
    assert events[-1].duration_s == pytest.approx(subject.speech.duration_s)


def test_segments_are_in_order_and_within_the_recording(subject: SttSubject) -> None:
    found = segments_of(subject.run())
    assert joined_text(found)
    assert [segment.id for segment in found] == list(range(len(found)))
    assert all(0 <= segment.start_s <= segment.end_s <= subject.speech.duration_s for segment in found)
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    assert all(segment.text.strip() and subject.language in (None, segment.language) for segment in found)
    assert all(segment.tokens for segment in found) or not subject.capabilities.logprobs


def test_progress_only_rises(subject: SttSubject) -> None:
    done = [event.done_s for event in subject.run() if isinstance(event, Progress)]
    assert done == sorted(done)
    assert all(0 <= value <= subject.speech.duration_s + 0.001 for value in done)


def test_words_and_logprobs_come_only_when_asked_for(subject: SttSubject) -> None:
    plain = segments_of(subject.run())
    assert all(segment.words == () and segment.logprobs == () for segment in plain)
    able = subject.capabilities
    full = segments_of(subject.run(word_timestamps=able.word_timestamps, logprobs=able.logprobs))
    assert joined_text(full) == joined_text(plain)
    for segment in full if able.word_timestamps else ():
        assert [word.text for word in segment.words] == segment.text.split()
        assert all(segment.start_s - 0.5 <= w.start_s <= w.end_s <= segment.end_s + 0.5 for w in segment.words)
        assert all(before.end_s <= after.start_s for before, after in pairwise(segment.words))
        assert all(0 < word.probability <= 1 for word in segment.words)
    for segment in full if able.logprobs else ():
        assert b"".join(logprob.bytes for logprob in segment.logprobs).decode() == segment.text
        assert all(logprob.logprob <= 0 for logprob in segment.logprobs)


@pytest.mark.parametrize("duration_s", [0, 0.01, 0.05])
def test_hardly_any_audio_has_no_words_even_after_another_recording(subject: SttSubject, duration_s: float) -> None:
    assert segments_of(subject.run())
    events = subject.run(Waveform(pcm=bytes(round(duration_s * 16_000) * 2)))
    assert segments_of(events) == []
    assert isinstance(events[-1], TranscriptDone)


def test_silence_has_no_words(subject: SttSubject) -> None:
    events = subject.run(Waveform(pcm=bytes(8 * SECOND)))
    assert segments_of(events) == []
    assert isinstance(events[-1], TranscriptDone)
    assert events[-1].speech_s == 0


def test_unknown_language_is_refused(subject: SttSubject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        subject.run(language="klingon")
    assert caught.value.param == "language"


def test_language_is_found_when_not_given(subject: SttSubject) -> None:
    if not subject.capabilities.detect_language:
        pytest.skip("this model does not detect a language")
    done = subject.run(language=None)[-1]
    assert isinstance(done, TranscriptDone)
    assert done.language == subject.language
    assert 0 < done.language_probability <= 1


def test_long_recording_takes_several_steps_on_one_clock(subject: SttSubject) -> None:
    control = Control()
    found = segments_of(subject.run(subject.long, control))
    assert control.steps >= 2
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))
    assert found[-1].end_s == pytest.approx(subject.long.duration_s, abs=2)


def test_voice_detection_can_be_switched_off(subject: SttSubject) -> None:
    events = subject.run(voice_detection=VoiceDetection(enabled=False))
    assert joined_text(segments_of(events))


def test_cancelled_job_ends_without_a_result_and_leaves_the_backend_well(subject: SttSubject) -> None:
    expected = joined_text(segments_of(subject.run()))
    events: list[TranscribeEvent] = []
    with suppress(Cancelled):
        events = subject.run(control=Control(cancelled=True))
    assert segments_of(events) == []
    assert joined_text(segments_of(subject.run())) == expected


def test_dropped_job_leaves_the_backend_well(subject: SttSubject) -> None:
    expected = joined_text(segments_of(subject.run()))
    job = subject.backend.transcribe(subject.request(subject.long), Control())
    next(iter(job))
    del job
    assert joined_text(segments_of(subject.run())) == expected


def test_jobs_that_take_turns_do_not_mix(subject: SttSubject) -> None:
    waveforms = (subject.speech, Waveform(pcm=subject.speech.pcm[: 3 * SECOND]))
    alone = [segments_of(subject.run(waveform)) for waveform in waveforms]
    jobs = [subject.backend.transcribe(subject.request(waveform), Control()) for waveform in waveforms]
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


def test_slots_run_at_once_without_mixing(subject: SttSubject) -> None:
    if BACKENDS[subject.installed.model.backend].placement.max_slots < 2:
        pytest.skip("this backend runs one job at a time")
    waveforms = (subject.speech, Waveform(pcm=subject.speech.pcm[: 3 * SECOND]))
    alone = [segments_of(subject.run(waveform, Control(threads=1))) for waveform in waveforms]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(subject.run, waveform, Control(threads=1)) for waveform in waveforms]
        together = [segments_of(run.result(timeout=120)) for run in runs]
    assert together == alone


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x08\x08" + bytes(4096)])
def test_bad_weights_are_a_load_error(subject: SttSubject, tmp_path: Path, content: bytes | None) -> None:
    damaged = with_weights(subject.installed, tmp_path / "weights.bin", content)
    with pytest.raises(ModelLoad) as caught:
        load(damaged)
    assert caught.value.message
