"""A model that the engine hosts: its states, and the transitions between them.

The parts that have rules of their own are classes of their own: job slots, keep-alive, memory, throughput, restarts.
Others ask and call; nothing here is assigned from outside. The file is longer than most: every transition is here.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from slimvoice import hardware, timing
from slimvoice.backends.registry import BACKENDS
from slimvoice.engine.admission import Admission
from slimvoice.engine.clock import Clock, SystemClock
from slimvoice.engine.health import RestartPolicy, Timeouts, step_limit_s
from slimvoice.engine.job import MeasuredJob
from slimvoice.engine.job_slots import JobSlot, JobSlots
from slimvoice.engine.keep_alive import KeepAlive
from slimvoice.engine.memory_use import MemoryUse
from slimvoice.engine.messages import Event, Request
from slimvoice.engine.throughput import LONG_S, MAX_RETRY_AFTER_S, Throughput, audio_seconds
from slimvoice.engine.worker_protocol import Worker
from slimvoice.errors import ModelFailed, Overloaded, SlimvoiceError, WorkerCrashed
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import Capabilities, LoadSpec

State = Literal["absent", "pending", "loading", "ready", "stopping"]
"""`pending`: it is to be loaded once there is memory for it."""

NEXT_STATES: dict[State, tuple[State, ...]] = {
    "absent": ("pending",),
    "pending": ("loading", "absent"),
    "loading": ("ready", "absent"),
    "ready": ("stopping", "absent"),
    "stopping": ("absent",),
}


@dataclass(frozen=True)
class HostSettings:
    """How this server hosts a model."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    queue: int = 32
    """Requests that may wait beyond those that compute."""
    keep_alive_s: float = 300.0
    may_fall_back: bool = False
    """Nobody asked for a GPU: where one cannot be used, the CPU will do."""


class HostedModel:
    """One model, for as long as the engine runs; its worker is started and stopped."""

    def __init__(
        self,
        spec: LoadSpec,
        settings: HostSettings,
        metrics: EngineMetrics,
        estimate_bytes: int,
        clock: Clock | None = None,
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.metrics = metrics
        self.clock: Clock = clock or SystemClock()
        self.state: State = "absent"
        self.worker: Worker | None = None
        self.may_fall_back = settings.may_fall_back
        self.slots = JobSlots(spec.slots)
        self.keep_alive = KeepAlive(settings.keep_alive_s, self.clock)
        self.memory = MemoryUse(estimate_bytes)
        self.throughput = Throughput()
        self.policy = RestartPolicy()
        self.queue = Admission(spec.slots + settings.queue)
        self.capabilities: Capabilities | None = None
        """What the loaded model itself said that it can do; None: as its backend's descriptor says."""
        self.checking = False
        """Whether a probe looks into a failed job."""
        self.suspicions = 0
        """Failed jobs after which the worker was to be probed."""
        self.eviction_waiters = 0
        """How many loads or unloads wait for this model to become idle: while any do, new jobs queue behind them."""
        self.used_at = 0.0
        self.jobs_done = 0
        self.restarts = 0
        self.lowered_by = ""
        """The signal that killed the worker with a better variant of its runtime, until the present one is ready."""
        self.last_error = ""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec.installed.model.name

    @property
    def backend(self) -> str:
        """The name of its backend."""
        return self.spec.installed.model.backend

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.spec.device

    @property
    def ready(self) -> bool:
        """Whether its worker accepts jobs."""
        return self.state == "ready" and self.worker is not None and not self.worker.gone.is_set()

    @property
    def idle(self) -> bool:
        """Whether it is loaded and has no job."""
        return self.ready and not self.slots.active

    @property
    def holds_memory(self) -> bool:
        """Whether its memory is taken, or about to be."""
        return self.state in {"loading", "ready", "stopping"}

    @property
    def active(self) -> int:
        """Jobs that occupy a job slot of the worker."""
        return self.slots.active

    @property
    def admitted(self) -> int:
        """Requests that were admitted, waiting ones too."""
        return self.queue.admitted

    @property
    def queued(self) -> int:
        """Jobs beyond those that compute."""
        return max(0, self.admitted - self.spec.slots)

    @property
    def memory_bytes(self) -> int:
        """RAM that it takes, measured or estimated."""
        return self.memory.ram_bytes

    def memory_needs(self) -> dict[str, int]:
        """Return the memory it needs of each device, measured or estimated."""
        return self.memory.needs(self.device)

    # --- transitions ---

    def _enter(self, state: State) -> None:
        if state not in NEXT_STATES[self.state]:
            raise RuntimeError(f"model {self.name} cannot become {state}: it is {self.state}")
        self.state = state

    def request_load(self) -> None:
        """Absent to pending: a load begins, and waits for memory."""
        self._enter("pending")

    def begin_loading(self, worker: Worker) -> None:
        """Pending to loading: this worker starts."""
        self._enter("loading")
        self.worker = worker
        self.memory.record_gpu_baseline(self.device)

    def finish_loading(self) -> None:
        """Loading to ready: the worker has passed its probe."""
        self._enter("ready")
        self.capabilities = self.worker.capabilities if self.worker is not None else None
        self.lowered_by = ""
        self.used_at = self.clock.now_s()

    def begin_stopping(self) -> None:
        """Ready to stopping: its worker is told to end."""
        self._enter("stopping")
        self.keep_alive.stop()

    def stopped(self) -> None:
        """Any state to absent: it has no worker, and no load is going on."""
        if self.state != "absent":
            self._enter("absent")
        self.worker = None
        self.keep_alive.stop()

    def crashed(self, *, restart: bool) -> None:
        """Ready to absent: its worker has ended by itself; `restart` counts that it is started again."""
        self.stopped()
        self.restarts += restart

    def failed(self, cause: str, error: SlimvoiceError) -> bool:
        """Record a failure, in any state; returns whether the model may be loaded again at once."""
        self.last_error = f"{cause}: {error.message}"
        self.metrics.failed(self.name, cause)
        return self.policy.failed(self.clock.now_s())

    def use_variant(self, variant: str) -> None:
        """Load this variant of its runtime from now on, unless it goes down the variants after a crash."""
        if not self.lowered_by:
            self.spec = msgspec.structs.replace(self.spec, variant=variant)

    def step_down(self, variant: str, died_of: str) -> None:
        """Load this lower variant next, after a better one has died of a signal; that costs no restart."""
        self.lowered_by = died_of
        self.spec = msgspec.structs.replace(self.spec, variant=variant)
        self.policy.reset()

    def end_step_down(self) -> None:
        """Every variant has crashed: the next load begins with the best again."""
        self.lowered_by = ""

    def fall_back_to_cpu(self) -> bool:
        """Load without the GPU next, if that is allowed; returns whether there is something left to try."""
        if not self.may_fall_back or self.device == "cpu":
            return False
        self.spec = msgspec.structs.replace(self.spec, device="cpu")
        self.memory.leave_gpu()
        return True

    # --- admission ---

    @contextmanager
    def admission(self, request: Request) -> Iterator[None]:
        """Admit a request to the queue until the block ends; raises Overloaded or ModelFailed."""
        self.check_cooling()
        if self.queue.full:
            self.metrics.rejected(self.name, "queue")
            raise Overloaded(
                f"{self.admitted} requests wait for model {self.name} already",
                hint="try again later",
                retry_after_s=self.throughput.retry_after_s(self.queue.backlog_s),
            )
        try:
            with self.queue.admit(audio_seconds(request)):
                self.metrics.waiting(self.name, self.queued)
                yield
        finally:
            self.metrics.waiting(self.name, self.queued)

    @property
    def cooling_s(self) -> float:
        """Seconds until it may be loaded again after too many failures; 0: now."""
        return self.policy.cooling_s(self.clock.now_s())

    def check_cooling(self) -> None:
        """Raise ModelFailed while the model cools down after too many failures."""
        if (cooling := self.cooling_s) and not self.ready:
            self.metrics.rejected(self.name, "failed")
            raise ModelFailed(
                f"model {self.name} has failed too often: {self.last_error}",
                hint=f"try again later, or have the operator run: slimvoice load {self.name}",
                retry_after_s=min(MAX_RETRY_AFTER_S, math.ceil(cooling)),
            )

    def set_keep_alive(self, seconds: float | None) -> None:
        """Keep it loaded so long from its next idle moment on; None: the server's default."""
        self.keep_alive.seconds = self.settings.keep_alive_s if seconds is None else seconds

    # --- job slots ---

    def request_slot(self, request: Request) -> JobSlot:
        """Enqueue a job for a slot of the worker."""
        return self.slots.request(long=audio_seconds(request) > LONG_S)

    def grant_waiting(self, *, fresh: bool = False) -> None:
        """Grant free job slots to waiting jobs, unless somebody waits for this model to become idle.

        A `fresh` worker serves the jobs it was loaded for, even if another model needs its memory next.
        """
        if self.ready and (fresh or not self.eviction_waiters):
            self.slots.grant_waiting()
            if self.slots.active:
                self.keep_alive.stop()

    def release_slot(self, job_slot: JobSlot) -> None:
        """Free a job's slot, or take the job out of the queue."""
        if self.slots.release(job_slot):
            self.used_at = self.clock.now_s()

    @contextmanager
    def new_jobs_held(self) -> Iterator[None]:
        """Queue new jobs while the block waits for this model to become idle."""
        self.eviction_waiters += 1
        try:
            yield
        finally:
            self.eviction_waiters -= 1

    # --- jobs ---

    @asynccontextmanager
    async def job(self, request: Request) -> AsyncIterator[tuple[MeasuredJob, AsyncGenerator[Event, None]]]:
        """Start a job on the present worker, measure it, and cancel it if the block ends before it."""
        worker = self.worker
        if worker is None:  # it died between the grant and this
            raise WorkerCrashed(f"the worker of {self.name} died", hint="try again", retry_after_s=1.0)
        job = MeasuredJob(self.clock, lambda job: self._record(job, request))
        self.throughput.begin(job.began_s)
        try:
            async with aclosing(worker.run(request, self.step_limit_s(request), job.steps_s.append)) as events:
                yield job, events
        finally:
            self.throughput.end()
            timing.record("compute", sum(job.steps_s))

    def _record(self, job: MeasuredJob, request: Request) -> None:
        """Record the measurements of a successful job."""
        self.jobs_done += 1
        audio_s = job.produced_s or audio_seconds(request)
        self.throughput.record(self.clock.now_s(), audio_s=audio_s, compute_s=sum(job.steps_s), first_s=job.first_s)
        self.metrics.job_done(self.name, audio_s=audio_s, steps_s=job.steps_s, first_s=job.first_s)
        self.measure()

    def measure(self, *, loaded: bool = False) -> None:
        """Measure the worker's memory, for the first time where it has just `loaded`."""
        if self.worker is None or not self.worker.pid:
            return
        self.memory.measure(self.worker.pid, self.device, loaded=loaded)
        if hardware.gpu_index(self.device) is not None:
            self.metrics.memory(self.name, self.device, self.memory.gpu_bytes)
        self.metrics.memory(self.name, "cpu", self.memory.ram_bytes)

    def step_limit_s(self, request: Request) -> float:
        """Return how long one step of this request may take."""
        return step_limit_s(
            self.settings.timeouts.step_s,
            audio_seconds(request),
            self.spec,
            weights_bytes=self.spec.installed.model.size_bytes if self.device == "cpu" else 0,
            factor=self.throughput.realtime_factor or 0.0,
            longest_s=BACKENDS.require(self.spec.installed.model.backend).window_s,
        )

    # --- checks of a suspected worker ---

    def suspect(self) -> bool:
        """Count a failed job that may be the worker's fault; returns whether a probe is to be started now."""
        self.suspicions += 1
        start = self.ready and not self.checking
        self.checking = self.checking or start
        return start

    @contextmanager
    def check(self) -> Iterator[None]:
        """Mark that a probe looks into the worker; more suspicions meanwhile start none."""
        self.checking = True
        try:
            yield
        finally:
            self.checking = False

    # --- status ---

    @property
    def is_listed(self) -> bool:
        """Whether `ps` lists it: it has a worker, waiting requests, or a cool-down."""
        return self.worker is not None or self.admitted > 0 or self.cooling_s > 0
