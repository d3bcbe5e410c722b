"""Decode whatever a client uploads into a Waveform, in memory, within hard bounds.

PyAV (FFmpeg) does the work: browsers send WebM/Opus, phones MP4/AAC, and no smaller library reads both. An upload
is hostile until proven otherwise, so FFmpeg gets a fixed list of containers (none that names other files, such as
HLS, DASH or concat), no protocol, and no way to open anything but the bytes at hand.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from slimvoice.audio.channels import ChannelChooser
from slimvoice.audio.file_clock import FileClock
from slimvoice.audio.resample import FrameResampler, Resampler
from slimvoice.errors import InvalidAudio, TooLarge
from slimvoice.speech import STT_SAMPLE_RATE, Waveform

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

CONTAINERS = (
    "wav,w64,mp3,mov,aac,ogg,matroska,flac,aiff,caf,au,amr,asf,mpeg,mpegts,"
    "avi,flv,wv,tta,voc,ac3,eac3,rm,mxf,loas,wtv,nut,ircam,sox,nistsphere"
)
"""FFmpeg's names of the containers that are accepted; `mov` is also MP4, M4A and 3GP, `matroska` also WebM."""

FORMATS_HINT = "send WAV, MP3, M4A/MP4, AAC, OGG, WebM, FLAC or AIFF audio"

LOSSLESS_CODECS = frozenset({"flac", "alac", "wavpack", "tta"})
"""Codecs that check their own data and state its length: what does not add up was damaged."""

LOSSLESS_TOLERANCE_S = 0.001

MAX_BAD_PACKETS = 0.05
"""Share of packets of a lossy codec that may be damaged; a cut-off end or a lost page costs less."""

MIN_RATE, MAX_RATE, MAX_CHANNELS = 1_000, 768_000, 64
"""Outside of these a header is wrong, or means to make a small file grow."""

log = logging.getLogger(__name__)


def decode(data: bytes | BinaryIO, *, max_duration_s: float, sample_rate: int = STT_SAMPLE_RATE) -> Waveform:
    """Return `data` (any common container and codec) as mono audio at `sample_rate`.

    Decodes as a stream and stops at `max_duration_s`, whatever the header claims: memory is bounded by that length.
    Raises InvalidAudio for what is empty, not audio, or damaged, and TooLarge for what is too long. A sound file
    of no length is a Waveform of no length, and a cut-off end is logged and forgiven.
    """
    from av.error import FFmpegError

    source = _Source(data)
    if source.is_empty():
        raise _invalid("the audio file is empty")
    try:
        container = _open(source)
    except (FFmpegError, _OpenRefused) as error:
        raise _invalid("the file is not audio that can be decoded", detail=str(error)) from error
    with container:
        try:
            frames = _frames(container, _audio_stream(container))
            pcm = _decode_stream(frames, FileClock(container), sample_rate, max_duration_s)
        except (FFmpegError, _OpenRefused) as error:
            raise _invalid("the audio is damaged", detail=str(error)) from error
        claimed_s = (container.duration or 0) / 1e6
    waveform = Waveform(pcm=pcm, sample_rate=sample_rate)
    if not pcm and claimed_s > 0:
        raise _invalid("the file has a header but no audio")
    if waveform.duration_s < claimed_s * 0.9:
        log.warning("audio cut short: the header claims %.1f s, %.1f s are there", claimed_s, waveform.duration_s)
    return waveform


def decode_raw(pcm: bytes, *, source_rate: int, max_duration_s: float, sample_rate: int = STT_SAMPLE_RATE) -> Waveform:
    """Return headerless mono int16 little-endian PCM as a Waveform; only for callers told its rate by a protocol."""
    if not MIN_RATE <= source_rate <= MAX_RATE:
        raise _invalid(f"a sample rate of {source_rate} Hz is not possible")
    if len(pcm) % 2:
        raise _invalid("raw PCM must be whole 16-bit samples")
    if len(pcm) / 2 / source_rate > max_duration_s:
        raise _too_long(max_duration_s)
    resampler = Resampler(source_rate, sample_rate)
    return Waveform(pcm=resampler.feed(pcm) + resampler.flush(), sample_rate=sample_rate)


class _OpenRefused(Exception):
    """A container asked for another file."""


class _Source:
    """The upload as FFmpeg sees it: bytes only. No name, as FFmpeg guesses formats and base folders from one."""

    def __init__(self, data: bytes | BinaryIO) -> None:
        if isinstance(data, bytes):
            self._file: BinaryIO = io.BytesIO(data)
        elif data.seekable():
            self._file = data
        else:  # an MP4's index often stands at its end
            self._file = io.BytesIO(data.read())
        self.read = self._file.read
        self.seek = self._file.seek
        self.tell = self._file.tell

    def is_empty(self) -> bool:
        start = self._file.tell()
        empty = not self._file.read(1)
        self._file.seek(start)
        return empty


def _open(source: _Source) -> InputContainer:
    import av

    return av.open(
        source,
        "r",
        options={"format_whitelist": CONTAINERS, "protocol_whitelist": "none"},
        metadata_errors="replace",
        io_open=_refuse_open,
    )


def _refuse_open(url: str, _flags: int, _options: dict[str, str]) -> BinaryIO:
    raise _OpenRefused(url)


def _audio_stream(container: InputContainer) -> AudioStream:
    from av.audio.stream import AudioStream

    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        raise _invalid("the file has no audio track")
    codec: AudioCodecContext | None = stream.codec_context
    if codec is None:
        raise _invalid("the audio track is in a codec that is not known")
    if not MIN_RATE <= codec.sample_rate <= MAX_RATE or not 1 <= codec.channels <= MAX_CHANNELS:
        raise _invalid(f"the audio claims {codec.channels} channels at {codec.sample_rate} Hz")
    return stream


def _decode_stream(frames: Iterator[AudioFrame], clock: FileClock, sample_rate: int, max_duration_s: float) -> bytes:
    samples = _Samples(sample_rate, max_duration_s)
    chooser = ChannelChooser()
    for frame in frames:
        if frame.samples / frame.sample_rate > max_duration_s:  # one block that resampling would blow up
            raise _too_long(max_duration_s)
        if gap_s := clock.gap_before(frame):
            samples.add(chooser.flush())
            samples.add_silence(gap_s)
        samples.add(chooser.feed(frame))
    samples.add(chooser.flush())
    return samples.finish()


class _Samples:
    """The mono int16 PCM that is made of frames, bounded in length."""

    def __init__(self, sample_rate: int, max_duration_s: float) -> None:
        self._max_duration_s = max_duration_s
        self._max_bytes = round(max_duration_s * sample_rate) * 2
        self._resampler = FrameResampler(sample_rate)
        self._pcm = io.BytesIO()  # hands its buffer over without a copy

    def add(self, frames: Iterator[tuple[AudioFrame, int | None]]) -> None:
        """Resample frames, each of all channels or of the one that is chosen; raises TooLarge."""
        for frame, channel in frames:
            self._pcm.write(self._resampler.feed(frame, channel))
            self._check()

    def add_silence(self, seconds: float) -> None:
        """Leave a gap; raises TooLarge before any memory is taken for it."""
        self._pcm.write(self._resampler.flush())
        self._pcm.seek(round(seconds * self._resampler.sample_rate) * 2, io.SEEK_CUR)
        self._check()

    def finish(self) -> bytes:
        """Return the whole."""
        self._pcm.write(self._resampler.flush())
        return self._pcm.getvalue()

    def _check(self) -> None:
        if self._pcm.tell() > self._max_bytes:
            raise _too_long(self._max_duration_s)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Yield the frames that decode; raise InvalidAudio when more is damaged than the codec may lose."""
    if stream.codec_context.name in LOSSLESS_CODECS:
        return _lossless_frames(container, stream)
    return _lossy_frames(container, stream)


def _lossless_frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    from av.codec.context import Flags2

    codec = stream.codec_context
    codec.options = {"err_detect": "crccheck+explode"}  # else a wrong checksum is only noise
    if container.format.name == "caf":  # its last packet may hold no padding, and would be shortened all the same
        codec.flags2 |= Flags2.skip_manual.value
    seconds = 0.0
    for packet in container.demux(stream):
        for frame in packet.decode():
            seconds += frame.samples / frame.sample_rate
            yield frame
    claimed_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    if seconds < claimed_s - _length_tolerance_s(container, stream):  # FFmpeg passes over blocks it cannot make out
        raise _invalid("the audio is damaged", detail=f"{seconds} of {claimed_s} seconds decode")


def _length_tolerance_s(container: InputContainer, stream: AudioStream) -> float:
    """Return how much shorter than stated the sound may be: a CAF states its length in whole packets."""
    if container.format.name == "caf":
        return stream.codec_context.frame_size / stream.codec_context.sample_rate
    return LOSSLESS_TOLERANCE_S


def _lossy_frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    from av.error import FFmpegError

    packets, bad = 0, 0
    for packet in container.demux(stream):
        packets += 1
        try:
            frames = packet.decode()
        except FFmpegError:
            bad += 1
            continue
        yield from (frame for frame in frames if frame.samples)
    if bad > packets * MAX_BAD_PACKETS:
        raise _invalid("the audio is damaged", detail=f"{bad} of {packets} packets do not decode")
    if bad:
        log.warning("audio partly damaged: %d of %d packets do not decode", bad, packets)


def _invalid(message: str, detail: str = "") -> InvalidAudio:
    return InvalidAudio(message, hint=FORMATS_HINT, param="file", detail=detail)


def _too_long(max_duration_s: float) -> TooLarge:
    return TooLarge(
        f"the audio is longer than {max_duration_s:g} seconds",
        hint="split it, or raise SLIMVOICE_MAX_AUDIO_S",
        param="file",
    )
