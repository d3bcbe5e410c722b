"""Short contexts that attend to silence (encoder_context), in a build of our own; the wheel cannot."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jiwer
import numpy as np
import pytest

from slimvoice.audio.decode import decode
from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.whisper_cpp import encoder_context, libwhisper
from slimvoice.backends.whisper_cpp.decoder import Audio, DecodeOptions, DecodeResult, WhisperContext
from slimvoice.speech import InstalledModel

os.environ.update(BACKENDS["whisper.cpp"].env)
if not libwhisper.knows_silence(libwhisper.open_library()):
    pytest.skip("this whisper.cpp is the wheel's: scripts/build-runtime builds ours", allow_module_level=True)


class Clip(NamedTuple):
    reference: str
    audio: Audio


@pytest.fixture(scope="module")
def weights(installed: Callable[[str], InstalledModel]) -> Path:
    return Path(installed("whisper:tiny").files["weights"])


@pytest.fixture
def context(weights: Path) -> Iterator[WhisperContext]:
    made = WhisperContext(weights, gpu_device=None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def clips(speech: Path) -> list[Clip]:
    """Every other clip of the set `short`: one to five seconds each."""
    entries = [json.loads(line) for line in (speech / "manifest.jsonl").read_text().splitlines()]
    paths = {entry["path"]: entry["text"] for entry in entries if entry["set"] == "short"}
    return [Clip(text, audio_of(speech / path)) for path, text in sorted(paths.items())[::2]]


def audio_of(path: Path) -> Audio:
    return np.frombuffer(decode(path.read_bytes(), max_duration_s=60).pcm, np.int16).astype(np.float32) / 32768


def hear(context: WhisperContext, audio: Audio, *, full: bool = False) -> DecodeResult:
    duration_s = len(audio) / libwhisper.SAMPLE_RATE
    max_tokens = encoder_context.max_tokens(duration_s)
    positions = encoder_context.audio_ctx_in_silence(duration_s)
    short = DecodeOptions(audio_ctx=positions, silence=True, temperature_step=0, max_tokens=max_tokens)
    return context.decode(audio, DecodeOptions(max_tokens=max_tokens) if full else short, (), 2, lambda: False)


def text_of(heard: DecodeResult) -> str:
    text = b"".join(token.data for token in heard.tokens).decode()
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())


def test_short_clips_keep_the_words_of_the_full_context(context: WhisperContext, clips: list[Clip]) -> None:
    references = [text_of_reference(clip) for clip in clips]
    short = jiwer.wer(references, [text_of(hear(context, clip.audio)) for clip in clips])
    full = jiwer.wer(references, [text_of(hear(context, clip.audio, full=True)) for clip in clips])
    assert short <= full + 0.01


def text_of_reference(clip: Clip) -> str:
    return " ".join(re.sub(r"[^\w' ]", " ", clip.reference.lower()).split())


def test_silence_is_encoded_once_for_all_and_no_run_disturbs_another(weights: Path, clips: list[Clip]) -> None:
    several = clips[:4]
    alone = WhisperContext(weights, gpu_device=None)
    expected = [hear(alone, clip.audio) for clip in several]
    alone.close()
    shared = WhisperContext(weights, gpu_device=None)
    with ThreadPoolExecutor(len(several)) as pool:  # all begin at once, with none encoded yet
        assert list(pool.map(lambda clip: hear(shared, clip.audio), several)) == expected
    shared.close()


def test_runs_with_and_without_silence_leave_each_other_alone(context: WhisperContext, clips: list[Clip]) -> None:
    first, second = clips[0].audio, clips[1].audio
    full, short = hear(context, first, full=True), hear(context, second)
    plain = context.decode(second, DecodeOptions(audio_ctx=256), (), 2, lambda: False)
    assert hear(context, first, full=True) == full
    assert hear(context, second) == short
    assert context.decode(second, DecodeOptions(audio_ctx=256), (), 2, lambda: False) == plain
