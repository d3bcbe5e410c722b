"""Whose turn it is among the jobs of a worker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

import pytest

from slimvoice.engine.messages import Event, FromWorker, JobDone, StepDone, StepStarted
from slimvoice.engine.scheduler import UNREAD_STEPS, Job, RunQueue, Scheduler, thread_share
from slimvoice.errors import Inference, InvalidRequest
from slimvoice.speech import Progress, TranscriptDone

DONE = TranscriptDone(language="en", duration_s=1)


def job(number: int, steps: Iterator[Sequence[Event]] | None = None) -> Job:
    return Job(number, lambda _: steps or iter(()))


def progress(steps: int) -> Iterator[Sequence[Event]]:
    for number in range(steps):
        yield (Progress(done_s=number, total_s=steps),)


class Said:
    """What a ring has sent."""

    def __init__(self) -> None:
        self.messages: queue.Queue[FromWorker] = queue.Queue()

    def until_done(self, count: int = 1) -> list[FromWorker]:
        found: list[FromWorker] = []
        while sum(isinstance(message, JobDone) for message in found) < count:
            found.append(self.messages.get(timeout=10))
        return found


@pytest.fixture
def said() -> Said:
    return Said()


# --- turns -------------------------------------------------------------------------------------------


def test_new_jobs_and_those_that_go_on_take_turns() -> None:
    run_queue = RunQueue()
    long = job(0)
    run_queue.requeue(long)
    for number in (1, 2, 3):
        run_queue.add(job(number))
    order = []
    for _ in range(6):
        taken = run_queue.next()
        assert taken is not None
        order.append(taken.number)
        if taken is long:
            run_queue.requeue(long)
    assert order == [1, 0, 2, 0, 3, 0]


def test_slot_for_first_steps_leaves_later_ones_alone_and_takes_nobodys_turn() -> None:
    run_queue = RunQueue()
    run_queue.requeue(job(0))
    assert run_queue.next(first_steps_only=True) is None
    run_queue.add(job(1))
    run_queue.add(job(2))
    first, second = run_queue.next(first_steps_only=True), run_queue.next()
    assert first is not None and first.number == 1
    assert second is not None and second.number == 2


def test_job_ahead_of_its_reader_waits_and_others_go_on() -> None:
    run_queue = RunQueue()
    unread, other = job(1), job(2)
    unread.unread = UNREAD_STEPS
    run_queue.requeue(unread)
    run_queue.requeue(other)
    assert run_queue.next() is other
    assert run_queue.next() is None
    unread.unread -= 1
    assert run_queue.next() is unread


def test_dropped_job_comes_first_even_where_its_reader_is_gone() -> None:
    run_queue = RunQueue()
    gone = job(1)
    gone.unread = UNREAD_STEPS
    run_queue.requeue(gone)
    run_queue.add(job(2))
    run_queue.drop(gone)
    assert run_queue.next(first_steps_only=True) is gone


@pytest.mark.parametrize(
    ("threads", "computing", "share"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 2, 1), (1, 4, 1), (4, 0, 4)]
)
def test_steps_share_the_cores(threads: int, computing: int, share: int) -> None:
    assert thread_share(threads, computing) == share


# --- the ring ----------------------------------------------------------------------------------------


def test_steps_come_one_by_one_and_the_end_last(said: Said) -> None:
    scheduler = Scheduler(1, 1, said.messages.put)
    scheduler.add(job(7, progress(2)))
    kinds = [type(message) for message in said.until_done()]
    assert kinds == [StepStarted, StepDone, StepStarted, StepDone, StepStarted, JobDone]


def test_job_ends_with_its_last_event_without_another_turn(said: Said) -> None:
    scheduler = Scheduler(1, 1, said.messages.put)
    scheduler.add(job(7, iter([(DONE,)])))
    assert [type(message) for message in said.until_done()] == [StepStarted, StepDone, JobDone]


def test_unread_steps_are_bounded_until_somebody_reads(said: Said) -> None:
    scheduler = Scheduler(1, 1, said.messages.put)
    scheduler.add(job(1, progress(UNREAD_STEPS + 3)))
    scheduler.add(job(2, iter([(DONE,)])))
    seen = said.until_done()  # the other job has gone through meanwhile
    while sum(isinstance(message, StepDone) and message.job == 1 for message in seen) < UNREAD_STEPS:
        seen.append(said.messages.get(timeout=10))
    scheduler.add(job(3, iter([(DONE,)])))
    assert all(message.job == 3 for message in said.until_done() if not isinstance(message, StepStarted))
    for _ in range(UNREAD_STEPS + 3):
        scheduler.acknowledge(1)
    rest = said.until_done()
    assert sum(isinstance(message, StepDone) for message in rest) == 3


def test_cancel_flips_the_control_inside_a_step_and_closes_the_generator(said: Said) -> None:
    scheduler = Scheduler(1, 1, said.messages.put)
    started, closed = threading.Event(), threading.Event()

    def steps(control: Job) -> Iterator[Sequence[Event]]:
        try:
            started.set()
            while not control.cancelled:
                threading.Event().wait(0.001)
            yield ()
        finally:
            closed.set()

    scheduler.add(Job(1, steps))
    assert started.wait(10)
    assert scheduler.cancel(1)
    assert said.until_done()[-1] == JobDone(1)
    assert closed.is_set()


def test_cancelling_what_is_not_there_says_so(said: Said) -> None:
    assert not Scheduler(1, 1, said.messages.put).cancel(5)


def test_errors_become_data_and_the_slot_goes_on(said: Said) -> None:
    scheduler = Scheduler(1, 1, said.messages.put)

    def wrong(error: Exception) -> Iterator[Sequence[Event]]:
        raise error
        yield ()

    scheduler.add(job(1, wrong(InvalidRequest("no", param="language"))))
    scheduler.add(job(2, wrong(ZeroDivisionError("secret"))))
    scheduler.add(job(3, iter([(DONE,)])))
    ends = {message.job: message.error for message in said.until_done(3) if isinstance(message, JobDone)}
    assert ends[1] is not None and (ends[1].code, ends[1].param) == (InvalidRequest.code, "language")
    assert ends[2] is not None and ends[2].code == Inference.code
    assert "secret" not in ends[2].message and "ZeroDivisionError" in ends[2].detail
    assert ends[3] is None


def test_first_step_begins_while_later_steps_fill_the_other_slot(said: Said) -> None:
    scheduler = Scheduler(2, 2, said.messages.put)
    hold = threading.Event()

    def long() -> Iterator[Sequence[Event]]:
        yield (Progress(done_s=0, total_s=2),)
        hold.wait(10)
        yield (DONE,)

    scheduler.add(job(1, long()))
    seen = []
    while sum(isinstance(message, StepStarted) for message in seen) < 2:  # it is in its second step
        seen.append(said.messages.get(timeout=10))
    scheduler.add(job(2, iter([(DONE,)])))
    assert said.until_done()[-1] == JobDone(2)
    hold.set()
    assert said.until_done()[-1] == JobDone(1)


def test_first_of_several_waiting_jobs_leaves_cores_to_those_that_follow(said: Said) -> None:
    threads: dict[int, int] = {}
    begun, go_on = threading.Semaphore(0), threading.Event()

    def steps(job: Job) -> Iterator[Sequence[Event]]:
        threads[job.number] = job.threads
        begun.release()
        assert go_on.wait(10)
        yield (DONE,)

    scheduler = Scheduler(2, 2, said.messages.put)
    alone = Job(0, steps)
    scheduler.add(alone)
    assert begun.acquire(timeout=10)
    go_on.set()
    said.until_done()
    go_on.clear()
    with scheduler._changed:  # both are lined up before a slot looks
        for number in (1, 2):
            scheduler.add(Job(number, steps))
    assert all(begun.acquire(timeout=10) for _ in range(2))
    go_on.set()
    said.until_done(2)
    assert threads == {0: 2, 1: 1, 2: 1}
