"""The installed backends by name, found by entry point. Importing this, and descriptors, imports no runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from slimvoice.backends.entry_points import entry_points
from slimvoice.backends.info import BackendInfo, Recipe
from slimvoice.errors import ModelLoad, SourceMissing
from slimvoice.speech import Capabilities, Model

if TYPE_CHECKING:
    from slimvoice.backends.base import Backend, RuntimeVariants

GROUP = "slimvoice.backends"


class Backends(Mapping[str, BackendInfo]):
    """The installed backends that work, speech to text first, then by name; a descriptor is imported when it is asked
    for.

    One whose descriptor fails is left out, and named in `broken`: a plug-in must not take others with it.
    """

    def __init__(self, targets: Mapping[str, str] | None = None) -> None:
        self._targets = targets
        self._known: dict[str, BackendInfo] = {}
        self._broken: dict[str, str] = {}
        self._order: list[str] | None = None

    @property
    def targets(self) -> Mapping[str, str]:
        """Name -> `module:attribute` of each descriptor, read from the installed metadata without importing it."""
        if self._targets is None:
            self._targets = entry_points(GROUP)
        return self._targets

    @property
    def broken(self) -> Mapping[str, str]:
        """Name -> why a descriptor, or its part of the catalog, cannot be used."""
        list(self)
        return self._broken

    def __getitem__(self, name: str) -> BackendInfo:
        """Return a descriptor; raises KeyError when it is not installed, or broken."""
        if name not in self._known:
            if name in self._broken:
                raise KeyError(name)
            self._load(name, self.targets[name])
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of those that work."""
        if self._order is None:
            known = [(info.task, name) for name in self.targets if (info := self.get(name)) is not None]
            self._order = [name for _, name in sorted(known)]
        return iter(self._order)

    def __len__(self) -> int:
        """Return how many work."""
        return len(list(iter(self)))

    def _load(self, name: str, target: str) -> None:
        try:
            info = imported(target)
        except (Exception, SystemExit) as error:
            self.set_broken(name, f"{type(error).__name__}: {error}")
            raise KeyError(name) from error
        if not isinstance(info, BackendInfo):
            self.set_broken(name, f"{target} is no BackendInfo")
            raise KeyError(name)
        self._known[name] = info

    def set_broken(self, name: str, reason: str) -> None:
        """Leave a backend out from now on."""
        self._broken[name] = reason
        self._known.pop(name, None)
        self._order = None

    def require(self, name: str) -> BackendInfo:
        """Return a descriptor; raises ModelLoad that says what to install, or why it is broken."""
        if (info := self.get(name)) is not None:
            return info
        if (reason := self._broken.get(name)) is not None:
            raise ModelLoad(f"backend {name!r} is broken: {reason}", hint="slimvoice doctor")
        raise ModelLoad(
            f"no backend {name!r} is installed", hint="pip install the package that brings it; slimvoice doctor"
        )

    def catalog_file(self, name: str) -> Path | None:
        """Return the models.yaml beside a descriptor: its part of the catalog."""
        module = import_module(self.targets[name].partition(":")[0])
        path = Path(module.__file__ or "").parent / "models.yaml"
        return path if path.is_file() else None


BACKENDS = Backends()


def capabilities_of(model: Model) -> Capabilities:
    """Return what `model` can do, by its backend's descriptor; nothing where that is missing or broken."""
    info = BACKENDS.get(model.backend)
    if info is None:
        return Capabilities()
    able = info.capabilities if info.capabilities_of is None else info.capabilities_of(model)
    return msgspec.structs.replace(able, **dict.fromkeys(model.lacks, False)) if model.lacks else able


def runtime_variants(name: str) -> type[RuntimeVariants] | None:
    """Return the builds of a backend's runtime; None: there is only ever one."""
    target = BACKENDS.require(name).variants
    return cast("type[RuntimeVariants]", imported(target)) if target else None


def backend_class(name: str, target: str = "") -> type[Backend]:
    """Import a backend's class; only worker processes call this. Raises ModelLoad when its runtime is missing.

    `target` is `module:Class`, where the caller knows it: an environment apart sees no entry points.
    """
    try:
        return cast("type[Backend]", imported(target or BACKENDS.require(name).target))
    except ImportError as error:
        raise ModelLoad(
            f"the runtime of backend {name!r} is not installed: {error}",
            hint=install_hint(name),
        ) from error


def install_hint(name: str) -> str:
    """Return how to install the runtime of a backend: what is ours by what this machine has, else as it says."""
    from slimvoice import hardware

    install = info.install if (info := BACKENDS.get(name)) is not None else ""
    if install.partition("[")[0] == "slimvoice":
        return hardware.install_hint()
    return f"pip install '{install}'" if install else ""


def recipe_named(name: str) -> Recipe:
    """Return how a file is rebuilt of package members; raises SourceMissing when no backend knows the recipe."""
    for info in BACKENDS.values():
        if name in info.recipes:
            return cast(Recipe, imported(info.recipes[name]))
    raise SourceMissing(f"no installed backend knows the recipe {name!r}")


def imported(target: str) -> Any:
    """Import what a descriptor names as `module:attribute`."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
