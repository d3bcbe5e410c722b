"""The service below all faces: finds the model, pulls it where that is allowed, checks, decodes, admits, and runs.

A face (HTTP, the command line) parses what it is sent into a noun, calls this, and renders what comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from os import SEEK_END
from typing import BinaryIO

from slimvoice import timing
from slimvoice.audio.decode import decode
from slimvoice.config import Settings
from slimvoice.daemon_thread import in_thread
from slimvoice.errors import ModelNotPulled, Overloaded
from slimvoice.models.async_pull import pull_async
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import HubName
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    Model,
    SpeechProvider,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    Waveform,
    checks,
)

DECODERS = 2
"""Recordings decoded at once, of each size: each takes a core, and memory for its whole length."""

SHORT_BYTES = 1 << 19
"""Recordings up to this size, such as voice commands, never wait for the long ones to be decoded."""

Pull = Callable[[str], Awaitable[object]]
"""Pulls a model by name; raises PullError."""


class DecodedAudioLimit:
    """Bounds the decoded audio that waiting requests hold: a queue of hour-long files must not fill the memory."""

    def __init__(self, most_s: float) -> None:
        self._most_bytes = round(most_s * STT_SAMPLE_RATE) * 2
        self._held_bytes = 0

    @contextmanager
    def hold(self, waveform: Waveform) -> Iterator[None]:
        """Count audio while it is worked on; raises Overloaded when there is too much. One alone always fits."""
        size = len(waveform.pcm)
        if self._held_bytes and self._held_bytes + size > self._most_bytes:
            raise Overloaded("too much audio is waiting already", retry_after_s=10)
        self._held_bytes += size
        try:
            yield
        finally:
            self._held_bytes -= size


class SpeechService:
    """Speech for the faces, from `provider`. Use it on one event loop."""

    def __init__(
        self,
        provider: SpeechProvider,
        library: ModelLibrary,
        settings: Settings,
        *,
        pull: Pull | None = None,
        max_text_chars: int | None = None,
    ) -> None:
        """Bind the parts. `pull` pulls what is asked for first, by default without telling how far it is; a text may
        be as long as `max_text_chars`, by default any length.
        """
        self.provider = provider
        self.library = library
        self.settings = settings
        self._pull = pull or (lambda name: pull_async(partial(library.pull, name)))
        self._max_text_chars = max_text_chars
        self._held = DecodedAudioLimit(settings.max_held_audio_s)
        self._short_decoding = asyncio.Semaphore(DECODERS)
        self._long_decoding = asyncio.Semaphore(DECODERS)

    async def resolve(self, name: str, task: Task) -> Model:
        """Return the model that a name means, pulled first if the settings say so.

        Raises ModelNotFound, ModelNotPulled and, of the pull, PullError.
        """
        try:
            return await self.provider.resolve(name, task)
        except ModelNotPulled:
            from_hub = HubName.parse(name) is not None
            policy = self.settings.auto_pull
            if policy == "off" or (policy == "catalog" and from_hub):
                raise
        await self._pull(name if from_hub else self.library.find(name, task).name)
        return await self.provider.resolve(name, task)

    def check(self, request: TranscribeRequest | SynthesizeRequest) -> None:
        """Refuse early what the model cannot do; the audio may still be missing. See `speech.checks.check`."""
        checks.check(request, self._max_text_chars)

    def check_text(self, text: str) -> None:
        """Refuse early a text that is empty or too long."""
        checks.check_text(text, self._max_text_chars)

    async def decode(self, audio: bytes | BinaryIO) -> Waveform:
        """Decode a recording in a thread, a few at once; raises InvalidAudio or TooLarge."""
        async with self._short_decoding if _size(audio) <= SHORT_BYTES else self._long_decoding:
            with timing.measure("decode"):
                return await in_thread(lambda: decode(audio, max_duration_s=self.settings.max_audio_s))

    async def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Run a transcription, counting its audio as held until the end; raises Overloaded before any event."""
        self.check(request)
        with self._held.hold(request.waveform):
            async with aclosing(self.provider.transcribe(request)) as events:
                async for event in events:
                    yield event

    def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Check a request and run it."""
        self.check(request)
        return self.provider.synthesize(request)


def _size(audio: bytes | BinaryIO) -> int | float:
    """Return the bytes of a recording; one that comes through a pipe counts as long."""
    if isinstance(audio, bytes):
        return len(audio)
    if not audio.seekable():
        return float("inf")
    size = audio.seek(0, SEEK_END)
    audio.seek(0)
    return size
