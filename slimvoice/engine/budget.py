"""Whom to evict so that a model fits. Pure."""

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
class Resident:
    """A loaded (or loading) model as the budget sees it."""

    name: str
    memory_bytes: int
    in_use: bool
    used_at: float


class Decision(msgspec.Struct, frozen=True):
    """`load`: after evicting `victims`. `wait`: for one of `victims` to become idle. `never`: it cannot fit."""

    action: Literal["load", "wait", "never"]
    victims: tuple[str, ...] = ()


def decide(need_bytes: int, budget_bytes: int, residents: Sequence[Resident]) -> Decision:
    """Choose the least recently used idle models to evict; what is in use is never evicted, only waited for."""
    if need_bytes > budget_bytes:
        return Decision("never")
    free = budget_bytes - sum(resident.memory_bytes for resident in residents)
    victims: list[str] = []
    for resident in sorted(residents, key=lambda r: (r.in_use, r.used_at)):
        if free >= need_bytes:
            break
        free += resident.memory_bytes
        victims.append(resident.name)
    in_use = {resident.name for resident in residents if resident.in_use}
    if any(name in in_use for name in victims):
        return Decision("wait", tuple(victims))
    return Decision("load", tuple(victims))


def surplus(budget_bytes: int, residents: Sequence[Resident]) -> str | None:
    """Return the idle model to evict because models have grown past the budget together; never the last one."""
    if len(residents) < 2 or sum(resident.memory_bytes for resident in residents) <= budget_bytes:
        return None
    idle = [resident for resident in residents if not resident.in_use]
    return min(idle, key=lambda resident: resident.used_at).name if idle else None


def estimate_bytes(measured: int, stated: int, file_bytes: int) -> int:
    """Return what a model will take: as measured on this machine, else as the catalog states, else from its files."""
    return measured or stated or int(RUNTIME_BYTES + FILE_FACTOR * file_bytes)
