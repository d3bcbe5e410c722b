"""What every descriptor must hold: tests on the fixtures `name` and `installed` (a pulled model of that backend)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.models.schema import parse
from slimvoice.speech import InstalledModel

_RUNTIMES = ("numpy", "onnxruntime", "torch", "tensorflow", "transformers", "ctranslate2")


def test_it_works(name: str) -> None:
    assert BACKENDS.broken.get(name) is None
    assert name in BACKENDS


def test_importing_it_imports_no_runtime_and_not_its_adapter(name: str) -> None:
    descriptor, adapter = (target.partition(":")[0] for target in (BACKENDS.targets[name], BACKENDS[name].target))
    code = f"import sys, {descriptor}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert adapter not in loaded
    assert not set(_RUNTIMES) & set(loaded)


def test_every_function_that_it_names_exists(name: str) -> None:
    info = BACKENDS[name]
    named = (info.detect, info.inspect, info.read_index, info.checks, info.probe.clip, *info.recipes.values())
    assert all(callable(imported(target)) for target in named if target)
    assert bool(info.detect) == bool(info.takes), "`takes` says in words what `detect` takes"


def test_its_part_of_the_catalog_is_valid_and_its_own(name: str) -> None:
    path = BACKENDS.catalog_file(name)
    if path is None:
        pytest.skip("it brings no models.yaml")
    spec = parse(path.read_text(encoding="utf-8"), str(path))
    assert {family.backend for family in spec.models} <= {name}
    assert {family.task for family in spec.models} <= {BACKENDS[name].task}


def test_a_model_of_its_own_passes_its_inspection(name: str, installed: InstalledModel) -> None:
    if not BACKENDS[name].inspect:
        pytest.skip("it inspects no files")
    found = imported(BACKENDS[name].inspect)(installed.model, installed.files)
    assert (found.name, found.backend, found.task) == (installed.model.name, name, BACKENDS[name].task)
