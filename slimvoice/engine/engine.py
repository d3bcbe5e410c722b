"""The local engine: the SpeechProvider that runs models in worker processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Protocol, cast

import msgspec
import structlog

from slimvoice import hardware
from slimvoice.backends.registry import BACKENDS, capabilities_of
from slimvoice.config import Settings, budget_bytes, duration_s
from slimvoice.engine.eviction import estimate_bytes
from slimvoice.engine.health import Timeouts
from slimvoice.engine.hosted_model import HostedModel
from slimvoice.engine.messages import LAST_EVENTS, Event
from slimvoice.engine.pool import Pool
from slimvoice.engine.probe import probe_request
from slimvoice.errors import DeadlineExceeded, Inference, InvalidRequest, SlimvoiceError, WorkerCrashed, WorkerWedged
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import (
    Capabilities,
    DeviceStatus,
    InstalledModel,
    LoadSpec,
    Model,
    ProviderStatus,
    SynthesizeEvent,
    SynthesizeRequest,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    WorkerStatus,
)
from slimvoice.text.voices import notes_on

log = structlog.get_logger(__name__)

AUTO_RAM = "75%"
AUTO_GPU = "90%"
CORES_PER_SLOT = 4
"""Fewer cores than this make a window slower than two at once make it worth."""
FEWEST_SLOTS = 2
"""One is for first steps, so that a new job begins at once even where there are few cores."""


class Library(Protocol):
    """What the engine asks of the models layer."""

    def find(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name means."""
        ...

    def require(self, name: str, task: Task | None = None) -> InstalledModel:
        """Return an installed model with its paths."""
        ...

    def measured_memory(self, name: str) -> int:
        """Return what was recorded; 0: nothing."""
        ...

    def record_memory(self, name: str, memory_bytes: int) -> None:
        """Keep what was measured."""
        ...


class Engine:
    """Models of this machine behind the SpeechProvider interface. Use it on one event loop, `close` it at the end."""

    def __init__(
        self,
        settings: Settings,
        library: Library,
        metrics: EngineMetrics | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._settings = settings
        self._library = library
        self.metrics = metrics or EngineMetrics()
        self._timeouts = timeouts or Timeouts(step_s=settings.step_timeout_s)
        self._cores = settings.threads or hardware.cores()
        self._budgets = _budgets(settings)
        self.pool = Pool(self._budgets, self.metrics, self._record)
        self._probing: asyncio.Task[None] | None = None
        self._warned: set[tuple[str, str]] = set()

    async def start(self) -> None:
        """Begin what runs by itself: periodic probes, where they are set."""
        if self._settings.probe_interval_s > 0:
            self._probing = asyncio.create_task(self._probe_idle())

    async def close(self, *, at_once: bool = False) -> None:
        """Drain for a bounded time, then end every worker; `at_once` kills them, as Ctrl-C on a command wants it."""
        if self._probing is not None:
            self._probing.cancel()
        await self.pool.close(0.0 if at_once else self._settings.drain_s, kill=at_once)

    # --- SpeechProvider ---

    async def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Yield segments and progress as they are ready, TranscriptDone last."""
        hosted = self._hosted(request.model, Task.SPEECH_TO_TEXT)
        request = msgspec.structs.replace(request, model=hosted.name)
        async with aclosing(self._run(hosted, request)) as events:
            async for event in events:
                yield cast(TranscribeEvent, event)

    async def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Yield audio as it is made, SpeechDone last."""
        hosted = self._hosted(request.model, Task.TEXT_TO_SPEECH)
        self._warn(hosted.spec.installed.model, request)
        request = msgspec.structs.replace(request, model=hosted.name)
        async with aclosing(self._run(hosted, request)) as events:
            async for event in events:
                yield cast(SynthesizeEvent, event)

    def _warn(self, model: Model, request: SynthesizeRequest) -> None:
        """Log, once per model and language, what the voice asked for does not do well."""
        with suppress(InvalidRequest):  # the backend says what is wrong with the voice
            for language, note in notes_on(request.voice, request.language, model).items():
                if (model.name, language) not in self._warned:
                    self._warned.add((model.name, language))
                    log.warning("this voice does not speak well", model=model.name, language=language, note=note)

    def capabilities(self, model: str) -> Capabilities:
        """Return what this model can do, without loading it; raises ModelNotFound."""
        found = self._library.find(model)
        hosted = self.pool.models.get(found.name)
        told = hosted.capabilities if hosted is not None else None
        return told or capabilities_of(found)

    async def load(self, model: str, keep_alive_s: float | None = None) -> WorkerStatus:
        """Load and probe a model now and restart its keep-alive; ends a cool-down."""
        hosted = self._hosted(model, None)
        hosted.policy.reset()
        self._keep_alive(hosted, keep_alive_s)
        job_slot = await self.pool.acquire(hosted, probe_request(hosted.spec.installed.model))
        self.pool.release(hosted, job_slot)
        return hosted.status()

    async def unload(self, model: str) -> None:
        """End a model's worker once its running jobs are done; nothing happens where it is not loaded."""
        hosted = self.pool.models.get(self._library.find(model).name)
        if hosted is not None:
            await self.pool.unload(hosted)

    async def status(self) -> ProviderStatus:
        """Return what is loaded, with measured memory and pace."""
        workers = tuple(hosted.status() for hosted in self.pool.models.values() if hosted.is_listed)
        return ProviderStatus(workers=workers, devices=tuple(self._devices(workers)))

    # --- running a job ---

    async def _run(
        self, hosted: HostedModel, request: TranscribeRequest | SynthesizeRequest
    ) -> AsyncGenerator[Event, None]:
        """Run a job within its deadline; one whose worker died before its first event is tried once more, unseen."""
        hosted.admit(request)
        self._keep_alive(hosted, request.context.keep_alive_s)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (request.context.timeout_s or self._settings.request_timeout_s)
        outcome = "cancelled"
        try:
            for last in (False, True):
                begun = False
                try:
                    async with aclosing(self._attempt(hosted, request, deadline)) as events:
                        async for event in events:
                            begun = True
                            outcome = "done" if isinstance(event, LAST_EVENTS) else outcome
                            yield event
                    return
                except (WorkerCrashed, WorkerWedged):
                    if begun or last:
                        raise
                    self.metrics.retried(hosted.name)
        except SlimvoiceError as error:
            outcome = error.code
            if isinstance(error, Inference):
                self.pool.suspect(hosted)
            raise
        finally:
            self.metrics.ended(hosted.name, outcome)
            hosted.leave(request)

    async def _attempt(
        self, hosted: HostedModel, request: TranscribeRequest | SynthesizeRequest, deadline: float
    ) -> AsyncGenerator[Event, None]:
        began = asyncio.get_running_loop().time()
        async with _until(deadline):
            job_slot = await self.pool.acquire(hosted, request)
        self.metrics.waited(hosted.name, asyncio.get_running_loop().time() - began)
        try:
            async with aclosing(hosted.run(request)) as events:
                while True:
                    try:
                        async with _until(deadline):
                            event = await anext(events)
                    except StopAsyncIteration:
                        return
                    yield event
        finally:
            self.pool.release(hosted, job_slot)

    def _keep_alive(self, hosted: HostedModel, asked_s: float | None) -> None:
        hosted.keep_alive_s = duration_s(self._settings.keep_alive) if asked_s is None else asked_s

    # --- models ---

    def _hosted(self, name: str, task: Task | None) -> HostedModel:
        """Return the place of an installed model; raises ModelNotFound or ModelNotPulled."""
        installed = self._library.require(name, task)
        hosted = self.pool.models.get(installed.model.name)
        if hosted is not None and (hosted.spec.installed == installed or hosted.state != "absent"):
            return hosted
        hosted = HostedModel(
            self._spec(installed),
            timeouts=self._timeouts,
            queue=self._settings.queue,
            keep_alive_s=duration_s(self._settings.keep_alive),
            metrics=self.metrics,
            estimate_bytes=estimate_bytes(
                self._library.measured_memory(installed.model.name),
                installed.model.memory_bytes,
                installed.model.size_bytes,
            ),
        )
        hosted.may_fall_back = self._settings.device == "auto"
        self.pool.models[installed.model.name] = hosted
        return hosted

    def _spec(self, installed: InstalledModel) -> LoadSpec:
        placement = BACKENDS.require(installed.model.backend).placement
        setting = self._settings.device
        gpu_capable = placement.vulkan if setting.startswith("vulkan") else placement.gpu
        slots = self._settings.slots or max(FEWEST_SLOTS, self._cores // CORES_PER_SLOT)
        return LoadSpec(
            installed=installed,
            device=hardware.choose(setting, gpu_capable, self._free_gpu_bytes()),
            threads=self._cores,
            slots=min(slots, placement.max_slots),
        )

    def _free_gpu_bytes(self) -> dict[str, int]:
        """Return what the budget of each GPU has left."""
        free = {device: budget for device, budget in self._budgets.items() if device != "cpu"}
        for hosted in self.pool.models.values():
            if hosted.device in free and hosted.state != "absent":
                free[hosted.device] -= hosted.memory_needs()[hosted.device]
        return free

    def _record(self, hosted: HostedModel) -> None:
        try:
            self._library.record_memory(hosted.name, hosted.memory_bytes)
        except OSError as error:  # a volume that cannot be written costs the estimate, not the request
            log.warning("measured memory was not kept", model=hosted.name, error=str(error))

    def _devices(self, workers: tuple[WorkerStatus, ...]) -> list[DeviceStatus]:
        shown = [
            DeviceStatus(
                name="cpu",
                budget_bytes=self._budgets["cpu"],
                used_bytes=sum(worker.memory_bytes for worker in workers),
                total_bytes=hardware.ram_bytes(),
                description=f"{self._cores} cores",
            )
        ]
        for gpu in hardware.gpus():
            used = sum(worker.gpu_memory_bytes for worker in workers if worker.device == gpu.device)
            shown.append(
                DeviceStatus(
                    name=gpu.device,
                    budget_bytes=self._budgets[gpu.device],
                    used_bytes=used,
                    total_bytes=gpu.total_bytes,
                    description=gpu.name,
                )
            )
        return shown

    # --- probes ---

    async def _probe_idle(self) -> None:
        """Probe every idle model again and again; what fails its probe is ended and started anew."""
        while True:
            await asyncio.sleep(self._settings.probe_interval_s)
            for hosted in list(self.pool.models.values()):
                if hosted.idle:
                    await self.pool.probe_or_replace(hosted)


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    """Raise DeadlineExceeded when the block is not done by `deadline` (loop time)."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise DeadlineExceeded(
            "the request ran out of its time", hint="send less audio or text, or allow more time"
        ) from None


def _budgets(settings: Settings) -> dict[str, int]:
    """Return the bytes that models may take of each device."""
    ram = hardware.ram_bytes()
    budgets = {"cpu": _bytes(settings.ram_budget, AUTO_RAM, ram)}
    for gpu in hardware.gpus():
        budgets[gpu.device] = _bytes(settings.gpu_budget, AUTO_GPU, gpu.total_bytes)
    if settings.device.startswith("vulkan"):  # which tells no memory in a common way: as much as there is RAM
        budgets[settings.device] = _bytes(settings.gpu_budget, AUTO_GPU, ram)
    return budgets


def _bytes(setting: str, auto: str, total: int) -> int:
    budget = budget_bytes(setting, total)
    return budget if budget is not None else budget_bytes(auto, total) or total
