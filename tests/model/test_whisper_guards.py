"""Each defect of whisper.cpp and its binding that could touch us (RUNTIMES.md), with what keeps it away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from fake_models import STT

from slimvoice.audio.decode import decode
from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.whisper_cpp import libwhisper
from slimvoice.backends.whisper_cpp.adapter import WhisperCpp
from slimvoice.backends.whisper_cpp.decoder import DecodeOptions, DecodeResult, WhisperContext
from slimvoice.backends.whisper_cpp.voice_activity import SpeechDetector, silero_path
from slimvoice.errors import Cancelled, Inference, ModelLoad
from slimvoice.speech import (
    InstalledModel,
    LoadSpec,
    Model,
    Segment,
    Task,
    TranscribeRequest,
    VoiceDetection,
    Waveform,
    joined_text,
)

os.environ.update(BACKENDS["whisper.cpp"].env)
SECOND = 2 * 16_000
QUIET_SECOND = bytes(SECOND)


@pytest.fixture(scope="module")
def weights(installed: Callable[[str], InstalledModel]) -> Path:
    return Path(installed("whisper:tiny").files["weights"])


@pytest.fixture(scope="module")
def jfk(speech: Path) -> bytes:
    lines = (speech / "manifest.jsonl").read_text().splitlines()
    entry = next(entry for line in lines if (entry := json.loads(line))["set"] == "jfk")
    return decode((speech / entry["path"]).read_bytes(), max_duration_s=60).pcm


@pytest.fixture(scope="module")
def context(weights: Path) -> Iterator[WhisperContext]:
    made = WhisperContext(weights, gpu_device=None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def backend(weights: Path) -> Iterator[WhisperCpp]:
    made = load(weights)
    yield made
    made.close()


@dataclass
class Control:
    threads: int = 2
    cancelled: bool = False


def load(weights: Path, device: str = "cpu", **settings) -> WhisperCpp:
    model = Model(name="whisper:tiny", task=Task.SPEECH_TO_TEXT, backend="whisper.cpp", settings=settings)
    installed = InstalledModel(model=model, files={"weights": str(weights)})
    return WhisperCpp.load(LoadSpec(installed=installed, device=device, threads=2))


def run(backend: WhisperCpp, pcm: bytes, **fields) -> list[Segment]:
    request = TranscribeRequest(model=STT, waveform=Waveform(pcm=pcm), language="en", **fields)
    return [e for step in backend.transcribe(request, Control()) for e in step if isinstance(e, Segment)]


def hear(
    context: WhisperContext, pcm: bytes, options: DecodeOptions | None = None, cancelled=lambda: False
) -> DecodeResult:
    audio = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768
    return context.decode(audio, options or DecodeOptions(audio_ctx=512), (), 2, cancelled)


def text_of(heard: DecodeResult) -> str:
    return b"".join(token.data for token in heard.tokens).decode()


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "missing"])
def test_bad_model_file_is_an_error_and_not_a_crash(weights: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ggml-tiny.bin"
    match damage:
        case "cut":
            path.write_bytes(weights.read_bytes()[:-1000])
        case "empty":
            path.touch()
        case "other":
            path.write_bytes(b"<html>" * 1000)
    with pytest.raises(ModelLoad):
        load(path)


def test_model_without_a_gpu_build_is_refused_on_cuda_rather_than_run_on_the_cpu(weights: Path) -> None:
    if libwhisper.gpu_count(libwhisper.open_library()) != 0:
        pytest.skip("this whisper.cpp sees a GPU")
    with pytest.raises(ModelLoad, match="no GPU"):
        load(weights, device="cuda:0")


def test_unknown_setting_is_an_error(weights: Path) -> None:
    with pytest.raises(ModelLoad, match="beam_sizes"):
        load(weights, beam_sizes=3)


def test_another_version_of_the_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libwhisper, "VERSION", b"1.9.0")
    with pytest.raises(ModelLoad, match=r"1\.8\.5"):
        libwhisper.open_library.__wrapped__()


def test_another_layout_of_the_parameters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    library = libwhisper.open_library()

    fields = list(libwhisper.FullParams._fields_)
    fields[2], fields[3] = fields[3], fields[2]
    shifted = type("Shifted", (libwhisper.c.Structure,), {"_fields_": fields})
    monkeypatch.setattr(libwhisper, "FullParams", shifted)
    with pytest.raises(ModelLoad, match="laid out"):
        libwhisper._check_layout(library)


def test_empty_audio_does_not_return_the_previous_text(context: WhisperContext, jfk: bytes) -> None:
    assert "fellow" in text_of(hear(context, jfk[: 5 * SECOND]))
    assert "fellow" not in text_of(hear(context, b""))
    assert "fellow" not in text_of(hear(context, jfk[:100]))


def test_failure_of_the_runtime_is_an_error_and_not_an_empty_text(context: WhisperContext, jfk: bytes) -> None:
    with pytest.raises(Inference, match="-5"):
        hear(context, jfk, DecodeOptions(audio_ctx=1501))
    assert "fellow" in text_of(hear(context, jfk[: 5 * SECOND]))


@pytest.mark.parametrize("text", ["a" * 100_000, "\U0001f600" * 50_000, "[_EOT_]<|endoftext|>\x00 hello", "\ud800"])
def test_no_prompt_is_too_long_or_strange_for_the_tokenizer(context: WhisperContext, text: str) -> None:
    tokens = context.tokenize(text)
    assert len(tokens) <= context.max_prompt_tokens
    assert all(token < context.eot for token in tokens)


def test_too_many_beams_are_limited_and_not_silently_nothing(context: WhisperContext, jfk: bytes) -> None:
    assert "fellow" in text_of(
        hear(context, jfk[: 3 * SECOND], DecodeOptions(audio_ctx=256, beam_size=20, best_of=20, temperature_step=0))
    )


def test_full_context_holds_nothing_of_shorter_runs(context: WhisperContext, weights: Path, jfk: bytes) -> None:
    fresh = WhisperContext(weights, gpu_device=None)
    alone = hear(fresh, jfk[: 5 * SECOND], DecodeOptions())
    fresh.close()
    hear(context, jfk[5 * SECOND :], DecodeOptions(audio_ctx=1024))
    assert hear(context, jfk[: 5 * SECOND], DecodeOptions()) == alone


def test_probabilities_do_not_depend_on_what_ran_before(context: WhisperContext, jfk: bytes) -> None:
    first = hear(context, jfk[: 5 * SECOND])
    hear(context, jfk[6 * SECOND : 9 * SECOND], DecodeOptions(audio_ctx=256))
    assert hear(context, jfk[: 5 * SECOND]) == first
    assert first.no_speech_prob < 0.2 < hear(context, QUIET_SECOND * 3).no_speech_prob


def test_cancelling_ends_a_run_at_the_next_poll(context: WhisperContext, jfk: bytes) -> None:
    polls = 0

    def cancelled() -> bool:
        nonlocal polls
        polls += 1
        return polls >= 4

    with pytest.raises(Cancelled):
        hear(context, jfk, DecodeOptions(audio_ctx=768), cancelled)
    assert polls == 4
    assert "fellow" in text_of(hear(context, jfk[: 5 * SECOND]))


@pytest.mark.parametrize("detect_first", [True, False])
def test_times_are_the_files_own_whatever_ran_before(backend: WhisperCpp, jfk: bytes, detect_first: bool) -> None:
    recording = QUIET_SECOND * 6 + jfk[: 3 * SECOND] + QUIET_SECOND * 4 + jfk[8 * SECOND :]

    def times(detect: bool) -> tuple[float, float, float]:
        found = run(backend, recording, voice_detection=VoiceDetection(enabled=detect), word_timestamps=True)
        words = [word for segment in found for word in segment.words]
        ask = next(word for word in words if word.text.lower().startswith("ask"))
        return words[0].start_s, ask.start_s, words[-1].end_s

    by_detection = {detect: times(detect) for detect in (detect_first, not detect_first)}
    assert by_detection[True] == pytest.approx((6.4, 13.1, 15.7), abs=0.5)
    assert by_detection[False][2] == pytest.approx(15.7, abs=0.7)


def test_left_out_silence_still_counts(backend: WhisperCpp, jfk: bytes) -> None:
    found = run(backend, jfk[: 3 * SECOND] + QUIET_SECOND * 4 + jfk[8 * SECOND :], word_timestamps=True)
    assert found[-1].end_s == pytest.approx(9.7, abs=0.4)
    assert found[-1].words[-1].end_s == pytest.approx(9.7, abs=0.4)


def test_voice_detector_begins_with_a_clean_memory(jfk: bytes) -> None:
    samples = np.frombuffer(jfk, np.int16)
    heard = []
    for _ in range(5):
        detector = SpeechDetector(libwhisper.open_library(), silero_path(), samples)
        detector.advance_to(len(samples))
        heard.append(detector.probabilities(0))
        detector.close()
    assert max(heard[0]) > 0.9
    assert all(probabilities == heard[0] for probabilities in heard)


def test_detector_gives_the_same_in_parts_as_in_one_go(jfk: bytes) -> None:
    samples = np.frombuffer(jfk, np.int16)
    whole, parts = (SpeechDetector(libwhisper.open_library(), silero_path(), samples) for _ in range(2))
    whole.advance_to(len(samples))
    for until in range(0, len(samples) + 7000, 7000):
        parts.advance_to(until)
    assert parts.probabilities(0) == whole.probabilities(0)
    assert parts.known == len(samples)


def test_loading_and_closing_leaves_no_memory_behind(weights: Path, jfk: bytes) -> None:
    resident = []
    for _ in range(6):
        backend = load(weights)
        run(backend, jfk[: 3 * SECOND])
        backend.close()
        del backend
        resident.append(psutil.Process().memory_info().rss)
    assert resident[-1] - resident[1] < 40e6  # the weights alone are 78 MB


def test_process_that_forgets_to_close_ends_well(weights: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from slimvoice.backends.whisper_cpp.decoder import DecodeOptions, WhisperContext\n"
        "context = WhisperContext(Path(sys.argv[1]), gpu_device=None)\n"
        "options = DecodeOptions(audio_ctx=256, max_tokens=5)\n"
        "context.decode(np.zeros(16000, np.float32), options, (), 1, lambda: False)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(weights)], capture_output=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_beam_search_hears_the_same_words(weights: Path, jfk: bytes) -> None:
    backend = load(weights, beam_size=3)
    assert "my fellow Americans" in joined_text(run(backend, jfk[: 4 * SECOND]))
    backend.close()
