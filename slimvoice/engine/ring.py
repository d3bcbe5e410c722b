"""The jobs of one worker and whose turn it is. Runs in the worker process.

A job is a generator; a slot is a thread that takes one step of one job, then puts it back. New jobs and jobs that go on
take turns: a two-second command never waits behind an hour-long file, and a stream of commands never starves the file.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from slimvoice.engine.messages import Event, FromWorker, JobDone, StepDone, StepStarted
from slimvoice.errors import Cancelled, Inference, SlimvoiceError

Steps = Iterator[Sequence[Event]]


class Job:
    """A running job; the JobControl that its backend sees."""

    def __init__(self, number: int, begin: Callable[[Job], Steps]) -> None:
        self.number = number
        self.cancelled = False
        self.threads = 1
        self._begin = begin
        self._steps: Steps | None = None

    def step(self) -> Sequence[Event] | None:
        """Take one step; None: the job has ended."""
        if self._steps is None:
            self._steps = self._begin(self)
        return next(self._steps, None)

    def drop(self) -> None:
        """End the generator, running its `finally` clauses."""
        if self._steps is not None and hasattr(self._steps, "close"):
            self._steps.close()
        self._steps = None


class Ring:
    """Jobs in turn over `slots` threads that share `threads` cores. `send` must be safe to call from any thread."""

    def __init__(self, slots: int, threads: int, send: Callable[[FromWorker], None]) -> None:
        self._threads = max(1, threads)
        self._send = send
        self._fresh: deque[Job] = deque()
        self._going: deque[Job] = deque()
        self._jobs: dict[int, Job] = {}
        self._computing = 0
        self._fresh_next = True
        self._closed = False
        self._changed = threading.Condition()
        self._slots = [threading.Thread(target=self._slot, name=f"slot-{i}", daemon=True) for i in range(slots)]
        for slot in self._slots:
            slot.start()

    def add(self, job: Job) -> None:
        """Queue a new job."""
        with self._changed:
            self._jobs[job.number] = job
            self._fresh.append(job)
            self._changed.notify()

    def cancel(self, number: int) -> None:
        """Tell a job that nobody wants it; the step it is in polls that."""
        with self._changed:
            if (job := self._jobs.get(number)) is not None:
                job.cancelled = True

    def close(self) -> None:
        """Cancel everything and wait for the slots to finish their steps."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancelled = True
            self._changed.notify_all()
        for slot in self._slots:
            slot.join()

    def _slot(self) -> None:
        while (job := self._take()) is not None:
            self._run(job)

    def _take(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fresh or self._going)
            if self._closed:
                return None
            both = bool(self._fresh) and bool(self._going)
            fresh = self._fresh_next if both else bool(self._fresh)
            self._fresh_next = not fresh
            job = (self._fresh if fresh else self._going).popleft()
            self._computing += 1
            job.threads = max(1, self._threads // self._computing)
            return job

    def _run(self, job: Job) -> None:
        """Take one step of `job`, tell its events and put it back, or tell its end."""
        error: SlimvoiceError | None = None
        events: Sequence[Event] | None = None
        began = time.monotonic()
        self._send(StepStarted(job.number))
        try:
            if not job.cancelled:
                events = job.step()
        except Cancelled:
            pass
        except SlimvoiceError as known:
            error = known
        except Exception as unknown:  # the worker loop is where everything else becomes data
            error = Inference("the model failed on this input", detail=repr(unknown))
        if events is not None and not job.cancelled:
            self._send(StepDone(job.number, time.monotonic() - began, tuple(events)))
        ended = events is None or job.cancelled
        if ended:
            job.drop()
        with self._changed:
            self._computing -= 1
            if ended:
                del self._jobs[job.number]
            else:
                self._going.append(job)
                self._changed.notify()
        if ended:
            self._send(JobDone(job.number, error.to_data() if error else None))
