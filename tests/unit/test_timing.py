"""Seconds per phase of a request."""

import asyncio

import pytest

from slimvoice import timing


async def test_phases_add_up_across_tasks_and_threads():
    async def queued() -> None:
        timing.record("queue", 0.5)

    with timing.collect() as seconds:
        await asyncio.create_task(queued())
        await asyncio.to_thread(timing.record, "compute", 2.0)
        timing.record("compute", 1.0)
    assert seconds == {"queue": 0.5, "compute": 3.0}


async def test_requests_at_once_are_kept_apart():
    async def request(size: float) -> dict[timing.Phase, float]:
        with timing.collect() as seconds:
            await asyncio.sleep(0)
            timing.record("compute", size)
            await asyncio.sleep(0)
        return seconds

    assert await asyncio.gather(request(1.0), request(2.0)) == [{"compute": 1.0}, {"compute": 2.0}]


def test_a_block_that_fails_is_measured_too():
    with timing.collect() as seconds, pytest.raises(ValueError, match="broken"), timing.measure("decode"):
        raise ValueError("broken")
    assert 0 <= seconds["decode"] < 1


def test_nothing_is_recorded_where_nobody_collects():
    timing.record("compute", 1.0)
    with timing.collect() as seconds:
        pass
    assert seconds == {}
