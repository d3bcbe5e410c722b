"""Real voices, heard by a real recogniser: what was said comes back, evenly loud, without gaps, in time."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import cast

import jiwer
import msgspec
import numpy as np
import onnxruntime
import psutil
import pytest
from fake_models import STT, TTS
from whisper_normalizer.english import EnglishTextNormalizer

from slimvoice.audio.decode import decode
from slimvoice.audio.encode import Encoder
from slimvoice.backends.base import SpeechToText, TextToSpeech
from slimvoice.backends.kokoro.adapter import Kokoro
from slimvoice.backends.registry import backend_class
from slimvoice.errors import Cancelled, InvalidRequest
from slimvoice.speech import (
    AudioChunk,
    LoadSpec,
    Segment,
    SpeechDone,
    SynthesizeRequest,
    TranscribeRequest,
    Waveform,
    joined_text,
)
from slimvoice.text.voices import OPENAI_VOICES

VOICES = ("kokoro", "piper:en_US-joe-medium")
SIXTY_WORDS = (
    "When the old lighthouse keeper finally retired after forty years of watching ships pass safely through the narrow "
    "strait, the whole village gathered on the pier to thank him, singing songs that their grandparents had taught "
    "them, while the evening sun slowly sank behind the distant hills and the first stars appeared above the quiet "
    "and peaceful sea once again."
)
# Text, and how it sounds where the normaliser cannot know.
SENTENCES = {
    "Dr. Smith paid $1,234.56 on 3/4/2025 at 5:30 p.m.": "Dr Smith paid $1234.56 on March 4th 2025 at 5 30 pm",
    "Can you come to the meeting on Tuesday at 10:15 a.m.?": "Can you come to the meeting on Tuesday at 10 15 am",
    "The quick brown fox jumps over the lazy dog.": "",
    "In 1984, Mr. Jones bought 23 acres of land for $5 million.": "",
    "What time does the next train to San Francisco leave?": "",
    "The U.S. economy grew by 2.5% in the 3rd quarter of 2023.": "",
    "Please call 555-0123, e.g. before noon, and ask for Mrs. Brown.": (
        "Please call 5550123 for example before noon and ask for Mrs Brown"
    ),
    "It is 72°F outside, and there is a 40% chance of rain.": (
        "It is 72 degrees fahrenheit outside and there is a 40% chance of rain"
    ),
    "Are you sure about that? They said that it weighs 12.5 kg!": (
        "Are you sure about that? They said that it weighs 12.5 kilograms"
    ),
    SIXTY_WORDS: "",
}
EVEN = (
    "The first boat left the harbour early in the morning. The second boat followed it about an hour later. "
    "The third boat waited for the wind to turn to the south. The fourth boat stayed at home for the whole day."
)
_normalise = EnglishTextNormalizer()


def canonical(text: str) -> str:
    """Return `text` with times and telephone numbers spelled one way, as OpenAI's normaliser leaves the rest."""
    text = re.sub(r"(\d{1,2})[.: ]?(\d\d) ?([ap])\.?m\b\.?", r"\1 \2 \3m", text, flags=re.I)
    text = re.sub(r"(\d{1,2})(?::00)? ?([ap])\.?m\b\.?", r"\1 \2m", text, flags=re.I)
    text = re.sub(r"(?<=\d{3})[- ](?=\d{4}\b)", "", text)
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text.replace("third quarter", "3 quarter"))
    text = re.sub(r"\b(?:[A-Z]\.){2,}", lambda match: match[0].replace(".", ""), text)
    return cast(str, _normalise(text.replace("°F", " degrees Fahrenheit")))


@dataclass
class Control:
    threads: int = 2
    cancelled: bool = False


@dataclass(frozen=True)
class Said:
    """A whole synthesis."""

    chunks: list[AudioChunk]
    done: SpeechDone
    ready_s: list[float] = field(default_factory=list)
    """CPU seconds until each chunk."""

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.frombuffer(chunk.waveform.pcm, "<i2") for chunk in self.chunks]).astype(np.float64)

    @property
    def sample_rate(self) -> int:
        return self.chunks[0].waveform.sample_rate


def say(backend: TextToSpeech, text: str, control: Control | None = None, **fields) -> Said:
    chunks: list[AudioChunk] = []
    ready: list[float] = []
    done: list[SpeechDone] = []
    started = time.process_time()
    for events in backend.synthesize(SynthesizeRequest(model=TTS, text=text, **fields), control or Control()):
        for event in events:
            if isinstance(event, AudioChunk):
                chunks.append(event)
                ready.append(time.process_time() - started)
            else:
                done.append(event)
    return Said(chunks, done[0], ready)


@pytest.fixture(scope="module", params=VOICES)
def voice(request: pytest.FixtureRequest, installed) -> Iterator[TextToSpeech]:
    onnxruntime.set_seed(7)  # Piper draws noise
    model = installed(request.param)
    backend = cast(TextToSpeech, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2, slots=2)))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def hear(installed):
    """Return a function that transcribes what was said, with whisper:base."""
    model = installed("whisper:base")
    backend = cast(SpeechToText, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2)))

    def transcribe(said: Said, language: str = "en") -> str:
        encoder = Encoder("wav", said.sample_rate)
        wav = b"".join([*(encoder.feed(chunk.waveform.pcm) for chunk in said.chunks), encoder.finish()])
        waveform: Waveform = decode(wav, max_duration_s=600)
        request = TranscribeRequest(model=STT, waveform=waveform, language=language)
        return joined_text(
            [e for events in backend.transcribe(request, Control()) for e in events if isinstance(e, Segment)]
        )

    yield transcribe
    backend.close()


@pytest.mark.parametrize("text", SENTENCES, ids=lambda text: text[:30])
def test_what_is_said_is_heard(voice: TextToSpeech, hear, text: str) -> None:
    heard: list[str] = []
    for _ in range(2):  # Piper draws noise: no two takes are alike, and one may slur a word
        heard.append(hear(say(voice, text)))
        if jiwer.wer(canonical(SENTENCES[text] or text), canonical(heard[-1])) <= 0.1:
            return
    pytest.fail(f"heard {heard}")


@pytest.fixture(scope="module")
def even(voice: TextToSpeech) -> Said:
    """Four sentences alike."""
    return say(voice, EVEN)


def test_pieces_are_equally_loud(even: Said) -> None:
    levels = []
    for chunk in even.chunks:
        samples = np.frombuffer(chunk.waveform.pcm, "<i2").astype(np.float64)
        loud = samples[np.abs(samples) > 300]
        levels.append(20 * np.log10(np.sqrt(np.mean(loud**2))))
    assert len(levels) >= 3
    assert max(levels) - min(levels) < 4, levels


def test_speech_is_loud_enough_and_does_not_clip(even: Said) -> None:
    samples = even.samples
    assert np.mean(np.abs(samples) >= 32767) < 1e-4
    assert 20 * np.log10(np.sqrt(np.mean(samples**2)) / 32767) > -32


def test_pauses_between_pieces_are_a_readers(even: Said) -> None:
    said, rate = even, even.sample_rate
    frames = (
        np.abs(said.samples[: len(said.samples) // (rate // 100) * (rate // 100)]).reshape(-1, rate // 100).max(axis=1)
    )
    at = 0
    for chunk in said.chunks[:-1]:
        at += len(chunk.waveform.pcm) // 2
        joint = at * 100 // rate
        before = np.flatnonzero(frames[:joint] > 300)[-1]
        after = joint + np.flatnonzero(frames[joint:] > 300)[0]
        assert 0.25 <= (after - before) / 100 <= 0.9
    assert np.flatnonzero(frames > 300)[-1] >= len(frames) - 30, "no long silence at the end"


def test_there_is_no_click_at_a_joint(even: Said) -> None:
    said = even
    steps = np.abs(np.diff(said.samples))
    at = 0
    for chunk in said.chunks[:-1]:
        at += len(chunk.waveform.pcm) // 2
        assert steps[at - 200 : at + 200].max() < 1500


def test_first_audio_of_sixty_words_comes_early(voice: TextToSpeech) -> None:
    said = say(voice, SIXTY_WORDS)
    assert len(said.chunks) >= 2
    limit = 0.35 if len(said.chunks) > 2 else 0.6  # Piper is so fast that it starts with a longer piece
    assert said.ready_s[0] < limit * said.ready_s[-1]


def test_words_are_where_a_recogniser_hears_silence_between_them(voice: TextToSpeech) -> None:
    said = say(voice, "Stop! Then wait. Now go on, as fast as you can, to the end of the road.", word_timestamps=True)
    words = [word for chunk in said.chunks for word in chunk.words]
    assert words[0].text == "Stop!"
    rate = said.sample_rate
    for word in words:
        sound = said.samples[int(word.start_s * rate) : int(word.end_s * rate)]
        assert np.abs(sound).max() > 600, word
    gaps = {before.text: after.start_s - before.end_s for before, after in pairwise(words)}
    assert min(gaps["Stop!"], gaps["wait."]) > gaps["fast"]


@pytest.mark.parametrize("speed", [0.25, 4.0])
def test_speed_holds_over_its_whole_range(voice: TextToSpeech, speed: float) -> None:
    text = "This is read at several speeds."
    normal, changed = say(voice, text).done.duration_s, say(voice, text, speed=speed).done.duration_s
    assert changed * speed == pytest.approx(normal, rel=0.2)


def test_half_and_double_speed_are_still_understood(voice: TextToSpeech, hear) -> None:
    text = "Please close the window before you leave the house tonight."
    for speed in (0.5, 2.0):
        takes = [canonical(hear(say(voice, text, speed=speed))) for _ in range(2)]
        assert min(jiwer.wer(canonical(text), take) for take in takes) <= 0.3, takes


def test_fast_speech_swallows_no_syllables(voice: TextToSpeech, hear) -> None:
    texts = (
        "The doctor asked him to drink more water and sleep longer.",
        "A heavy storm is expected along the coast tomorrow evening.",
        "They painted the old garden fence in a bright shade of green.",
    )
    heard = [canonical(hear(say(voice, text, speed=1.5))) for text in texts]
    assert jiwer.wer([canonical(text) for text in texts], heard) <= 0.12, heard


def test_a_running_step_ends_soon_after_cancelling(voice: TextToSpeech) -> None:
    control = Control()
    text = " ".join(["seven hundred and seventy seven thousand"] * 4)
    alone = time.monotonic()
    say(voice, text)
    alone = time.monotonic() - alone
    timer = threading.Timer(alone / 10, lambda: setattr(control, "cancelled", True))
    timer.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        say(voice, text, control)
    assert time.monotonic() - started < alone


def test_memory_does_not_grow_with_the_text(installed) -> None:
    process = psutil.Process()
    model = installed("piper:en_US-joe-medium")
    backend = cast(TextToSpeech, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2)))
    say(backend, SIXTY_WORDS)
    before = process.memory_info().rss
    say(backend, " ".join([SIXTY_WORDS] * 5))
    assert process.memory_info().rss - before < 50e6
    backend.close()


def test_loading_needs_no_second_copy_of_the_weights(installed) -> None:
    model = installed("kokoro")
    size = Path(model.files["weights"]).stat().st_size
    program = (
        "import sys, msgspec, numpy, onnxruntime, resource\n"
        "from slimvoice.backends.kokoro.adapter import Kokoro\n"
        "from slimvoice.speech import LoadSpec\n"
        "spec = msgspec.json.decode(sys.argv[1], type=LoadSpec)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "Kokoro.load(spec)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)\n"
    )
    spec = msgspec.json.encode(LoadSpec(installed=model, threads=2)).decode()
    grown = subprocess.run([sys.executable, "-c", program, spec], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 2.2 * size


def test_voices_mix_between_their_parents(installed) -> None:
    model = installed("kokoro")
    backend = cast(TextToSpeech, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2)))
    text = "Good morning."
    bella, sky, mix = (say(backend, text, voice=name).samples for name in ("af_bella", "am_onyx", "af_bella+am_onyx"))
    again = say(backend, text, voice="am_onyx(5)+af_bella(5)").samples
    assert not np.array_equal(mix[: len(bella)], bella[: len(mix)])
    assert not np.array_equal(mix[: len(sky)], sky[: len(mix)])
    assert np.array_equal(mix, again), "weights are normalised and their order does not matter"
    backend.close()


def test_a_british_voice_speaks_british(installed) -> None:
    model = installed("kokoro")
    backend = backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2))
    steps = cast(TextToSpeech, backend).synthesize(
        SynthesizeRequest(model=TTS, text="Tomato.", voice="bf_emma"), Control()
    )
    assert [type(event) for events in steps for event in events] == [AudioChunk, SpeechDone]
    backend.close()


def test_mandarin_is_understood(installed, hear) -> None:
    model = installed("kokoro")
    backend = cast(TextToSpeech, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2)))
    simplified = str.maketrans("氣歡圖書館學東邊開廳燈園裡", "气欢图书馆学东边开厅灯园里")  # whisper writes either
    texts = ("图书馆在学校的东边。", "我喜欢喝咖啡，也喜欢喝茶。", "请把客厅的灯打开。", "小狗在院子里跑来跑去。")  # noqa: RUF001 - its own mark
    heard = [hear(say(backend, text, voice="zf_xiaoxiao"), "zh").translate(simplified) for text in texts]
    assert jiwer.cer(*(re.sub(r"\W", "", "".join(parts)) for parts in (texts, heard))) <= 0.15, heard
    backend.close()


def test_kanji_are_refused_and_not_read_as_chinese_letter(installed) -> None:
    model = installed("kokoro")
    backend = cast(TextToSpeech, backend_class(model.model.backend).load(LoadSpec(installed=model, threads=2)))
    with pytest.raises(InvalidRequest) as caught:
        say(backend, "こんにちは。今日は。", voice="jf_alpha")
    assert caught.value.param == "input"
    assert say(backend, "こんにちは。", voice="jf_alpha").done.duration_s > 0.5
    backend.close()


def test_every_catalogued_kokoro_voice_is_there(installed) -> None:
    model = installed("kokoro")
    files = {path.stem for path in Path(model.files["voices"]).glob("*.bin")}
    assert {voice.id for voice in model.model.voices} == files
    assert len(files) == 54


def test_text_in_another_script_is_read_by_a_voice_of_its_language_or_refused(voice: TextToSpeech) -> None:
    text = "你好吗？"  # noqa: RUF001 - its own mark
    if not isinstance(voice, Kokoro):
        with pytest.raises(InvalidRequest) as caught:
            say(voice, text)
        assert "kokoro" in caught.value.hint
        return
    with pytest.raises(InvalidRequest) as caught:
        say(voice, text, voice="af_heart")
    assert "zf_xiaobei" in caught.value.hint
    with pytest.raises(InvalidRequest) as caught:
        say(voice, "Привет, мир", voice="alloy")
    assert "piper:ru_RU" in caught.value.hint
    chinese = say(voice, text, voice="zf_xiaobei").samples
    assert any(np.array_equal(say(voice, text, voice=name).samples, chinese) for name in OPENAI_VOICES)
    mixed = say(voice, f"Here is a sentence in English. {text} And it goes on.", voice="alloy")
    assert [chunk.text for chunk in mixed.chunks] == ["Here is a sentence in English.", text, "And it goes on."]
