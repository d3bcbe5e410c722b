"""Real models, pulled by slimvoice itself into a home that outlives the test run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cache import cache_folder

from slimvoice.config import Settings
from slimvoice.errors import SlimvoiceError
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import InstalledModel

MODELS = (Path(__file__).parent / "models.txt").read_text().split()


@pytest.fixture(scope="session")
def model_home() -> Path:
    """Return a SLIMVOICE_HOME that has the models of models.txt.

    SLIMVOICE_TEST_HOME names it, SLIMVOICE_TEST_MIRROR a mirror folder to pull from.
    """
    home = cache_folder()
    library = ModelLibrary(Settings(home=home, mirror=os.environ.get("SLIMVOICE_TEST_MIRROR", "")))
    for name in MODELS:
        try:
            library.pull(name)
        except SlimvoiceError as error:
            pytest.fail(f"cannot pull {name}: {error}", pytrace=False)
    return home


@pytest.fixture(scope="session")
def library(model_home: Path) -> ModelLibrary:
    """Return the library of that home, off the network."""
    return ModelLibrary(Settings(home=model_home, offline=True))


@pytest.fixture(scope="session")
def installed(library: ModelLibrary):
    """Return a function that gives an installed model by name."""

    def get(name: str) -> InstalledModel:
        return library.require(name)

    return get
