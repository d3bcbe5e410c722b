"""Frees memory for a model: evicts idle models, waits for busy ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack

from slimvoice.engine.eviction import Allocation, Decision, decide, surplus
from slimvoice.engine.hosted_model import HostedModel
from slimvoice.errors import Cancelled, InsufficientMemory


class MemoryBudget:
    """The memory budget of each device (`cpu`, `cuda:N` -> bytes), and the models' allocations of it."""

    def __init__(
        self,
        models: Mapping[str, HostedModel],
        budgets: Mapping[str, int],
        evict: Callable[[HostedModel], Awaitable[None]],
        wait_for_change: Callable[[], Awaitable[object]],
    ) -> None:
        self._models = models
        self._budgets = budgets
        self._evict = evict
        self._wait_for_change = wait_for_change

    def fits(self, hosted: HostedModel) -> bool:
        """Whether the model fits without eviction; raises InsufficientMemory when it never could."""
        decision = self._decide(hosted)
        return decision.action == "load" and not decision.victims

    async def make_room_for(self, hosted: HostedModel, on_free: Callable[[HostedModel], None]) -> None:
        """Evict idle models and wait for busy ones until it fits; raises InsufficientMemory when it never could.

        `on_free` is called with each model that accepts jobs again.
        """
        held: set[str] = set()
        with ExitStack() as holds:
            while (decision := self._decide(hosted)).action != "load" or decision.victims:
                victims = [self._models[name] for name in decision.victims]
                idle = [victim for victim in victims if victim.idle]
                if idle:
                    await self._evict(idle[0])
                    continue
                if not hosted.slots.waiting:
                    raise Cancelled(f"nobody waits for model {hosted.name} any more")
                for victim in victims:
                    if victim.name not in held:
                        held.add(victim.name)
                        holds.callback(on_free, victim)
                        holds.enter_context(victim.new_jobs_held())
                await self._wait_for_change()

    def surplus_model(self) -> HostedModel | None:
        """Return the idle model to evict because measured memory exceeds a budget, if any."""
        for device, budget in self._budgets.items():
            name = surplus(budget, self._allocations(device))
            if name is not None:
                return self._models[name]
        return None

    def _decide(self, hosted: HostedModel) -> Decision:
        for device, need in hosted.memory_needs().items():
            if device not in self._budgets:
                raise InsufficientMemory(
                    f"there is no device {device} on this machine",
                    hint="check nvidia-smi, in a container --gpus all; or set SLIMVOICE_DEVICE=auto to use the CPU",
                )
            budget = self._budgets[device]
            others = self._allocations(device, besides=hosted)
            decision = decide(need, budget, others)
            if decision.action == "never":
                raise InsufficientMemory(
                    f"model {hosted.name} needs about {_size(need)} of {device} memory; the budget is {_size(budget)}",
                    hint="choose a smaller model, or raise SLIMVOICE_RAM_BUDGET or SLIMVOICE_GPU_BUDGET",
                )
            if decision.action == "wait" or decision.victims:
                return decision
        return Decision("load")

    def _allocations(self, device: str, besides: HostedModel | None = None) -> list[Allocation]:
        return [
            Allocation(r.name, r.memory_needs().get(device, 0), not r.idle, r.used_at)
            for r in self._models.values()
            if r is not besides and r.holds_memory and device in r.memory_needs()
        ]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
