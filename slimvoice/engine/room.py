"""Memory for models within each device's budget: what is idle goes, what is in use is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from slimvoice.engine.budget import Decision, decide, surplus
from slimvoice.engine.budget import Resident as Share
from slimvoice.engine.resident import Resident
from slimvoice.errors import Cancelled, InsufficientMemory


class Room:
    """The budgets (`cpu`, `cuda:N` -> bytes) and who holds what of them."""

    def __init__(
        self,
        residents: Mapping[str, Resident],
        budgets: Mapping[str, int],
        evict: Callable[[Resident], Awaitable[None]],
        change: Callable[[], Awaitable[object]],
    ) -> None:
        self._residents = residents
        self._budgets = budgets
        self._evict = evict
        self._change = change

    def fits(self, resident: Resident) -> bool:
        """Whether it can be loaded as things are; raises InsufficientMemory when it could never."""
        decision = self._decide(resident)
        return decision.action == "load" and not decision.victims

    async def make(self, resident: Resident, on_free: Callable[[Resident], None]) -> None:
        """Evict what is idle, wait for what is in use, until it fits; raises InsufficientMemory when it never could.

        `on_free` is told of each model that new jobs may have again.
        """
        held: set[str] = set()
        try:
            while (decision := self._decide(resident)).action != "load" or decision.victims:
                victims = [self._residents[name] for name in decision.victims]
                idle = [victim for victim in victims if victim.idle]
                if idle:
                    await self._evict(idle[0])
                    continue
                if not resident.waiters:
                    raise Cancelled(f"nobody waits for model {resident.name} any more")
                for victim in victims:
                    if victim.name not in held:
                        victim.wanted += 1
                        held.add(victim.name)
                await self._change()
        finally:
            for name in held:
                self._residents[name].wanted -= 1
                on_free(self._residents[name])

    def over(self) -> Resident | None:
        """Return the idle model that must go because models have grown past their budget, if any."""
        for device, budget in self._budgets.items():
            name = surplus(budget, self._shares(device))
            if name is not None:
                return self._residents[name]
        return None

    def _decide(self, resident: Resident) -> Decision:
        for device, need in resident.needs().items():
            if device not in self._budgets:
                raise InsufficientMemory(
                    f"there is no device {device} on this machine",
                    hint="check nvidia-smi, in a container --gpus all; or set SLIMVOICE_DEVICE=auto to use the CPU",
                )
            budget = self._budgets[device]
            others = self._shares(device, besides=resident)
            decision = decide(need, budget, others)
            if decision.action == "never":
                raise InsufficientMemory(
                    f"model {resident.name} needs about {_size(need)} of {device} memory; "
                    f"the budget is {_size(budget)}",
                    hint="choose a smaller model, or raise SLIMVOICE_RAM_BUDGET or SLIMVOICE_GPU_BUDGET",
                )
            if decision.action == "wait" or decision.victims:
                return decision
        return Decision("load")

    def _shares(self, device: str, besides: Resident | None = None) -> list[Share]:
        return [
            Share(r.name, r.needs().get(device, 0), not r.idle, r.used_at)
            for r in self._residents.values()
            if r is not besides and r.state != "absent" and device in r.needs()
        ]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
