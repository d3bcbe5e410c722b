"""Schedules the jobs of one worker, step by step. Runs in the worker process.

A job is a generator; a slot is a thread that takes one step of one job, then puts it back. New jobs and jobs that go on
take turns: a two-second command never waits behind an hour-long file, and a stream of commands never starves the file.

Where there are several slots, the first takes only first steps, so that a new job begins at once whatever the others
do; and the others run at a lower priority of the kernel's (`nice` is per thread on Linux, and the threads that OpenMP
starts inherit it), so that a step that took all cores before the new job came gives way to it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from slimvoice.engine.messages import LAST_EVENTS, Event, FromWorker, JobDone, StepDone, StepStarted
from slimvoice.errors import Cancelled, Inference, SlimvoiceError

Steps = Iterator[Sequence[Event]]

UNREAD_STEPS = 4
"""Steps that a job may be ahead of its reader: bounds what a slow client makes the server hold."""
TRACE_CHARS = 4000
LATER_STEPS_NICENESS = 10
"""Weight of a later step against a first one, where both want a core: about a tenth."""


class Job:
    """A running job; the JobControl that its backend sees."""

    def __init__(self, number: int, begin: Callable[[Job], Steps]) -> None:
        self.number = number
        self.cancelled = False
        self.threads = 1
        self.unread = 0
        self._begin = begin
        self._steps: Steps | None = None

    def step(self) -> Sequence[Event] | None:
        """Take one step; None: the job has ended."""
        if self._steps is None:
            self._steps = self._begin(self)
        return next(self._steps, None)

    def drop(self) -> None:
        """End the generator, running its `finally` clauses."""
        with contextlib.suppress(Exception):  # the worker loop: what a generator says while it ends helps nobody
            if self._steps is not None and hasattr(self._steps, "close"):
                self._steps.close()
        self._steps = None


class RunQueue:
    """The queue of runnable jobs. Not locked: the scheduler does that."""

    def __init__(self) -> None:
        self._dropped: deque[Job] = deque()
        self._fresh: deque[Job] = deque()
        self._going: deque[Job] = deque()
        self._fresh_next = True

    def add(self, job: Job) -> None:
        """Enqueue a new job."""
        self._fresh.append(job)

    def requeue(self, job: Job) -> None:
        """Enqueue a job for its next step."""
        (self._dropped if job.cancelled else self._going).append(job)

    def drop(self, job: Job) -> None:
        """Move a queued job to the front, to be ended."""
        for line in (self._fresh, self._going):
            if job in line:
                line.remove(job)
                self._dropped.append(job)

    @property
    def fresh(self) -> int:
        """How many new jobs are queued."""
        return len(self._fresh)

    def next(self, *, first_steps_only: bool = False) -> Job | None:
        """Dequeue the next job: a dropped one first, then new and continuing ones in turn."""
        if self._dropped:
            return self._dropped.popleft()
        going = None if first_steps_only else next((job for job in self._going if job.unread < UNREAD_STEPS), None)
        if self._fresh and (going is None or self._fresh_next):
            if not first_steps_only:  # that slot takes nobody's turn
                self._fresh_next = False
            return self._fresh.popleft()
        if going is not None:
            self._fresh_next = True
            self._going.remove(going)
        return going


def thread_share(threads: int, computing: int) -> int:
    """Return the threads of a step that begins while `computing` steps run or are about to, itself included."""
    return max(1, threads // max(1, computing))


class Scheduler:
    """Runs jobs in turn on `slots` threads that share `threads` cores. `send` must be safe to call from any thread."""

    def __init__(self, slots: int, threads: int, send: Callable[[FromWorker], None]) -> None:
        self._threads = max(1, threads)
        self._slots = slots
        self._send = send
        self._queue = RunQueue()
        self._jobs: dict[int, Job] = {}
        self._computing = 0
        self._changed = threading.Condition()
        for number in range(slots):
            first_steps_only = slots > 1 and number == 0
            threading.Thread(
                target=self._slot, args=(first_steps_only, slots > 1), name=f"slot-{number}", daemon=True
            ).start()

    def add(self, job: Job) -> None:
        """Queue a new job."""
        with self._changed:
            self._jobs[job.number] = job
            self._queue.add(job)
            self._changed.notify_all()

    def cancel(self, number: int) -> bool:
        """Cancel a job; its running step polls for that. False: there is no such job."""
        with self._changed:
            job = self._jobs.get(number)
            if job is not None:
                job.cancelled = True
                self._queue.drop(job)
                self._changed.notify_all()
            return job is not None

    def acknowledge(self, number: int) -> None:
        """Record that the reader has taken the events of one more step."""
        with self._changed:
            if (job := self._jobs.get(number)) is not None:
                job.unread -= 1
                self._changed.notify_all()

    def _slot(self, first_steps_only: bool, several: bool) -> None:
        if several and not first_steps_only:
            _lower_priority()
        while True:
            self._run(self._next_job(first_steps_only))

    def _next_job(self, first_steps_only: bool) -> Job:
        with self._changed:
            while (job := self._queue.next(first_steps_only=first_steps_only)) is None:
                self._changed.wait()
            self._computing += 1
            # New jobs that wait take the other slots in a moment: one thread each gets more done than all for each.
            job.threads = thread_share(self._threads, min(self._slots, self._computing + self._queue.fresh))
            return job

    def _run(self, job: Job) -> None:
        """Run one step of `job`, send its events and requeue it, or send its end."""
        error: SlimvoiceError | None = None
        events: Sequence[Event] | None = None
        began = time.monotonic()
        if not job.cancelled:
            self._send(StepStarted(job.number))
            events, error = _step(job)
        if events is not None and not job.cancelled:
            job.unread += 1
            self._send(StepDone(job.number, time.monotonic() - began, tuple(events)))
        ended = job.cancelled or events is None or any(isinstance(event, LAST_EVENTS) for event in events[-1:])
        if ended:
            job.drop()
        with self._changed:
            self._computing -= 1
            if ended:
                del self._jobs[job.number]
            else:
                self._queue.requeue(job)
                self._changed.notify_all()
        if ended:
            self._send(JobDone(job.number, error.to_data() if error else None))


def _step(job: Job) -> tuple[Sequence[Event] | None, SlimvoiceError | None]:
    """Take one step; whatever goes wrong becomes a SlimvoiceError."""
    try:
        return job.step(), None
    except Cancelled:
        return None, None
    except SlimvoiceError as error:
        return None, error
    except Exception as error:  # the worker loop is where everything else becomes data
        trace = "".join(traceback.format_exception(error))
        return None, Inference("the model failed on this input", detail=trace[-TRACE_CHARS:])


def _lower_priority() -> None:
    """Lower the scheduling priority of this thread and of those it starts."""
    with contextlib.suppress(OSError, AttributeError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LATER_STEPS_NICENESS)
