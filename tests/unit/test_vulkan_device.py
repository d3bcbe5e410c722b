"""Vulkan is asked for by name, and only for what can run on it."""

import pytest

from slimvoice import hardware
from slimvoice.backends.registry import BACKENDS
from slimvoice.config import Settings
from slimvoice.config_sources import load
from slimvoice.engine.engine import _budgets
from slimvoice.errors import ConfigError


@pytest.mark.parametrize("device", ["vulkan", "vulkan:1"])
def test_vulkan_is_a_device_with_a_budget(device):
    settings = Settings(device=device)
    assert hardware.choose(settings.device, True, {}) == device
    assert _budgets(settings)[device] > 0


def test_only_whisper_runs_on_vulkan():
    assert [name for name, info in BACKENDS.items() if info.placement.vulkan] == ["whisper.cpp"]
    assert hardware.choose("vulkan", False, {}) == "cpu"


def test_auto_never_means_vulkan():
    assert not any(device.startswith("vulkan") for device in _budgets(Settings(device="auto")))


def test_misspelt_device_is_refused():
    with pytest.raises(ConfigError, match="vulkan or vulkan:N"):
        load({"device": "vulcan"}, environ={})
