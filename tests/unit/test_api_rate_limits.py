"""When a key that has used up its rate may come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimvoice.api.rate_limits import MINUTE_S, wait_s


def fits(limit: int, cost: int, window: tuple[int, float, int, float], after_s: float) -> bool:
    """Ask as the library does, `after_s` seconds later."""
    last, last_s, present, present_s = window
    end_s = present_s - MINUTE_S
    if after_s >= end_s:
        last, last_s, present = present, present_s, 0
    return math.floor(last * max(0.0, last_s - after_s) / MINUTE_S + present) + cost <= limit


@pytest.mark.parametrize(
    ("limit", "cost", "window", "seconds"),
    [
        (60, 1, (0, 0.0, 60, 80.0), 20),  # the next minute begins in 20 s, and a moment later one request fits
        (2, 1, (0, 0.0, 2, 80.0), 20),
        (12, 11, (0, 0.0, 11, 82.0), 71.1),  # nearly all of it must be forgotten
        (60, 30, (60, 60.0, 0, 120.0), 29),
        (60, 30, (60, 31.5, 0, 91.5), 0.5),
        (60, 30, (0, 0.0, 0, 90.0), 0),
    ],
)
def test_the_wait_is_until_the_cost_fits(limit, cost, window, seconds):
    assert wait_s(limit, cost, window) == pytest.approx(seconds + 0.1, abs=0.05)


@given(st.integers(1, 600), st.data())
def test_after_the_wait_it_fits_and_before_it_does_not(limit, data):
    cost = data.draw(st.integers(1, limit))
    last, present = data.draw(st.integers(0, limit)), data.draw(st.integers(0, limit))
    left_s = data.draw(st.floats(0.5, MINUTE_S))
    window = (last, left_s if last else 0.0, present, left_s + MINUTE_S)
    wait = wait_s(limit, cost, window)
    assert wait <= 2 * MINUTE_S + 0.1
    assert fits(limit, cost, window, wait)
    assert wait < 0.2 or not fits(limit, cost, window, wait - 0.2)
