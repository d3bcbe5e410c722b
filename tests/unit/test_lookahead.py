"""Pieces are made ahead, and come in their order."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from slimvoice.backends.tts.lookahead import made_in_order

WAIT_S = 30


def test_all_come_in_order() -> None:
    makers = [lambda i=i: i for i in range(7)]
    assert list(made_in_order(makers, lambda: 2)) == list(range(7))
    assert list(made_in_order(makers, lambda: 1)) == list(range(7))
    assert list(made_in_order([], lambda: 2)) == []


def test_first_is_made_alone_and_the_others_by_twos() -> None:
    both = threading.Barrier(2)
    made: list[int] = []

    def maker(i: int) -> int:
        if i > 0:
            both.wait(WAIT_S)
        made.append(i)
        return i

    takes = made_in_order([lambda i=i: maker(i) for i in range(5)], lambda: 2)
    assert next(takes) == 0
    assert made == [0]
    assert list(takes) == [1, 2, 3, 4]


def test_none_is_begun_ahead_when_others_need_the_cores() -> None:
    made: list[int] = []
    takes = made_in_order([lambda i=i: made.append(i) for i in range(4)], lambda: 1)
    for count in range(1, 5):
        next(takes)
        assert len(made) == count


def test_error_comes_in_its_turn_and_nothing_runs_on() -> None:
    def fail() -> int:
        raise ValueError("third")

    takes = made_in_order([lambda: 0, lambda: 1, fail, lambda: 3, lambda: 4], lambda: 2)
    assert [next(takes), next(takes)] == [0, 1]
    with pytest.raises(ValueError, match="third"):
        next(takes)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("piece")]


def test_closing_waits_for_what_has_begun() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert may_end.wait(WAIT_S)
        ended.set()
        return 2

    with closing(made_in_order([lambda: 0, lambda: 1, slow, lambda: 3], lambda: 2)) as takes:
        assert [next(takes), next(takes)] == [0, 1]
        assert begun.wait(WAIT_S)
        may_end.set()
    assert ended.is_set()
