"""One model as the engine keeps it: its worker, its jobs, its keep-alive, its failures and its measured pace."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import msgspec

from slimvoice.engine import devices
from slimvoice.engine.health import Limits, RestartPolicy, step_limit_s
from slimvoice.engine.messages import LAST_EVENTS, Event
from slimvoice.engine.pace import LONG_S, MAX_RETRY_AFTER_S, Pace, audio_seconds, made_seconds
from slimvoice.engine.process import Request, WorkerProcess
from slimvoice.errors import ModelFailed, Overloaded, WorkerCrashed
from slimvoice.metrics import EngineMetrics
from slimvoice.speech import LoadSpec, WorkerStatus

PLACES_BESIDES_SLOTS = 4
"""Jobs that a worker has beyond those that compute: they take turns with them, the rest waits in the server."""
PLACES_FOR_SHORT = 2
"""Places that long jobs leave free, so that a short one never waits for the end of a long one."""

State = Literal["absent", "loading", "ready", "stopping"]


@dataclass(eq=False)
class Place:
    """One job's place in a worker, or its wait for one."""

    long: bool
    granted: asyncio.Future[None]


class Resident:
    """One model. It lives as long as the engine; its worker comes and goes."""

    def __init__(
        self,
        spec: LoadSpec,
        *,
        limits: Limits,
        queue: int,
        keep_alive_s: float,
        metrics: EngineMetrics,
        estimate_bytes: int,
    ) -> None:
        self.spec = spec
        self.limits = limits
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
        self.users = 0
        """Requests that were admitted, waiting ones too."""
        self.backlog_s = 0.0
        """Sound of all of them."""
        self.places: set[Place] = set()
        """Jobs that the worker has: while there are any, it is never evicted."""
        self.waiters: list[Place] = []
        self.loading: asyncio.Task[None] | None = None
        self.checking = False
        self.doubts = 0
        """Failed jobs after which the worker was to be probed."""
        self.used_at = 0.0
        self.wanted = 0
        """How many wait for this one's memory or its end: while any do, new jobs line up behind them."""
        self.policy = RestartPolicy()
        self.pace = Pace()
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
        """Whether its worker takes jobs."""
        return self.state == "ready" and self.worker is not None and not self.worker.gone.is_set()

    @property
    def active(self) -> int:
        """Jobs that the worker has."""
        return len(self.places)

    def has_place(self, place: Place) -> bool:
        """Whether the worker can take this job now."""
        most = self.spec.slots + PLACES_BESIDES_SLOTS
        if place.long:
            longs = sum(1 for other in self.places if other.long)
            return self.active < most and longs < most - PLACES_FOR_SHORT
        return self.active < most

    @property
    def idle(self) -> bool:
        """Whether it is loaded and has no job."""
        return self.ready and not self.places

    # --- admission ---

    def admit(self, request: Request) -> None:
        """Take a place in the queue; raises Overloaded or ModelFailed. `leave` gives it back."""
        self.check_cooling()
        if self.users >= self.spec.slots + self.queue:
            self.metrics.rejected(self.name, "queue")
            raise Overloaded(
                f"{self.users} requests wait for model {self.name} already",
                hint="try again later",
                retry_after_s=self.pace.retry_after_s(self.backlog_s),
            )
        self.users += 1
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
        """Give the place back."""
        self.users -= 1
        self.backlog_s -= audio_seconds(request)
        self.metrics.waiting(self.name, self.queued)

    @property
    def queued(self) -> int:
        """Jobs beyond those that compute."""
        return max(0, self.users - self.spec.slots)

    def place_for(self, request: Request) -> Place:
        """Return a place, not yet granted."""
        return Place(audio_seconds(request) > LONG_S, asyncio.get_running_loop().create_future())

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
        self.pace.begin(began)
        try:
            async with aclosing(worker.run(request, self.step_limit_s(request), compute.append)) as events:
                async for event in events:
                    if first_s is None:
                        first_s = time.monotonic() - began
                    made_s += made_seconds(event)
                    if isinstance(event, LAST_EVENTS):
                        self._done(made_s or audio_seconds(request), compute, first_s)
                    yield event
        finally:
            self.pace.end()

    def _done(self, audio_s: float, steps_s: Sequence[float], first_s: float) -> None:
        """Measure a job that ended well."""
        self.jobs_done += 1
        self.pace.record(time.monotonic(), audio_s=audio_s, compute_s=sum(steps_s), first_s=first_s)
        self.metrics.job_done(self.name, audio_s=audio_s, steps_s=steps_s, first_s=first_s)
        self.measure()

    def step_limit_s(self, request: Request) -> float:
        """Return how long one step of this request may take."""
        audio_s = audio_seconds(request)
        weights = self.spec.installed.model.size_bytes if self.device == "cpu" else 0
        return step_limit_s(
            self.limits.step_s, audio_s, self.spec, weights_bytes=weights, factor=self.pace.realtime_factor or 0.0
        )

    # --- memory ---

    def measure(self, *, loaded: bool = False) -> None:
        """Measure what the worker holds: just `loaded` it replaces the estimate, then the most ever seen counts."""
        if self.worker is None or not self.worker.pid:
            return
        now_bytes = devices.resident_bytes(self.worker.pid)
        self.memory_bytes = now_bytes if loaded and now_bytes else max(self.memory_bytes, now_bytes)
        if (index := devices.gpu_index(self.device)) is not None:
            now_bytes = devices.gpu_resident_bytes(self.worker.pid, index)
            if loaded and not now_bytes:  # NVML sees other process ids than this container does
                now_bytes = max(0, devices.gpu_used_bytes(index) - self._gpu_before_bytes)
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

    def note_gpu(self) -> None:
        """Note what its GPU holds before the model is loaded."""
        if (index := devices.gpu_index(self.device)) is not None:
            self._gpu_before_bytes = devices.gpu_used_bytes(index)

    def needs(self) -> dict[str, int]:
        """Return what it takes of each device, as measured or estimated."""
        if self.device == "cpu":
            return {"cpu": self.memory_bytes}
        return {self.device: self.gpu_memory_bytes or self.memory_bytes, "cpu": self.memory_bytes}

    # --- keep-alive ---

    def hold(self) -> None:
        """Stop the keep-alive clock: the model is in use."""
        if self.expiry is not None:
            self.expiry.cancel()
        self.expiry = self.expires_at = None

    def expire_with(self, expired: Callable[[], object]) -> None:
        """Start the keep-alive clock of an idle model; negative: never."""
        self.hold()
        self._expired = expired
        if self.keep_alive_s >= 0 and self.worker is not None:
            self.expires_at = time.time() + self.keep_alive_s
            self.expiry = asyncio.get_running_loop().call_later(self.keep_alive_s, expired)

    def expires_no_later(self, at: float | None) -> None:
        """Put an expiry back that something other than a client's job has moved."""
        if self.expiry is not None and self._expired is not None and at is not None:
            self.hold()
            self.expires_at = at
            self.expiry = asyncio.get_running_loop().call_later(max(0.0, at - time.time()), self._expired)

    # --- status ---

    @property
    def shown(self) -> bool:
        """Whether there is something to show: a worker, somebody who waits for one, a cool-down."""
        return self.worker is not None or self.users > 0 or self.policy.cooling_s(time.monotonic()) > 0

    def status(self) -> WorkerStatus:
        """Return what `ps` shows."""
        cooling = self.policy.cooling_s(time.monotonic())
        return WorkerStatus(
            model=self.name,
            task=self.spec.installed.model.task,
            backend=self.spec.installed.model.backend,
            state=self._shown_state(cooling),
            device=self.device,
            pid=self.worker.pid if self.worker else None,
            memory_bytes=devices.resident_bytes(self.worker.pid) if self.worker else 0,
            gpu_memory_bytes=self.gpu_memory_bytes if self.worker else 0,
            slots=self.spec.slots,
            running=min(self.active, self.spec.slots),
            queued=self.queued,
            expires_at=self.expires_at,
            realtime_factor=self.pace.realtime_factor,
            first_result_s=self.pace.first_result_s,
            jobs_done=self.jobs_done,
            restarts=self.restarts,
            last_error=self.last_error,
            retry_at=time.time() + cooling if cooling else None,
        )

    def _shown_state(self, cooling: float) -> Literal["loading", "ready", "busy", "stopping", "failed"]:
        if self.state == "ready":
            return "busy" if self.users else "ready"
        if self.state == "absent":
            return "failed" if cooling else "loading"
        return self.state
