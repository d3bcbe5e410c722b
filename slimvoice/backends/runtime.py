"""What a backend needs that slimvoice does not bring: wheels, pinned. Data only, read without importing a runtime."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import msgspec


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel of a package index. Its name tells project, version, Python and platform."""

    filename: str
    sha256: str
    size: int
    """Bytes."""


class RuntimeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that is pulled with the first model of its backend.

    `beside`: its packages are put behind our own on the path of that backend's workers, so they never replace one of
    ours. `apart`: its workers see the standard library, these wheels, and of our packages only slimvoice's own needs.
    """

    name: str
    version: str
    kind: Literal["beside", "apart"]
    wheels: tuple[Wheel, ...]
    """For every Python and platform; of each project the one that fits best is taken. Dependencies are named too."""
    modules: tuple[str, ...] = ()
    """Top-level modules that show that pip has installed it: then nothing is fetched. Empty: always fetched."""
    python: str = ""
    """Versions of Python that it needs (PEP 440), where the wheels' tags do not tell."""
    licence: str = ""

    @property
    def installed_by_pip(self) -> bool:
        """Return whether this Python has it already, by an extra for example. Looks, and imports nothing."""
        return bool(self.modules) and all(find_spec(module) is not None for module in self.modules)
