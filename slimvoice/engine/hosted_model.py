"""A model that the engine hosts: its worker, job slots, admission, keep-alive, memory and throughput."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from slimvoice import hardware
from slimvoice.backends.registry import BACKENDS
from slimvoice.engine.health import RestartPolicy, Timeouts, step_limit_s
from slimvoice.engine.messages import LAST_EVENTS, Event
from slimvoice.engine.throughput import LONG_S, MAX_RETRY_AFTER_S, Throughput, audio_seconds, produced_seconds
from slimvoice.engine.worker import Request, WorkerProcess
from slimvoice.errors import ModelFailed, Overloaded, WorkerCrashed
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import Capabilities, LoadSpec, WorkerStatus

EXTRA_JOB_SLOTS = 4
"""Job slots beyond the compute slots: their jobs take turns with the others; the rest waits in the server."""
JOB_SLOTS_FOR_SHORT = 2
"""Job slots that long jobs leave free, so that a short one never waits for the end of a long one."""

State = Literal["absent", "loading", "ready", "stopping"]


@dataclass(eq=False)
class JobSlot:
    """A job's slot in a worker, granted or waited for."""

    long: bool
    granted: asyncio.Future[None]


class HostedModel:
    """One model, for as long as the engine runs; its worker is started and stopped."""

    def __init__(
        self,
        spec: LoadSpec,
        *,
        timeouts: Timeouts,
        queue: int,
        keep_alive_s: float,
        metrics: EngineMetrics,
        estimate_bytes: int,
    ) -> None:
        self.spec = spec
        self.timeouts = timeouts
        self.queue = queue
        self.keep_alive_s = keep_alive_s
        self.metrics = metrics
        self.memory_bytes = estimate_bytes
        self.may_fall_back = False
        """Nobody asked for a GPU: where one cannot be used, the CPU will do."""
        self.gpu_memory_bytes = 0
        self._gpu_before_bytes = 0
        self.state: State = "absent"
        self.worker: WorkerProcess | None = None
        self.capabilities: Capabilities | None = None
        """What the loaded model itself said that it can do; None: as its backend's descriptor says."""
        self.admitted = 0
        """Requests that were admitted, waiting ones too."""
        self.backlog_s = 0.0
        """Seconds of audio of all of them."""
        self.job_slots: set[JobSlot] = set()
        """Jobs that the worker has: while there are any, it is never evicted."""
        self.waiters: list[JobSlot] = []
        self.loading: asyncio.Task[None] | None = None
        self.checking = False
        self.suspicions = 0
        """Failed jobs after which the worker was to be probed."""
        self.used_at = 0.0
        self.eviction_waiters = 0
        """How many loads or unloads wait for this model to become idle: while any do, new jobs queue behind them."""
        self.policy = RestartPolicy()
        self.throughput = Throughput()
        self.jobs_done = 0
        self.restarts = 0
        self.last_error = ""
        self.expiry: asyncio.TimerHandle | None = None
        self.expires_at: float | None = None
        self._expired: Callable[[], object] | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec.installed.model.name

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.spec.device

    @property
    def ready(self) -> bool:
        """Whether its worker accepts jobs."""
        return self.state == "ready" and self.worker is not None and not self.worker.gone.is_set()

    @property
    def active(self) -> int:
        """Jobs that occupy a job slot of the worker."""
        return len(self.job_slots)

    def has_job_slot(self, job_slot: JobSlot) -> bool:
        """Whether the worker can take this job now."""
        most = self.spec.slots + EXTRA_JOB_SLOTS
        if job_slot.long:
            longs = sum(1 for other in self.job_slots if other.long)
            return self.active < most and longs < most - JOB_SLOTS_FOR_SHORT
        return self.active < most

    @property
    def idle(self) -> bool:
        """Whether it is loaded and has no job."""
        return self.ready and not self.job_slots

    # --- admission ---

    def admit(self, request: Request) -> None:
        """Admit a request to the queue; raises Overloaded or ModelFailed. `leave` ends its admission."""
        self.check_cooling()
        if self.admitted >= self.spec.slots + self.queue:
            self.metrics.rejected(self.name, "queue")
            raise Overloaded(
                f"{self.admitted} requests wait for model {self.name} already",
                hint="try again later",
                retry_after_s=self.throughput.retry_after_s(self.backlog_s),
            )
        self.admitted += 1
        self.backlog_s += audio_seconds(request)
        self.metrics.waiting(self.name, self.queued)

    def check_cooling(self) -> None:
        """Raise ModelFailed while the model cools down after too many failures."""
        cooling = self.policy.cooling_s(time.monotonic())
        if cooling and not self.ready:
            self.metrics.rejected(self.name, "failed")
            raise ModelFailed(
                f"model {self.name} has failed too often: {self.last_error}",
                hint=f"try again later, or have the operator run: slimvoice load {self.name}",
                retry_after_s=min(MAX_RETRY_AFTER_S, math.ceil(cooling)),
            )

    def leave(self, request: Request) -> None:
        """End the admission of a request."""
        self.admitted -= 1
        self.backlog_s -= audio_seconds(request)
        self.metrics.waiting(self.name, self.queued)

    @property
    def queued(self) -> int:
        """Jobs beyond those that compute."""
        return max(0, self.admitted - self.spec.slots)

    def new_job_slot(self, request: Request) -> JobSlot:
        """Create a pending job slot."""
        return JobSlot(audio_seconds(request) > LONG_S, asyncio.get_running_loop().create_future())

    # --- jobs ---

    async def run(self, request: Request) -> AsyncGenerator[Event, None]:
        """Run one job on the present worker and measure it."""
        worker = self.worker
        if worker is None:  # it died between the grant and this
            raise WorkerCrashed(f"the worker of {self.name} died", hint="try again", retry_after_s=1.0)
        began = time.monotonic()
        first_s: float | None = None
        made_s = 0.0
        compute: list[float] = []
        self.throughput.begin(began)
        try:
            async with aclosing(worker.run(request, self.step_limit_s(request), compute.append)) as events:
                async for event in events:
                    if first_s is None:
                        first_s = time.monotonic() - began
                    made_s += produced_seconds(event)
                    if isinstance(event, LAST_EVENTS):
                        self._record_job(made_s or audio_seconds(request), compute, first_s)
                    yield event
        finally:
            self.throughput.end()

    def _record_job(self, audio_s: float, steps_s: Sequence[float], first_s: float) -> None:
        """Record the measurements of a successful job."""
        self.jobs_done += 1
        self.throughput.record(time.monotonic(), audio_s=audio_s, compute_s=sum(steps_s), first_s=first_s)
        self.metrics.job_done(self.name, audio_s=audio_s, steps_s=steps_s, first_s=first_s)
        self.measure()

    def step_limit_s(self, request: Request) -> float:
        """Return how long one step of this request may take."""
        audio_s = audio_seconds(request)
        weights = self.spec.installed.model.size_bytes if self.device == "cpu" else 0
        return step_limit_s(
            self.timeouts.step_s,
            audio_s,
            self.spec,
            weights_bytes=weights,
            factor=self.throughput.realtime_factor or 0.0,
            longest_s=BACKENDS.require(self.spec.installed.model.backend).window_s,
        )

    # --- memory ---

    def measure(self, *, loaded: bool = False) -> None:
        """Measure what the worker holds: just `loaded` it replaces the estimate, then the most ever seen counts."""
        if self.worker is None or not self.worker.pid:
            return
        now_bytes = hardware.resident_bytes(self.worker.pid)
        self.memory_bytes = now_bytes if loaded and now_bytes else max(self.memory_bytes, now_bytes)
        if (index := hardware.gpu_index(self.device)) is not None:
            now_bytes = hardware.gpu_resident_bytes(self.worker.pid, index)
            if loaded and not now_bytes:  # NVML sees other process ids than this container does
                now_bytes = max(0, hardware.gpu_used_bytes(index) - self._gpu_before_bytes)
            self.gpu_memory_bytes = max(self.gpu_memory_bytes, now_bytes)
            self.metrics.memory(self.name, self.device, self.gpu_memory_bytes)
        self.metrics.memory(self.name, "cpu", self.memory_bytes)

    def fall_back(self) -> bool:
        """Go on without the GPU, if that is allowed; returns whether there is something left to try."""
        if not self.may_fall_back or self.device == "cpu":
            return False
        self.spec = msgspec.structs.replace(self.spec, device="cpu")
        self.gpu_memory_bytes = 0
        return True

    def record_gpu_baseline(self) -> None:
        """Record the GPU memory in use before the model is loaded."""
        if (index := hardware.gpu_index(self.device)) is not None:
            self._gpu_before_bytes = hardware.gpu_used_bytes(index)

    def memory_needs(self) -> dict[str, int]:
        """Return the memory it needs of each device, measured or estimated."""
        if self.device == "cpu":
            return {"cpu": self.memory_bytes}
        return {self.device: self.gpu_memory_bytes or self.memory_bytes, "cpu": self.memory_bytes}

    # --- keep-alive ---

    def stop_keep_alive(self) -> None:
        """Stop the keep-alive timer: the model is in use."""
        if self.expiry is not None:
            self.expiry.cancel()
        self.expiry = self.expires_at = None

    def start_keep_alive(self, expired: Callable[[], object]) -> None:
        """Start the keep-alive timer of an idle model; a negative keep-alive never expires."""
        self.stop_keep_alive()
        self._expired = expired
        if self.keep_alive_s >= 0 and self.worker is not None:
            self.expires_at = time.time() + self.keep_alive_s
            self.expiry = asyncio.get_running_loop().call_later(self.keep_alive_s, expired)

    def restore_expiry(self, at: float | None) -> None:
        """Restore an earlier expiry, after a probe has moved it."""
        if self.expiry is not None and self._expired is not None and at is not None:
            self.stop_keep_alive()
            self.expires_at = at
            self.expiry = asyncio.get_running_loop().call_later(max(0.0, at - time.time()), self._expired)

    # --- status ---

    @property
    def is_listed(self) -> bool:
        """Whether `ps` lists it: it has a worker, waiting requests, or a cool-down."""
        return self.worker is not None or self.admitted > 0 or self.policy.cooling_s(time.monotonic()) > 0

    def status(self) -> WorkerStatus:
        """Return what `ps` shows."""
        cooling = self.policy.cooling_s(time.monotonic())
        return WorkerStatus(
            model=self.name,
            task=self.spec.installed.model.task,
            backend=self.spec.installed.model.backend,
            state=self._listed_state(cooling),
            device=self.device,
            pid=self.worker.pid if self.worker else None,
            memory_bytes=hardware.resident_bytes(self.worker.pid) if self.worker else 0,
            gpu_memory_bytes=self.gpu_memory_bytes if self.worker else 0,
            slots=self.spec.slots,
            running=min(self.active, self.spec.slots),
            queued=self.queued,
            expires_at=self.expires_at,
            realtime_factor=self.throughput.realtime_factor,
            first_result_s=self.throughput.first_result_s,
            jobs_done=self.jobs_done,
            restarts=self.restarts,
            last_error=self.last_error,
            retry_at=time.time() + cooling if cooling else None,
        )

    def _listed_state(self, cooling: float) -> Literal["loading", "ready", "busy", "stopping", "failed"]:
        if self.state == "ready":
            return "busy" if self.admitted else "ready"
        if self.state == "absent":
            return "failed" if cooling else "loading"
        return self.state
