"""Decides which models to evict so that another fits in memory. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

FILE_FACTOR = 1.5
"""Resident bytes per byte of weights before anything was measured: weights, buffers, the runtime."""
RUNTIME_BYTES = 100_000_000
"""A worker process without its model."""


@dataclass(frozen=True)
class Allocation:
    """The memory that a loaded (or loading) model takes of a device."""

    name: str
    memory_bytes: int
    in_use: bool
    used_at: float


class Decision(msgspec.Struct, frozen=True):
    """`load`: after evicting `victims`. `wait`: for one of `victims` to become idle. `never`: it cannot fit."""

    action: Literal["load", "wait", "never"]
    victims: tuple[str, ...] = ()


def decide(need_bytes: int, budget_bytes: int, allocations: Sequence[Allocation]) -> Decision:
    """Choose the least recently used idle models to evict; what is in use is never evicted, only waited for."""
    if need_bytes > budget_bytes:
        return Decision("never")
    free = budget_bytes - sum(allocation.memory_bytes for allocation in allocations)
    victims: list[str] = []
    for allocation in sorted(allocations, key=lambda r: (r.in_use, r.used_at)):
        if free >= need_bytes:
            break
        free += allocation.memory_bytes
        victims.append(allocation.name)
    in_use = {allocation.name for allocation in allocations if allocation.in_use}
    if any(name in in_use for name in victims):
        return Decision("wait", tuple(victims))
    return Decision("load", tuple(victims))


def surplus(budget_bytes: int, allocations: Sequence[Allocation]) -> str | None:
    """Return the idle model to evict because models have grown past the budget together; never the last one."""
    if len(allocations) < 2 or sum(allocation.memory_bytes for allocation in allocations) <= budget_bytes:
        return None
    idle = [allocation for allocation in allocations if not allocation.in_use]
    return min(idle, key=lambda allocation: allocation.used_at).name if idle else None


def estimate_bytes(measured: int, stated: int, file_bytes: int) -> int:
    """Return what a model will take: as measured on this machine, else as the catalog states, else from its files."""
    return measured or stated or int(RUNTIME_BYTES + FILE_FACTOR * file_bytes)
