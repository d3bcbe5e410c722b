"""Rate limits per key: requests and seconds of audio per minute, in a sliding window (the `limits` library)."""

from __future__ import annotations

import math

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from slimvoice.errors import RateLimited, TooLarge
from slimvoice.keys import Key

MINUTE_S = 60


class RateLimits:
    """Counts the usage of each key, in memory: a restart resets it."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def count_request(self, key: Key) -> None:
        """Count a request; raises RateLimited."""
        if key.requests_per_minute is not None:
            self._take(key, "requests", key.requests_per_minute, 1)

    def count_audio(self, key: Key, seconds: float) -> None:
        """Count audio before it is worked on; raises RateLimited, or TooLarge for what never fits the rate."""
        limit = key.audio_seconds_per_minute
        if limit is None:
            return
        cost = math.ceil(seconds)
        if cost > limit:
            raise TooLarge(
                f"key {key.name!r} may use {limit} s of audio per minute, and this is {cost} s", param="file"
            )
        if cost:
            self._take(key, "audio seconds", limit, cost)

    def check_audio(self, key: Key) -> None:
        """Refuse work whose length is not known yet when nothing is left; raises RateLimited."""
        limit = key.audio_seconds_per_minute
        if limit is not None and not self._limiter.test(RateLimitItemPerMinute(limit), key.id, "audio seconds"):
            raise self._refusal(key, "audio seconds", limit, 1)

    def add_audio(self, key: Key, seconds: float) -> None:
        """Count audio that was made, as far as the window has room."""
        limit = key.audio_seconds_per_minute
        if limit is None:
            return
        item = RateLimitItemPerMinute(limit)
        left = self._limiter.get_window_stats(item, key.id, "audio seconds").remaining
        cost = min(math.ceil(seconds), left)
        if cost > 0:
            self._limiter.hit(item, key.id, "audio seconds", cost=cost)

    def _take(self, key: Key, what: str, limit: int, cost: int) -> None:
        if not self._limiter.hit(RateLimitItemPerMinute(limit), key.id, what, cost=cost):
            raise self._refusal(key, what, limit, cost)

    def _refusal(self, key: Key, what: str, limit: int, cost: int) -> RateLimited:
        window = self._storage.get_sliding_window(RateLimitItemPerMinute(limit).key_for(key.id, what), MINUTE_S)
        return RateLimited(
            f"key {key.name!r} has used up its {limit} {what} per minute", retry_after_s=wait_s(limit, cost, window)
        )


def wait_s(limit: int, cost: int, window: tuple[int, float, int, float]) -> float:
    """Return seconds until `cost` fits, if nothing else comes; the library only tells when one unit does.

    `window` is what `limits` knows: what was used in the last whole minute, the seconds for which that still counts,
    less and less, and the same of the present minute. Solved for time from its `floor(weighted) + cost <= limit`.
    """
    last, last_s, present, present_s = window
    room = limit - cost + 1
    if present < room:
        wait = last_s - MINUTE_S * (room - present) / last if last else 0.0
    else:
        wait = present_s - MINUTE_S * room / present
    return max(wait, 0.0) + 0.1
