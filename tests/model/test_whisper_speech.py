"""What whisper makes of real speech."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import pytest
from fake_models import STT

from slimvoice.audio.decode import decode
from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.whisper_cpp.adapter import WhisperCpp
from slimvoice.speech import (
    InstalledModel,
    LoadSpec,
    Segment,
    TranscribeEvent,
    TranscribeRequest,
    Waveform,
    joined_text,
)

os.environ.update(BACKENDS["whisper.cpp"].env)


HOME_ASSISTANT = "The following conversation is a smart home user talking to Home Assistant."
"""What Home Assistant's OpenAI integration says before each command unless its user changes it (DEFAULT_STT_PROMPT)."""


@dataclass
class Control:
    threads: int = 2
    cancelled: bool = False


@pytest.fixture(scope="module")
def tiny(installed: Callable[[str], InstalledModel]) -> Iterator[WhisperCpp]:
    made = WhisperCpp.load(LoadSpec(installed=installed("whisper:tiny"), threads=2))
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(installed: Callable[[str], InstalledModel]) -> Iterator[WhisperCpp]:
    made = WhisperCpp.load(LoadSpec(installed=installed("whisper:base"), threads=2))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clips(speech: Path) -> Callable[[str], list[tuple[str, Waveform]]]:
    """Return a function that gives the references and recordings of a set."""
    entries = [json.loads(line) for line in (speech / "manifest.jsonl").read_text().splitlines()]

    def of(name: str) -> list[tuple[str, Waveform]]:
        return [
            (entry["text"], decode((speech / entry["path"]).read_bytes(), max_duration_s=200))
            for entry in entries
            if entry["set"] == name
        ]

    return of


def events_of(backend: WhisperCpp, waveform: Waveform, **fields) -> list[TranscribeEvent]:
    request = TranscribeRequest(model=STT, waveform=waveform, **fields)
    return [event for step in backend.transcribe(request, Control()) for event in step]


def text_of(events: list[TranscribeEvent]) -> str:
    return joined_text([event for event in events if isinstance(event, Segment)])


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


def test_jfk_word_for_word(base: WhisperCpp, tiny: WhisperCpp, clips) -> None:
    ((reference, waveform),) = clips("jfk")
    for backend in (base, tiny):
        assert plain(text_of(events_of(backend, waveform))) == plain(reference)


def test_english_clips_keep_their_word_error_rate(tiny: WhisperCpp, clips) -> None:
    chosen = clips("ljspeech-32")[:8] + clips("librispeech")
    heard = [plain(text_of(events_of(tiny, waveform, language="en"))) for _, waveform in chosen]
    assert jiwer.wer([plain(reference) for reference, _ in chosen], heard) < 0.12  # whisper.cpp's own run: 0.09


def scaled(waveform: Waveform, decibels: float) -> Waveform:
    """Return the recording made quieter, as whole 16-bit samples."""
    samples = np.frombuffer(waveform.pcm, np.int16) * 10 ** (decibels / 20)
    return Waveform(pcm=np.rint(samples).astype(np.int16).tobytes())


@pytest.mark.parametrize("decibels", [-20, -40])
def test_quiet_recordings_are_understood(base: WhisperCpp, clips, decibels: float) -> None:
    chosen = [*clips("jfk")[:1], *clips("short")[4:12:3]]
    for reference, waveform in chosen:
        loud = plain(text_of(events_of(base, waveform, language="en")))
        quiet = plain(text_of(events_of(base, scaled(waveform, decibels), language="en")))
        assert jiwer.wer(loud, quiet) < 0.13, reference


@pytest.mark.parametrize("decibels", [-20, -40, -60])
def test_quiet_noise_has_no_words(tiny: WhisperCpp, speech: Path, decibels: float) -> None:
    for path in sorted((speech / "non-speech").iterdir()):
        if path.name != "guitar_16k.wav":  # someone counts to four in it
            waveform = scaled(decode(path.read_bytes(), max_duration_s=200), decibels)
            assert text_of(events_of(tiny, waveform)).strip() == "", path.name


@pytest.mark.parametrize("times", [2, 3])
def test_what_is_said_more_than_once_is_written_as_often(base: WhisperCpp, clips, times: int) -> None:
    reference, waveform = next(clip for clip in clips("short") if "living room" in clip[0].lower())
    pause = bytes(2 * 16_000)
    again = Waveform(pcm=(waveform.pcm + pause) * times)
    once = plain(text_of(events_of(base, waveform, language="en")))
    heard = plain(text_of(events_of(base, again, language="en")))
    assert jiwer.wer(" ".join([once] * times), heard) < 0.13, reference


def test_noise_and_silence_have_no_words(tiny: WhisperCpp, speech: Path) -> None:
    names = ["empty.wav", "doing_the_dishes.wav", "exercise_bike.wav", "mono.zero.wav"]
    for path in sorted(path for path in (speech / "non-speech").iterdir() if path.name in names):
        waveform = decode(path.read_bytes(), max_duration_s=200)
        assert text_of(events_of(tiny, waveform)) == "", path.name


@pytest.mark.parametrize("language", ["de", "en", "ja"])
def test_language_of_a_spoken_command_is_found(tiny: WhisperCpp, speech: Path, language: str) -> None:
    path = speech / "wyoming" / f"living_room_light_{language}.wav"
    done = events_of(tiny, decode(path.read_bytes(), max_duration_s=60))[-1]
    assert done.language == language
    assert done.language_probability > 0.5


def test_candidates_narrow_the_language(tiny: WhisperCpp, speech: Path) -> None:
    waveform = decode((speech / "wyoming" / "living_room_light_de.wav").read_bytes(), max_duration_s=60)
    assert events_of(tiny, waveform, languages=("German", "ja"))[-1].language == "de"
    assert events_of(tiny, waveform, languages=("en", "fr"))[-1].language in {"en", "fr"}


def test_german_is_translated(base: WhisperCpp, speech: Path) -> None:
    waveform = decode((speech / "wyoming" / "living_room_light_de.wav").read_bytes(), max_duration_s=60)
    events = events_of(base, waveform, language="de", task="translate")
    text = text_of(events).lower()
    assert "living room" in text or "light" in text
    (segment,) = [event for event in events if isinstance(event, Segment)]
    assert segment.temperature == 0.0  # a right translation is not decoded again


def test_prompt_and_keywords_spell_names(base: WhisperCpp, clips) -> None:
    _, waveform = next(clip for clip in clips("ljspeech-32") if "pannartz" in clip[0].lower())
    assert "Pannartz" not in text_of(events_of(base, waveform))
    assert "Pannartz" in text_of(events_of(base, waveform, keywords=("Sweynheim", "Pannartz")))
    assert "Pannartz" in text_of(events_of(base, waveform, prompt="The printers Sweynheim and Pannartz."))


@pytest.mark.parametrize("clip", ["wyoming/living_room_light_en.wav", "ljspeech-32/LJ001-0013.wav"])
@pytest.mark.parametrize("prompt", [HOME_ASSISTANT, "This is a recording of a voice command.", "Home assistant."])
def test_prompt_does_not_make_a_short_clip_be_written_twice(
    base: WhisperCpp, speech: Path, clip: str, prompt: str
) -> None:
    entries = [json.loads(line) for line in (speech / "manifest.jsonl").read_text().splitlines()]
    reference = next(entry["text"] for entry in entries if entry["path"] == clip)
    waveform = decode((speech / clip).read_bytes(), max_duration_s=60)
    heard = plain(text_of(events_of(base, waveform, language="en", prompt=prompt)))
    assert len(heard.split()) == len(plain(reference).split()), heard
    assert jiwer.wer(plain(reference), heard) < 0.13  # "then" for "than", with the full context as well


def test_words_lie_where_they_are_spoken(tiny: WhisperCpp, clips) -> None:
    first, second = (waveform.pcm for _, waveform in clips("ljspeech-32")[:2])
    gap_s = 3
    waveform = Waveform(pcm=first + bytes(gap_s * 32000) + second)
    events = events_of(tiny, waveform, language="en", word_timestamps=True)
    words = [word for event in events if isinstance(event, Segment) for word in event.words]
    silence = (len(first) / 32000, len(first) / 32000 + gap_s)
    before = [word for word in words if word.start_s < silence[0]]
    after = [word for word in words if word.start_s >= silence[0]]
    assert before[-1].end_s <= silence[0] + 0.5
    assert after[0].start_s >= silence[1] - 0.5
    assert 0 < words[0].end_s - words[0].start_s < 1


def test_probabilities_tell_speech_from_mumbling(tiny: WhisperCpp, clips) -> None:
    ((_, waveform),) = clips("jfk")
    (segment, *_) = [e for e in events_of(tiny, waveform, logprobs=True) if isinstance(e, Segment)]
    assert -0.6 < segment.avg_logprob < 0
    assert 0 <= segment.no_speech_prob < 0.3
    assert 1 < segment.compression_ratio < 2
    assert segment.temperature == 0.0
    assert b"".join(token.bytes for token in segment.logprobs).decode() == segment.text
