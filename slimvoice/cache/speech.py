"""A SpeechProvider that caches synthesized speech.

It stands below the faces and keeps samples and word times, so that one synthesis serves every format and every face. A
file holds the events of one synthesis, each as its length (uint32, little-endian) and msgpack, then their CRC-32: a
file that lost its end with the machine's power is not trusted.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import BinaryIO

import msgspec
import structlog

import slimvoice
from slimvoice.cache.folder import CacheFolder, Draft
from slimvoice.metrics import SpeechCacheMetrics
from slimvoice.speech import (
    AudioChunk,
    Model,
    ProviderHealth,
    RequestContext,
    SpeechDone,
    SpeechProvider,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    TranscribeEvent,
    TranscribeRequest,
)

FORMAT = 1
"""Goes up whenever what a file holds changes."""
BLOCK_BYTES = 1 << 18

_LENGTH = struct.Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AudioChunk | SpeechDone] = msgspec.msgpack.Decoder(AudioChunk | SpeechDone)

log = structlog.get_logger(__name__)


_NO_MODEL = Model(name="", task=Task.TEXT_TO_SPEECH)


class SpeechCache:
    """Caches synthesized speech in `folder`; everything else is passed on to `provider`."""

    def __init__(self, provider: SpeechProvider, folder: CacheFolder, metrics: SpeechCacheMetrics) -> None:
        self._provider = provider
        self._folder = folder
        self._metrics = metrics

    async def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Yield cached speech, or the provider's, which is cached once it is complete.

        A model without a fingerprint may be another one tomorrow: what it says is not kept.
        """
        if not request.model.fingerprint:
            async with aclosing(self._provider.synthesize(request)) as events:
                async for event in events:
                    yield event
            return
        name = _name(request)
        kept = await asyncio.to_thread(self._open, name)
        self._metrics.asked(hit=kept is not None)
        async with aclosing(self._recorded(name, request) if kept is None else _replayed(kept)) as events:
            async for event in events:
                yield event

    def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Yield segments and progress as they are ready, TranscriptDone last."""
        return self._provider.transcribe(request)

    def models(self) -> Sequence[Model]:
        """Return the models that can serve now."""
        return self._provider.models()

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name means; raises ModelNotFound or ModelNotPulled."""
        return await self._provider.resolve(name, task)

    async def health(self) -> ProviderHealth:
        """Return whether the provider would take work."""
        return await self._provider.health()

    def _open(self, name: str) -> BinaryIO | None:
        """Return the file at its first event; one that is damaged goes."""
        file = self._folder.open(name)
        if file is None or _is_whole(file):
            return file
        file.close()
        log.warning("damaged speech in the cache is made anew")
        self._folder.drop(name)
        return None

    async def _recorded(self, name: str, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Pass the provider's events on and record them; a client that leaves early leaves nothing behind."""
        recorder = _Recorder(self._folder, name)
        try:
            async with aclosing(self._provider.synthesize(request)) as events:
                async for event in events:
                    await asyncio.to_thread(recorder.take, event)  # its reader may go at once after the last one
                    yield event
        finally:
            recorder.close()


def _name(request: SynthesizeRequest) -> str:
    """Return the file's name: a hash of all that may change the sound, so every field that is not known not to."""
    model = request.model
    asked = msgspec.structs.replace(
        request,
        model=_NO_MODEL,
        instructions=request.instructions if model.capabilities.instructions else "",
        context=RequestContext(),
    )
    return hashlib.sha256(_encoder.encode((FORMAT, slimvoice.__version__, model.fingerprint, asked))).hexdigest()


class _Recorder:
    """Writes one synthesis; a disk that does not take it costs the cache, not the request."""

    def __init__(self, folder: CacheFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._draft: Draft | None = None
        self._checksum = 0
        self._given_up = False

    def take(self, event: SynthesizeEvent) -> None:
        """Write an event; the last one makes the file appear."""
        if self._given_up:
            return
        try:
            if self._draft is None:  # the first event: nothing is written for what is refused
                self._draft = self._folder.draft(self._name)
            body = _encoder.encode(event)
            self._write(self._draft, _LENGTH.pack(len(body)) + body)
            if isinstance(event, SpeechDone):
                self._write(self._draft, _LENGTH.pack(self._checksum))
                self._draft.keep()
        except OSError as error:
            log.warning("speech was not cached", error=error.strerror or str(error))
            self._given_up = True

    def close(self) -> None:
        """Delete what is not whole."""
        if self._draft is not None:
            self._draft.discard()

    def _write(self, draft: Draft, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        draft.write(data)


async def _replayed(file: BinaryIO) -> AsyncGenerator[SynthesizeEvent, None]:
    with file:
        events = _events(file)
        while (event := await asyncio.to_thread(next, events, None)) is not None:
            yield event


def _events(file: BinaryIO) -> Iterator[SynthesizeEvent]:
    event: SynthesizeEvent | None = None
    while not isinstance(event, SpeechDone):
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        event = _decoder.decode(file.read(length))
        yield event


def _is_whole(file: BinaryIO) -> bool:
    """Return whether the file is what was written; leaves it at its start."""
    left = os.fstat(file.fileno()).st_size - _LENGTH.size
    checksum = 0
    while left > 0 and (block := file.read(min(left, BLOCK_BYTES))):
        checksum = zlib.crc32(block, checksum)
        left -= len(block)
    whole = left == 0 and file.read(_LENGTH.size) == _LENGTH.pack(checksum)
    file.seek(0)
    return whole
