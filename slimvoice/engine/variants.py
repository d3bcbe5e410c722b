"""Which variant of a runtime a model is started with: the next lower one after a crash, remembered for this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
from filelock import FileLock

from slimvoice import hardware
from slimvoice.backends.registry import runtime_variants
from slimvoice.engine.health import Exit

log = structlog.get_logger(__name__)

FATAL_SIGNALS = frozenset({signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP})
"""What the code that a process runs brings upon it; other signals are sent by somebody."""


class Lowered(msgspec.Struct, frozen=True, kw_only=True):
    """Why a backend runs a lower variant of its runtime. It holds for one processor and one build."""

    variant: str
    why: str
    processor: str
    build: str


def next_lower(variant: str, lower: Sequence[str]) -> str | None:
    """Return the variant below `variant` ("": the best, which is not in `lower`); None: there is none."""
    if not variant:
        return lower[0] if lower else None
    rest = lower[lower.index(variant) + 1 :] if variant in lower else ()
    return rest[0] if rest else None


def died_of(end: Exit | None) -> str:
    """Return the name of the signal that a worker's own code has killed it with; "": it did not end so."""
    if end is None or end.cause != "crashed" or end.signal not in FATAL_SIGNALS:
        return ""
    return signal.Signals(end.signal).name


class Variants:
    """The lowered variants of each backend, kept in the volume. A lost file costs one crash per step, no more."""

    def __init__(self, home: Path) -> None:
        self._path = home.expanduser() / "cache" / "runtime-variants.json"
        self._lowered: dict[str, Lowered] = {}
        """Those that the volume could not keep, too."""

    @property
    def path(self) -> Path:
        """The file; without it, the best variant is tried again."""
        return self._path

    def lowered(self, backend: str) -> Lowered | None:
        """Return what holds for this processor and the build that is installed; None: the best variant."""
        found = self._lowered.get(backend) or self._read().get(backend)
        of_backend = runtime_variants(backend)
        if found is None or of_backend is None:
            return None
        here = (hardware.processor(), of_backend.build())
        return found if (found.processor, found.build) == here else None

    def first(self, backend: str) -> str:
        """Return the variant to start with; "": the best."""
        lowered = self.lowered(backend)
        return lowered.variant if lowered else ""

    async def after(self, backend: str, variant: str) -> tuple[str | None, str]:
        """Return the next lower variant, None where there is none, and what a user can do then."""
        of_backend = runtime_variants(backend)
        if of_backend is None:
            return None, ""
        return next_lower(variant, await asyncio.to_thread(of_backend.lower)), of_backend.hint()

    def keep(self, backend: str, variant: str, why: str) -> None:
        """Remember a variant that works after better ones have crashed."""
        of_backend = runtime_variants(backend)
        if of_backend is None:
            return
        kept = Lowered(variant=variant, why=why, processor=hardware.processor(), build=of_backend.build())
        self._lowered[backend] = kept
        with contextlib.suppress(OSError):  # a volume that is only read still serves
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path.with_suffix(".lock")):
                draft = self._path.with_suffix(f".{os.getpid()}")
                draft.write_bytes(msgspec.json.encode({**self._read(), backend: kept}))
                draft.replace(self._path)

    def _read(self) -> dict[str, Lowered]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Lowered])
        except (OSError, msgspec.DecodeError):
            return {}
