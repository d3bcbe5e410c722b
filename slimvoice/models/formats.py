"""Inspects a model's files: lets its backend validate them, and read their voices and languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from slimvoice.backends.info import Inspect, wrong_files
from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.errors import SlimvoiceError
from slimvoice.speech import Model

_WORKING_BYTES = 200_000_000
"""Memory beside the weights, where neither catalog nor measurement says."""


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Return the model with what its files tell; raises Unsupported when they are of another kind.

    Native runtimes may abort on a wrong file, so this is looked at before the model becomes visible.
    """
    info = BACKENDS.get(model.backend)
    if info is not None and info.inspect:
        try:
            model = cast(Inspect, imported(info.inspect))(model, paths)
        except (SlimvoiceError, OSError):
            raise
        except Exception as error:  # a plug-in's own fault, or files that it did not reckon with
            raise wrong_files(model, f"{type(error).__name__}: {error}") from error
    if not model.memory_bytes and "weights" in paths:
        weights_bytes = Path(paths["weights"]).stat().st_size
        model = msgspec.structs.replace(model, memory_bytes=weights_bytes + _WORKING_BYTES)
    return model
