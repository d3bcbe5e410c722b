"""Encode speech as a stream: feed mono int16 PCM, get bytes that can be sent at once.

Each format flushes early, so that a player starts with the first sentence. WAV and PCM are written here (a header
and bytes); the codecs are FFmpeg's, through PyAV, which resamples where one needs it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from slimvoice.audio.resample import MAX_BLOCK_SAMPLES, Resampler, frame_of
from slimvoice.errors import InvalidRequest
from slimvoice.speech import Waveform

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

UNKNOWN_LENGTH = 0xFFFFFFFF
"""RIFF sizes of a WAV whose end is not known yet: players read until the stream ends (FFmpeg and OpenAI do so too)."""

WAV_HEADER_BYTES = 44


class AudioFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One output format; `rates` are those its codec takes, lowest first (empty: the source's own)."""

    content_type: str
    rates: tuple[int, ...] = ()
    container: str = ""
    codec: str = ""
    bit_rate: int | None = None
    muxer_options: dict[str, str] = {}

    def rate_for(self, source_rate: int) -> int:
        """Return the lowest rate that loses nothing, else the highest there is."""
        if not self.rates or source_rate in self.rates:
            return source_rate
        return next((rate for rate in self.rates if rate > source_rate), self.rates[-1])


_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

FORMATS: Mapping[str, AudioFormat] = MappingProxyType(
    {
        "mp3": AudioFormat(
            content_type="audio/mpeg",
            rates=_MPEG_RATES,
            container="mp3",
            codec="libmp3lame",
            bit_rate=64_000,
            muxer_options={"id3v2_version": "0"},
        ),
        "opus": AudioFormat(
            content_type="audio/ogg",
            rates=(8_000, 12_000, 16_000, 24_000, 48_000),
            container="ogg",
            codec="libopus",
            bit_rate=40_000,
            muxer_options={"page_duration": "20000", "flush_packets": "1"},  # pages of 20 ms, not of a second
        ),
        "aac": AudioFormat(content_type="audio/aac", rates=_MPEG_RATES, container="adts", codec="aac", bit_rate=64_000),
        "flac": AudioFormat(
            content_type="audio/flac", container="flac", codec="flac", muxer_options={"metadata_header_padding": "0"}
        ),
        "wav": AudioFormat(content_type="audio/wav"),
        "pcm": AudioFormat(content_type="audio/pcm", rates=(24_000,)),  # OpenAI's: 24 kHz, mono, int16 little-endian
    }
)


class Encoder:
    """Encodes one stream of mono int16 PCM at `sample_rate`: `feed` chunks, then `finish` once.

    `finish` may return bytes that complete the file. Raises InvalidRequest for an unknown format.
    """

    def __init__(self, format_name: str, sample_rate: int) -> None:
        self.format = audio_format(format_name)
        self.content_type = self.format.content_type
        self.sample_rate = sample_rate
        self._rest = b""
        self._codec = (
            _CodecWriter(self.format, sample_rate, _Pipe())
            if self.format.codec
            else _PcmWriter(format_name, sample_rate)
        )

    def feed(self, pcm: bytes) -> bytes:
        """Return what can be sent now, perhaps nothing; a sample split between two chunks is put together."""
        pcm = self._rest + pcm if self._rest else pcm
        whole = len(pcm) & ~1
        self._rest = pcm[whole:]
        return self._codec.write(pcm[:whole])

    def finish(self) -> bytes:
        """Return the end of the stream."""
        return self._codec.close()


def encode(waveform: Waveform, format_name: str) -> bytes:
    """Return a whole file, its header stating its length."""
    audio = audio_format(format_name)
    if not audio.codec:
        writer = _PcmWriter(format_name, waveform.sample_rate, total_bytes=len(waveform.pcm))
        return writer.write(waveform.pcm) + writer.close()
    file = io.BytesIO()
    codec = _CodecWriter(audio, waveform.sample_rate, file)
    codec.write(waveform.pcm)
    codec.close()
    return file.getvalue()


def audio_format(name: str) -> AudioFormat:
    """Return the format called `name`; raises InvalidRequest."""
    try:
        return FORMATS[name]
    except KeyError:
        raise InvalidRequest(
            f"unknown audio format {name!r}", hint=f"use one of {', '.join(FORMATS)}", param="response_format"
        ) from None


def wav_header(sample_rate: int, data_bytes: int | None = None) -> bytes:
    """Return the 44-byte header of a mono 16-bit WAV; no length given: one that says `until the end`."""
    size = UNKNOWN_LENGTH if data_bytes is None else min(data_bytes, UNKNOWN_LENGTH)
    riff_size = min(size + WAV_HEADER_BYTES - 8, UNKNOWN_LENGTH)
    fmt = struct.pack("<HHIIHH", 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff_size, b"WAVE", b"fmt ", len(fmt))
        + fmt
        + struct.pack("<4sI", b"data", size)
    )


class _PcmWriter:
    """Samples as they are, behind a header for WAV."""

    def __init__(self, format_name: str, sample_rate: int, total_bytes: int | None = None) -> None:
        rate = FORMATS[format_name].rate_for(sample_rate)
        self._resampler = Resampler(sample_rate, rate)
        self._header = wav_header(rate, total_bytes) if format_name == "wav" else b""

    def write(self, pcm: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + self._resampler.feed(pcm)

    def close(self) -> bytes:
        header, self._header = self._header, b""
        return header + self._resampler.flush()


class _Pipe:
    """A sink that cannot seek: what the muxer wrote since the last look. FFmpeg then writes headers for streams."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def take(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)


class _CodecWriter:
    """An FFmpeg encoder and muxer that write into `sink`."""

    def __init__(self, audio: AudioFormat, sample_rate: int, sink: _Pipe | BinaryIO) -> None:
        import av

        self._sink = sink
        self._sample_rate = sample_rate
        self._position = 0
        options = dict(audio.muxer_options)
        if audio.container == "mp3" and isinstance(sink, _Pipe):
            options["write_xing"] = "0"  # a summary frame that only a seek back could fill in
        self._container = av.open(sink, "w", format=audio.container, options=options)
        stream: Any = self._container.add_stream(audio.codec, rate=audio.rate_for(sample_rate))
        stream.layout = "mono"
        if audio.bit_rate:
            stream.bit_rate = audio.bit_rate
        self._stream = stream

    def write(self, pcm: bytes) -> bytes:
        step = MAX_BLOCK_SAMPLES * 2
        for start in range(0, len(pcm), step):
            frame = frame_of(pcm[start : start + step], self._sample_rate)
            frame.pts = self._position
            self._position += frame.samples
            self._encode(frame)
        return self._taken()

    def close(self) -> bytes:
        self._encode(None)
        self._container.close()
        return self._taken()

    def _encode(self, frame: AudioFrame | None) -> None:
        self._container.mux(self._stream.encode(frame))

    def _taken(self) -> bytes:
        return self._sink.take() if isinstance(self._sink, _Pipe) else b""
