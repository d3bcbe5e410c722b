"""The queue of one model: how many requests it admits, and how much audio they hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Admission:
    """Counts the requests of one model, waiting ones too, up to a bound."""

    def __init__(self, most: int) -> None:
        self.admitted = 0
        self.backlog_s = 0.0
        """Seconds of audio of all of them."""
        self._most = most

    @property
    def full(self) -> bool:
        """Whether one more must be refused."""
        return self.admitted >= self._most

    @contextmanager
    def admit(self, audio_s: float) -> Iterator[None]:
        """Count one request until the block ends."""
        self.admitted += 1
        self.backlog_s += audio_s
        try:
            yield
        finally:
            self.admitted -= 1
            self.backlog_s -= audio_s
