"""The interfaces between the faces and what serves them: a provider of speech, and a host that loads models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

import msgspec

from slimvoice.speech.models import Model, Task
from slimvoice.speech.synthesis import SynthesizeEvent, SynthesizeRequest
from slimvoice.speech.transcription import TranscribeEvent, TranscribeRequest


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One loaded (or loading, or failed) model, as `slimvoice ps` and /system/audio/status show it."""

    model: str
    task: Task
    backend: str
    state: Literal["loading", "ready", "busy", "stopping", "failed"]
    device: str = "cpu"
    pid: int | None = None
    memory_bytes: int = 0
    gpu_memory_bytes: int = 0
    slots: int = 1
    running: int = 0
    queued: int = 0
    expires_at: float | None = None
    """Unix time of unloading when idle; None: never, or busy."""
    realtime_factor: float | None = None
    """Compute seconds per second of audio, smoothed."""
    first_result_s: float | None = None
    jobs_done: int = 0
    restarts: int = 0
    runtime: str = ""
    """Which variant of its runtime it runs, since better ones crash on this processor; "": the best."""
    last_error: str = ""
    retry_at: float | None = None
    """Unix time when the cool-down of a failed model ends."""


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A device and its memory budget."""

    name: str
    budget_bytes: int
    used_bytes: int
    total_bytes: int
    description: str = ""


class ProviderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider runs now."""

    workers: tuple[WorkerStatus, ...] = ()
    devices: tuple[DeviceStatus, ...] = ()


class ProviderHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a provider would take work now."""

    ready: bool
    detail: str = ""
    """Why not, for the operator."""


class SpeechProvider(Protocol):
    """Anything that transcribes and synthesizes: the local engine, a cache around it, a remote service, a router.

    Requests carry a model that `resolve` returned. The generators raise SlimvoiceError; closing one (`aclose`) cancels
    the work. Errors that can be known early (queue full, files gone) are raised by the first `anext`, before any event.
    """

    def models(self) -> Sequence[Model]:
        """Return the models that can serve now."""
        ...

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name, an alias or an OpenAI name means; an empty name: the default of `task`.

        Raises ModelNotFound, also for a model of another task, and ModelNotPulled.
        """
        ...

    def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Yield segments and progress as they are ready, TranscriptDone last."""
        ...

    def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Yield audio as it is made, SpeechDone last."""
        ...

    async def health(self) -> ProviderHealth:
        """Return whether it would take work; no model is asked."""
        ...


class ModelHost(Protocol):
    """What loads models into memory: the local engine. A provider of somebody else's models has none."""

    async def start(self) -> None:
        """Begin what runs by itself."""
        ...

    async def close(self, *, at_once: bool = False) -> None:
        """Let running jobs end for a bounded time, then unload everything; `at_once` waits for nothing."""
        ...

    async def load(self, model: Model, keep_alive_s: float | None = None) -> WorkerStatus:
        """Load a model now and restart its keep-alive; ends a cool-down."""
        ...

    async def unload(self, model: Model) -> None:
        """End a model's worker once its running jobs are done; nothing happens where it is not loaded."""
        ...

    async def status(self) -> ProviderStatus:
        """Return what is loaded, with measured memory and pace."""
        ...
