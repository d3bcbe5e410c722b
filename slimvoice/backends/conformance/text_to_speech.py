"""What every text-to-speech backend must do: tests on a fixture `subject` (TtsSubject), which the caller defines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from slimvoice.backends.conformance.subjects import Control, TtsSubject, load, with_weights
from slimvoice.backends.registry import BACKENDS
from slimvoice.errors import Cancelled, InvalidRequest, ModelLoad, SlimvoiceError, Unsupported
from slimvoice.speech import AudioChunk, InstalledModel, SpeechDone, SynthesizeEvent, SynthesizeRequest


@pytest.fixture(scope="module")
def long_run(subject: TtsSubject) -> list[list[SynthesizeEvent]]:
    """The steps of a long text, with word times where there are any."""
    return list(subject.steps(subject.long, word_timestamps=subject.capabilities.word_timestamps))


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
    steps = [chunks_of(step) for step in long_run]
    assert len(steps) > 1
    assert all(len(step) <= 1 for step in steps)
    assert len(steps[0]) == 1, "the first step brings the first audio"


def test_pieces_together_are_the_whole_text(subject: TtsSubject, long_run: list[list[SynthesizeEvent]]) -> None:
    texts = [chunk.text for step in long_run for chunk in chunks_of(step)]
    assert " ".join(" ".join(texts).split()) == subject.long


def test_audio_is_whole_samples_at_one_rate(long_run: list[list[SynthesizeEvent]]) -> None:
    waveforms = [chunk.waveform for step in long_run for chunk in chunks_of(step)]
    assert len({waveform.sample_rate for waveform in waveforms}) == 1
    assert all(waveform.pcm and len(waveform.pcm) % 2 == 0 for waveform in waveforms)


def test_words_are_those_of_the_text_in_order_on_one_clock(
    subject: TtsSubject, long_run: list[list[SynthesizeEvent]]
) -> None:
    if not subject.capabilities.word_timestamps:
        pytest.skip("this model does not tell when a word is spoken")
    events = [event for step in long_run for event in step]
    words = [word for chunk in chunks_of(events) for word in chunk.words]
    assert [word.text for word in words] == subject.long.split()
    assert all(0 <= word.start_s <= word.end_s <= duration_s(events) for word in words)
    assert all(before.start_s <= after.start_s for before, after in pairwise(words))
    assert words[-1].end_s > duration_s(events) / 2


def test_words_come_only_when_asked_for(subject: TtsSubject) -> None:
    assert all(chunk.words == () for chunk in chunks_of(subject.run(subject.short)))


@pytest.mark.parametrize("text", ["...", "?!", "😀🎉", "🍵🍵", "\u0000\u0007", "***", "* ", "---", "---\n\n---"])
def test_text_without_a_word_is_a_short_silence(subject: TtsSubject, text: str) -> None:
    events = subject.run(text, word_timestamps=subject.capabilities.word_timestamps)
    (chunk,) = chunks_of(events)
    assert 0.1 <= chunk.waveform.duration_s <= 0.5
    assert not any(chunk.waveform.pcm)
    assert chunk.words == ()
    assert events[-1] == SpeechDone(duration_s=chunk.waveform.duration_s, input_tokens=0)


@pytest.mark.parametrize("text", ["", "   \n"])
def test_empty_text_is_refused_before_any_event(subject: TtsSubject, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(text))
    assert caught.value.param == "input"


def test_unknown_voice_is_refused_with_the_way_to_list_them(subject: TtsSubject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(subject.short, voice="nobody_at_all"))
    assert caught.value.param == "voice"
    assert "slimvoice voices" in caught.value.hint


@pytest.mark.parametrize("speed", [0.2, 4.1, 0.0, -1.0])
def test_speed_out_of_range_is_refused(subject: TtsSubject, speed: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(subject.short, speed=speed))
    assert caught.value.param == "speed"


def test_unknown_language_is_refused(subject: TtsSubject) -> None:
    with pytest.raises(InvalidRequest) as caught:
        next(subject.steps(subject.short, language="xx-XX"))
    assert caught.value.param == "language"


def test_twice_the_speed_takes_half_the_time(subject: TtsSubject, long_run: list[list[SynthesizeEvent]]) -> None:
    normal = sum(duration_s(step) for step in long_run)  # a long text: the silence at both ends keeps its length
    assert duration_s(subject.run(subject.long, speed=2.0)) == pytest.approx(normal / 2, rel=0.25)


def test_openai_voice_names_are_understood(subject: TtsSubject) -> None:
    assert chunks_of(subject.run(subject.short, voice="alloy"))


def test_mixes_work_or_are_refused_as_the_capabilities_say(subject: TtsSubject) -> None:
    names = [voice.id for voice in subject.installed.model.voices]
    if not names:
        pytest.skip("this model names no voices")
    mix = f"{names[0]}(2)+{names[-1]}(1)"
    if subject.capabilities.voice_mixing:
        assert chunks_of(subject.run(subject.short, voice=mix))
    else:
        with pytest.raises(Unsupported) as caught:
            next(subject.steps(subject.short, voice=mix))
        assert caught.value.param == "voice"


def test_a_cancelled_job_ends_without_speech_done(subject: TtsSubject) -> None:
    control = Control()
    events: list[SynthesizeEvent] = []
    try:
        for step in subject.steps(subject.long, control):
            events += step
            control.cancelled = True
    except Cancelled:
        pass
    assert len(chunks_of(events)) == 1
    assert not any(isinstance(event, SpeechDone) for event in events)


def test_dropping_the_generator_leaves_the_backend_usable(subject: TtsSubject) -> None:
    steps = subject.backend.synthesize(SynthesizeRequest(model=subject.installed.model, text=subject.long), Control())
    next(iter(steps))
    del steps
    assert isinstance(subject.run(subject.short)[-1], SpeechDone)


def test_jobs_in_two_threads_do_not_mix(subject: TtsSubject) -> None:
    if BACKENDS[subject.installed.model.backend].placement.max_slots < 2:
        pytest.skip("this backend runs one job at a time")
    texts = [subject.short, subject.long[:139]]
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
def test_odd_text_is_spoken_or_refused_but_never_fails(subject: TtsSubject, text: str) -> None:
    try:
        assert isinstance(subject.run(text, word_timestamps=subject.capabilities.word_timestamps)[-1], SpeechDone)
    except InvalidRequest as error:
        assert error.param == "input"


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"\x08\x08" + bytes(4096)])
def test_bad_weights_are_a_load_error(subject: TtsSubject, tmp_path: Path, content: bytes | None) -> None:
    damaged = with_weights(subject.installed, tmp_path / "weights.onnx", content)
    with pytest.raises(ModelLoad) as caught:
        load(damaged)
    assert isinstance(caught.value, SlimvoiceError)
    assert caught.value.message


def test_weights_of_another_kind_of_model_are_a_load_error(subject: TtsSubject) -> None:
    if subject.other_weights is None:
        pytest.skip("no other weights are at hand")
    files = {**subject.installed.files, "weights": subject.other_weights()}
    with pytest.raises(ModelLoad):
        load(InstalledModel(model=subject.installed.model, files=files))
