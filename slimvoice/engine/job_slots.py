"""The job slots of one worker: which jobs hold one, which wait for one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from slimvoice.errors import SlimvoiceError

EXTRA_JOB_SLOTS = 4
"""Job slots beyond the compute slots: their jobs take turns with the others; the rest waits in the server."""
JOB_SLOTS_FOR_SHORT = 2
"""Job slots that long jobs leave free, so that a short one never waits for the end of a long one."""


@dataclass(eq=False)
class JobSlot:
    """A job's slot in a worker, granted or waited for."""

    long: bool
    granted: asyncio.Future[None]


class JobSlots:
    """The job slots of one worker with `compute_slots`; all of them are free again when it has ended its jobs."""

    def __init__(self, compute_slots: int) -> None:
        self._most = compute_slots + EXTRA_JOB_SLOTS
        self._held: set[JobSlot] = set()
        self._waiting: list[JobSlot] = []

    @property
    def active(self) -> int:
        """How many jobs hold a slot: while any does, the worker is never evicted."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """How many jobs wait for a slot."""
        return len(self._waiting)

    def request(self, *, long: bool) -> JobSlot:
        """Enqueue a job for a slot; its `granted` is set by `grant_waiting` or `reject_waiting`."""
        job_slot = JobSlot(long, asyncio.get_running_loop().create_future())
        self._waiting.append(job_slot)
        return job_slot

    def grant_waiting(self) -> None:
        """Grant the free slots to waiting jobs, in order; a short one overtakes a long one that must wait."""
        for job_slot in list(self._waiting):
            if job_slot.granted.done():  # its client has left
                self._waiting.remove(job_slot)
            elif self._is_free_for(job_slot):
                self._waiting.remove(job_slot)
                self._held.add(job_slot)
                job_slot.granted.set_result(None)

    def reject_waiting(self, error: SlimvoiceError) -> None:
        """Fail every waiting job, each with an error of its own."""
        waiting, self._waiting = self._waiting, []
        for job_slot in waiting:
            if not job_slot.granted.done():
                job_slot.granted.set_exception(SlimvoiceError.from_data(error.to_data()))

    def release(self, job_slot: JobSlot) -> bool:
        """Free a job's slot, or take the job out of the queue; returns whether it had its slot."""
        if job_slot in self._waiting:
            self._waiting.remove(job_slot)
        had_slot = job_slot in self._held
        self._held.discard(job_slot)
        return had_slot

    def _is_free_for(self, job_slot: JobSlot) -> bool:
        if job_slot.long:
            longs = sum(1 for other in self._held if other.long)
            return self.active < self._most and longs < self._most - JOB_SLOTS_FOR_SHORT
        return self.active < self._most
