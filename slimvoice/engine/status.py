"""A hosted model as `slimvoice ps` shows it."""

from __future__ import annotations

from typing import Literal

from slimvoice import hardware
from slimvoice.engine.hosted_model import HostedModel
from slimvoice.speech import WorkerStatus


def worker_status(hosted: HostedModel) -> WorkerStatus:
    """Return what `ps` shows."""
    cooling = hosted.cooling_s
    return WorkerStatus(
        model=hosted.name,
        task=hosted.spec.installed.model.task,
        backend=hosted.backend,
        state=_listed_state(hosted),
        device=hosted.device,
        pid=hosted.worker.pid if hosted.worker else None,
        memory_bytes=hardware.resident_bytes(hosted.worker.pid) if hosted.worker else 0,
        gpu_memory_bytes=hosted.memory.gpu_bytes if hosted.worker else 0,
        slots=hosted.spec.slots,
        running=min(hosted.active, hosted.spec.slots),
        queued=hosted.queued,
        expires_at=hosted.keep_alive.expires_at,
        realtime_factor=hosted.throughput.realtime_factor,
        first_result_s=hosted.throughput.first_result_s,
        jobs_done=hosted.jobs_done,
        restarts=hosted.restarts,
        runtime=hosted.spec.variant,
        last_error=hosted.last_error,
        retry_at=hosted.clock.unix_s() + cooling if cooling else None,
    )


def _listed_state(hosted: HostedModel) -> Literal["loading", "ready", "busy", "stopping", "failed"]:
    match hosted.state:
        case "ready":
            return "busy" if hosted.admitted else "ready"
        case "loading" | "stopping":
            return hosted.state
        case _:
            return "failed" if hosted.cooling_s else "loading"
