"""Room for models on the devices that there are."""

from types import SimpleNamespace
from typing import Any

import pytest

from slimvoice.engine.memory_budget import MemoryBudget
from slimvoice.errors import InsufficientMemory


async def never(*_: object) -> None:
    raise AssertionError("nothing is to be evicted or waited for")


def test_model_for_a_gpu_that_is_not_there_is_refused_with_what_to_do():
    model: Any = SimpleNamespace(name="whisper:base", memory_needs=lambda: {"cuda:0": 300, "cpu": 100})
    room = MemoryBudget({"whisper:base": model}, {"cpu": 10**9}, never, never)
    with pytest.raises(InsufficientMemory, match="no device cuda:0") as refused:
        room.fits(model)
    assert "SLIMVOICE_DEVICE=auto" in (refused.value.hint or "")
