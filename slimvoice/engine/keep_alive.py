"""The keep-alive of one model: how long it stays loaded while nobody uses it."""

from __future__ import annotations

from collections.abc import Callable

from slimvoice.engine.clock import Clock, Timer


class KeepAlive:
    """A timer that runs while a model is idle. `seconds` may change between two runs; negative: it never expires."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self.expires_at: float | None = None
        """Unix time; None: never, or the timer is not running."""
        self._clock = clock
        self._timer: Timer | None = None
        self._on_expired: Callable[[], object] = lambda: None

    def start(self, on_expired: Callable[[], object]) -> None:
        """Start the timer anew."""
        self._on_expired = on_expired
        if self.seconds < 0:
            self.stop()
        else:
            self._run_until(self._clock.unix_s() + self.seconds, self.seconds)

    def stop(self) -> None:
        """Stop the timer: the model is in use, or unloaded."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.expires_at = None

    def restore(self, expires_at: float | None) -> None:
        """Give a running timer an earlier expiry again, after a probe has moved it."""
        if self._timer is not None and expires_at is not None:
            self._run_until(expires_at, max(0.0, expires_at - self._clock.unix_s()))

    def _run_until(self, expires_at: float, delay_s: float) -> None:
        self.stop()
        self.expires_at = expires_at
        self._timer = self._clock.call_later(delay_s, self._on_expired)
