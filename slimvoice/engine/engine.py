"""The local engine: the SpeechProvider and ModelHost that runs models in worker processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, cast

import msgspec
import structlog

from slimvoice import hardware, timing
from slimvoice.backends.registry import BACKENDS
from slimvoice.config import Settings, budget_bytes
from slimvoice.engine.deadline import Deadline
from slimvoice.engine.eviction import estimate_bytes
from slimvoice.engine.health import Timeouts
from slimvoice.engine.hosted_model import HostedModel, HostSettings
from slimvoice.engine.job import Outcome
from slimvoice.engine.messages import Event, Request
from slimvoice.engine.pool import Pool
from slimvoice.engine.probe import probe_request
from slimvoice.engine.status import worker_status
from slimvoice.engine.variants import Variants
from slimvoice.errors import Inference, InvalidRequest, SlimvoiceError, WorkerCrashed, WorkerWedged
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import (
    DeviceStatus,
    InstalledModel,
    LoadSpec,
    Model,
    ProviderHealth,
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

    def installed(self) -> list[InstalledModel]:
        """Return the models whose files are here."""
        ...

    def require(self, name: str, task: Task | None = None, *, check_files: bool = True) -> InstalledModel:
        """Return an installed model with its paths, and its runtime's; raises ModelNotFound or ModelNotPulled."""
        ...

    def measured_memory(self, name: str) -> int:
        """Return what was recorded; 0: nothing."""
        ...

    def record_memory(self, name: str, memory_bytes: int) -> None:
        """Keep what was measured."""
        ...


class Engine:
    """Models of this machine, as SpeechProvider and ModelHost. Use it on one event loop, `close` it at the end."""

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
        self._host_settings = HostSettings(
            timeouts=timeouts or Timeouts(step_s=settings.step_timeout_s),
            queue=settings.queue,
            keep_alive_s=settings.keep_alive_s,
            may_fall_back=settings.device == "auto",
        )
        self._cores = settings.threads or hardware.cores()
        self._budgets = _budgets(settings)
        self.pool = Pool(self._budgets, self.metrics, Variants(settings.home), self._record)
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

    def models(self) -> Sequence[Model]:
        """Return the models whose files are here."""
        return [self._as_loaded(installed.model) for installed in self._library.installed()]

    async def resolve(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name means; raises ModelNotFound, and ModelNotPulled also where a file is missing.

        The files of a loaded model are not looked at: its worker has read them.
        """
        model = self._library.require(name, task, check_files=False).model
        hosted = self.pool.models.get(model.name)
        if hosted is None or hosted.state == "absent":
            model = self._library.require(name, task).model
        return self._as_loaded(model)

    def _as_loaded(self, model: Model) -> Model:
        """Return a model with what it said itself that it can do, once it was loaded."""
        hosted = self.pool.models.get(model.name)
        if hosted is None or hosted.capabilities is None:
            return model
        return msgspec.structs.replace(model, capabilities=hosted.capabilities)

    def transcribe(self, request: TranscribeRequest) -> AsyncGenerator[TranscribeEvent, None]:
        """Yield segments and progress as they are ready, TranscriptDone last."""
        return cast(AsyncGenerator[TranscribeEvent, None], self._run(request))

    def synthesize(self, request: SynthesizeRequest) -> AsyncGenerator[SynthesizeEvent, None]:
        """Yield audio as it is made, SpeechDone last."""
        return cast(AsyncGenerator[SynthesizeEvent, None], self._run(request))

    def _warn(self, request: SynthesizeRequest) -> None:
        """Log, once per model and language, what the voice asked for does not do well."""
        model = request.model
        with suppress(InvalidRequest):  # the backend says what is wrong with the voice
            for language, note in notes_on(request.voice, request.language, model).items():
                if (model.name, language) not in self._warned:
                    self._warned.add((model.name, language))
                    log.warning("this voice does not speak well", model=model.name, language=language, note=note)

    async def health(self) -> ProviderHealth:
        """Return whether it would take work: not when every model that it holds has failed."""
        workers = (await self.status()).workers
        ready = not workers or any(worker.state != "failed" for worker in workers)
        return ProviderHealth(ready=ready, detail="" if ready else workers[0].last_error)

    # --- ModelHost ---

    async def load(self, model: Model, keep_alive_s: float | None = None) -> WorkerStatus:
        """Load and probe a model now and restart its keep-alive; ends a cool-down."""
        hosted = self._hosted(model)
        hosted.policy.reset()
        hosted.set_keep_alive(keep_alive_s)
        async with self.pool.job_slot(hosted, probe_request(hosted.spec.installed.model)):
            pass
        return worker_status(hosted)

    async def unload(self, model: Model) -> None:
        """End a model's worker once its running jobs are done; nothing happens where it is not loaded."""
        hosted = self.pool.models.get(model.name)
        if hosted is not None:
            await self.pool.unload(hosted)

    async def status(self) -> ProviderStatus:
        """Return what is loaded, with measured memory and pace."""
        workers = tuple(worker_status(hosted) for hosted in self.pool.models.values() if hosted.is_listed)
        return ProviderStatus(workers=workers, devices=tuple(self._devices(workers)))

    # --- running a job ---

    async def _run(self, request: Request) -> AsyncGenerator[Event, None]:
        """Run a job within its deadline; one whose worker died before its first event is tried once more, unseen."""
        hosted = self._hosted(request.model)
        if isinstance(request, SynthesizeRequest):
            self._warn(request)
        with hosted.admission(request), self._counted(hosted) as outcome:
            hosted.set_keep_alive(request.context.keep_alive_s)
            deadline = Deadline.after(request.context.timeout_s or self._settings.request_timeout_s)
            for last in (False, True):
                try:
                    began_s = hosted.clock.now_s()
                    async with self.pool.job_slot(hosted, request, deadline):
                        self._record_wait(hosted, hosted.clock.now_s() - began_s)
                        async with hosted.job(request) as (job, events):
                            while (event := await deadline.wait_for(job.next_event(events))) is not None:
                                outcome.last_event = event
                                yield event
                            return
                except (WorkerCrashed, WorkerWedged):
                    if outcome.last_event is not None or last:
                        raise
                    self.metrics.retried(hosted.name)

    def _record_wait(self, hosted: HostedModel, seconds: float) -> None:
        self.metrics.waited(hosted.name, seconds)
        timing.record("queue", seconds)

    @contextmanager
    def _counted(self, hosted: HostedModel) -> Iterator[Outcome]:
        """Count how an admitted job ends; a worker that fails one is probed."""
        outcome = Outcome()
        try:
            yield outcome
        except SlimvoiceError as error:
            outcome.error = error.code
            if isinstance(error, Inference):
                self.pool.suspect(hosted)
            raise
        finally:
            self.metrics.ended(hosted.name, str(outcome))

    # --- models ---

    def _hosted(self, model: Model) -> HostedModel:
        """Return the place of an installed model; raises ModelNotPulled where it is to be loaded and a file is gone."""
        hosted = self.pool.models.get(model.name)
        if hosted is not None and hosted.state != "absent":
            return hosted
        installed = self._library.require(model.name)
        if hosted is not None and hosted.spec.installed == installed:
            return hosted
        hosted = HostedModel(
            self._spec(installed),
            self._host_settings,
            self.metrics,
            estimate_bytes(
                self._library.measured_memory(installed.model.name),
                installed.model.memory_bytes,
                installed.model.size_bytes,
            ),
        )
        self.pool.models[installed.model.name] = hosted
        return hosted

    def _spec(self, installed: InstalledModel) -> LoadSpec:
        backend = BACKENDS.require(installed.model.backend)
        placement = backend.placement
        setting = self._settings.device
        gpu_capable = placement.vulkan if setting.startswith("vulkan") else placement.gpu
        slots = self._settings.slots or max(FEWEST_SLOTS, self._cores // CORES_PER_SLOT)
        return LoadSpec(
            installed=installed,
            target=backend.target,
            device=hardware.choose(setting, gpu_capable, self._free_gpu_bytes()),
            threads=self._cores,
            slots=min(slots, placement.max_slots),
        )

    def _free_gpu_bytes(self) -> dict[str, int]:
        """Return what the budget of each GPU has left."""
        free = {device: budget for device, budget in self._budgets.items() if device != "cpu"}
        for hosted in self.pool.models.values():
            if hosted.device in free and hosted.holds_memory:
                free[hosted.device] -= hosted.memory_needs()[hosted.device]
        return free

    async def _record(self, hosted: HostedModel) -> None:
        try:
            await asyncio.to_thread(self._library.record_memory, hosted.name, hosted.memory_bytes)
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
