"""Progress of a pull: worker threads record downloaded bytes, the calling thread reports them and can cancel."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from slimvoice.errors import Cancelled
from slimvoice.models.records import OnProgress, PullProgress

_THREADS = 4
"""Files at once: a model of many small ones is all round trips."""
_TICK_S = 0.1
_VERIFYING_TICK_S = 1.0
_LEAVE_S = 1.0
"""Seconds that threads get to notice a cancelled pull; one that sits in a read after that writes nothing any more."""

Result = TypeVar("Result")


class PullProgressTracker:
    """Sums the bytes of a pull. Any thread may record; only the caller's thread reports."""

    def __init__(self, model: str, on_progress: OnProgress) -> None:
        self.model = model
        self.stopped = threading.Event()
        self._on_progress = on_progress
        self._sizes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._file = ""
        self._source = ""
        self._most = 0
        self._verified = 0
        self._verified_told = time.monotonic()

    @property
    def missing_bytes(self) -> int:
        """Bytes still to fetch, of the files whose size is known."""
        return sum(max(0, size - self._done[file]) for file, size in self._sizes.items())

    def expect(self, file: str, size: int, done: int) -> None:
        """Add a file of `size` bytes, of which `done` are here."""
        self._sizes[file] = size
        self._done[file] = done

    def source_chosen(self, file: str, source: str) -> None:
        """Record the source that a file is fetched from."""
        self._file, self._source = file, source

    def advance(self, file: str, done: int) -> None:
        """Record a file's bytes so far; raises Cancelled once the pull has ended."""
        if self.stopped.is_set():
            raise Cancelled(f"the pull of {self.model} was stopped")
        size = self._sizes.get(file, 0)  # never backwards: a bar that does is read as a fault
        self._done[file] = max(self._done.get(file, 0), min(done, size) if size else done)

    def pause(self, seconds: float) -> None:
        """Wait before a retry; raises Cancelled once the pull has ended."""
        if self.stopped.wait(seconds):
            raise Cancelled(f"the pull of {self.model} was stopped")

    def notify(self) -> None:
        """Report the progress; whatever the callback raises cancels the pull."""
        done = sum(self._done.values())
        total = sum(max(size, self._done[file]) for file, size in self._sizes.items())
        self._on_progress(
            PullProgress(model=self.model, file=self._file, done_bytes=done, total_bytes=total, source=self._source)
        )

    def verifying(self, file: str, count: int) -> None:
        """Report that `count` more bytes of what is here were read; only where that takes its time."""
        self._verified += count
        now = time.monotonic()
        if now >= self._verified_told + _VERIFYING_TICK_S:
            self._verified_told = now
            self._on_progress(
                PullProgress(
                    model=self.model,
                    file=file,
                    done_bytes=self._verified,
                    total_bytes=self._verified,
                    status="verifying",
                    source="volume",
                )
            )

    def waiting(self, done: int, total: int) -> None:
        """Report the progress of another process that pulls this model."""
        self._most = max(self._most, done)
        self._on_progress(
            PullProgress(model=self.model, done_bytes=self._most, total_bytes=max(total, self._most), status="waiting")
        )

    def finished(self, total: int) -> None:
        """Report that the pull is complete."""
        source = self._source or "volume"
        self._on_progress(
            PullProgress(model=self.model, done_bytes=total, total_bytes=total, status="done", source=source)
        )


def run_parallel(jobs: Mapping[int, Callable[[], Result]], tracker: PullProgressTracker) -> dict[int, Result]:
    """Run jobs in a few threads and return their results; the first failure, or a raising callback, cancels all."""
    waiting: queue.SimpleQueue[tuple[int, Callable[[], Result]]] = queue.SimpleQueue()
    for item in jobs.items():
        waiting.put(item)
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def work() -> None:
        while not tracker.stopped.is_set():
            try:
                index, job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results[index] = job()
            except BaseException as error:  # handed to the caller's thread
                failures.append(error)
                tracker.stopped.set()

    # daemons: a read that hangs must not keep a cancelled command from ending
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_THREADS, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        tracker.notify()
        while any(thread.is_alive() for thread in threads):
            _join(threads, _TICK_S)
            tracker.notify()
    finally:
        tracker.stopped.set()
        _join(threads, _LEAVE_S)
    if failures:
        raise failures[0]
    return results


def _join(threads: list[threading.Thread], seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
