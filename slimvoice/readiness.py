"""Whether a server that has just started can serve its default models, and which pulls are still running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slimvoice.models.library import PullProgress


class Readiness:
    """Tracks the pulls requested at start; written by the event loop's thread only.

    `answerable` tells whether the default models are here.
    """

    def __init__(self, answerable: Callable[[], bool] = lambda: False) -> None:
        self._answerable = answerable
        self._pulls: dict[str, dict[str, Any]] = {}

    @property
    def ready(self) -> bool:
        """Whether nothing is awaited any more, or the default models can answer already."""
        return not self._pulls or self._answerable()

    @property
    def pulls(self) -> list[dict[str, Any]]:
        """What is awaited, and how far it is."""
        return list(self._pulls.values())

    def awaits(self, model: str) -> None:
        """Note that a model will be pulled."""
        self._pulls[model] = {"model": model, "status": "waiting", "completed": 0, "total": 0}

    def progresses(self, model: str, progress: PullProgress) -> None:
        """Note how far a pull is."""
        self._pulls[model] = {
            "model": model,
            "status": progress.status,
            "completed": progress.done_bytes,
            "total": progress.total_bytes,
        }

    def failed(self, model: str, message: str) -> None:
        """Note why a pull failed; it is tried again."""
        self._pulls[model] = {"model": model, "status": "failed", "completed": 0, "total": 0, "error": message}

    def settled(self, model: str) -> None:
        """Note that a model is here, or no longer awaited."""
        self._pulls.pop(model, None)
