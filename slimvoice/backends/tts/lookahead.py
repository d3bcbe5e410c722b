"""Make the next piece while one is awaited: a run alone leaves cores idle between the nodes of its graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def made_in_order(makers: Iterable[Callable[[], T]], at_once: Callable[[], int]) -> Generator[T, None, None]:
    """Yield what each of `makers` returns, in their order: the first alone, since somebody waits for it, then by twos.

    `at_once` is asked before each: under 2 none is begun before it is awaited. What a maker raises comes in its turn.
    Closing the iterator waits for what has begun.
    """
    rest = iter(makers)
    for first in rest:
        yield first()
        break
    begun: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(2, thread_name_prefix="piece")  # which starts threads when they are needed
    try:
        while True:
            while len(begun) < 2 and (at_once() > 1 or not begun):
                maker = next(rest, None)
                if maker is None:
                    break
                begun.append(pool.submit(maker))
            if not begun:
                return
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
