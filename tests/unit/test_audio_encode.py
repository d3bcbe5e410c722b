"""Encoding speech: six formats, as a stream and whole."""

import io
import struct
import wave
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimvoice.audio.decode import decode, decode_raw
from slimvoice.audio.encode import FORMATS, Encoder, audio_format, encode
from slimvoice.audio.resample import Resampler
from slimvoice.errors import InvalidRequest
from slimvoice.speech import Waveform

PADDING_S = {"mp3": 0.11, "aac": 0.15}
"""Codecs whose blocks pad start and end, where a stream cannot say so."""


def stream(pcm: bytes, name: str, sample_rate: int, step_s: float = 0.2) -> list[bytes]:
    encoder = Encoder(name, sample_rate)
    step = round(step_s * sample_rate) * 2
    return [*(encoder.feed(pcm[start : start + step]) for start in range(0, len(pcm), step)), encoder.finish()]


def decoded(data: bytes, name: str) -> Waveform:
    if name == "pcm":
        return decode_raw(data, source_rate=24_000, max_duration_s=60)
    return decode(data, max_duration_s=60)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 24_000])
@pytest.mark.parametrize("name", FORMATS)
def test_streamed_speech_decodes_to_the_same_tone_and_length(name, sample_rate, tone, pitch):
    waveform = decoded(b"".join(stream(tone(1.0, sample_rate), name, sample_rate)), name)
    hertz, level = pitch(waveform.pcm, waveform.sample_rate)
    assert waveform.duration_s == pytest.approx(1.0, abs=PADDING_S.get(name, 0.002))
    assert hertz == pytest.approx(440, abs=5)
    assert level == pytest.approx(0.25 / 2**0.5, rel=0.06)


@pytest.mark.parametrize("name", FORMATS)
def test_whole_file_decodes_to_the_same_tone_and_length(name, tone, pitch):
    waveform = decoded(encode(Waveform(pcm=tone(1.0, 24_000), sample_rate=24_000), name), name)
    assert waveform.duration_s == pytest.approx(1.0, abs=0.11 if name == "aac" else 0.002)
    assert pitch(waveform.pcm, 16_000)[0] == pytest.approx(440, abs=5)


@pytest.mark.parametrize("name", FORMATS)
def test_audio_leaves_while_it_is_made(name, tone):
    parts = stream(tone(2.0, 24_000), name, 24_000)
    assert len(parts[0]) > 100
    assert all(parts[:-1])
    assert len(parts[-1]) < sum(map(len, parts)) / 4


@pytest.mark.parametrize("name", FORMATS)
def test_speech_without_samples_is_a_file_without_samples(name):
    encoder = Encoder(name, 24_000)
    data = encoder.feed(b"") + encoder.finish()
    if name in {"wav", "flac"}:
        assert decoded(data, name).duration_s == 0
    assert len(data) < 1000


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 4000), max_size=8), name=st.sampled_from(sorted(FORMATS)))
def test_bytes_do_not_depend_on_how_the_pcm_was_cut(cuts, name):
    pcm = bytes(range(256)) * 16
    edges = [0, *sorted(cuts), len(pcm)]
    one, many = Encoder(name, 24_000), Encoder(name, 24_000)
    whole = one.feed(pcm) + one.finish()
    pieces = [many.feed(pcm[start:end]) for start, end in pairwise(edges)]
    joined = b"".join(pieces) + many.finish()
    if name == "opus":  # each stream has its own serial number
        assert len(joined) == len(whole)
    else:
        assert joined == whole


def test_wav_stream_says_it_goes_on_until_its_end(tone):
    data = b"".join(stream(tone(0.5, 24_000), "wav", 24_000))
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert struct.unpack("<I", data[40:44]) == (0xFFFFFFFF,)
    assert data[44:] == tone(0.5, 24_000)


def test_whole_wav_states_its_length(tone):
    with wave.open(io.BytesIO(encode(Waveform(pcm=tone(0.5, 22_050), sample_rate=22_050), "wav"))) as file:
        assert file.getparams()[:4] == (1, 2, 22_050, 11_025)
        assert file.readframes(20_000) == tone(0.5, 22_050)


def test_pcm_is_24_khz_as_openai_sends_it(tone):
    assert b"".join(stream(tone(1.0, 24_000), "pcm", 24_000)) == tone(1.0, 24_000)
    assert len(b"".join(stream(tone(1.0, 16_000), "pcm", 16_000))) == pytest.approx(48_000, abs=20)


@pytest.mark.parametrize(
    ("name", "source_rate", "expected"),
    [("opus", 22_050, 24_000), ("opus", 24_000, 24_000), ("mp3", 22_050, 22_050), ("aac", 96_000, 48_000),
     ("wav", 22_050, 22_050), ("flac", 44_100, 44_100), ("pcm", 16_000, 24_000)],
)  # fmt: skip
def test_rate_is_the_lowest_that_loses_nothing(name, source_rate, expected):
    assert FORMATS[name].rate_for(source_rate) == expected


def test_content_types_are_those_that_browsers_play():
    assert {name: Encoder(name, 24_000).content_type for name in FORMATS} == {
        "mp3": "audio/mpeg",
        "opus": "audio/ogg",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }


def test_unknown_format_names_the_field_and_the_choices():
    with pytest.raises(InvalidRequest) as caught:
        audio_format("au")
    assert caught.value.param == "response_format"
    assert "mp3" in caught.value.hint


@pytest.mark.parametrize(("source_rate", "sample_rate"), [(24_000, 16_000), (16_000, 24_000), (22_050, 24_000)])
def test_resampled_stream_is_that_of_the_whole(source_rate, sample_rate, tone, pitch):
    pcm = tone(1.0, source_rate)
    one, many = Resampler(source_rate, sample_rate), Resampler(source_rate, sample_rate)
    whole = one.feed(pcm) + one.flush()
    pieces = b"".join(many.feed(pcm[start : start + 1000]) for start in range(0, len(pcm), 1000)) + many.flush()
    assert pieces == whole
    assert len(whole) / 2 == pytest.approx(sample_rate, abs=20)
    assert pitch(whole, sample_rate)[0] == pytest.approx(440, abs=3)
