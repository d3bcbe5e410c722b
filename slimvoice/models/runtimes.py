"""The runtimes of the volume: HOME/runtimes/<name>-<version>-<wheels>/, visible only when whole.

Such a folder holds `wheels/`, as they were fetched (an export carries them), `site/`, which is what they hold
unpacked, and a manifest. The last part of its name stands for the very wheels, so another Python or a newer slimvoice
finds its own beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.runtime import RuntimeSpec, Wheel
from slimvoice.errors import ModelNotPulled, Unsupported
from slimvoice.models.records import StoredFile
from slimvoice.models.staging import StagedFolders, files_in, write_synced
from slimvoice.models.wheels import choose, this_machine
from slimvoice.speech import InstalledRuntime, Model

WHEELS, SITE = "wheels", "site"
_MANIFEST = "manifest.json"


class RuntimeManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a runtime's folder; written last, so its presence means the runtime is whole."""

    name: str
    version: str
    wheels: tuple[StoredFile, ...]
    unpacked_bytes: int = 0
    licence: str = ""
    pulled_at: str = ""
    format: int = 1

    @property
    def key(self) -> str:
        """Return the name of its folder."""
        return _key(self.name, self.version, [wheel.sha256 for wheel in self.wheels])

    @property
    def size_bytes(self) -> int:
        """Return what it takes on the disk."""
        return self.unpacked_bytes + sum(wheel.size for wheel in self.wheels)


class RuntimeStore:
    """Runtimes under `home`/runtimes."""

    def __init__(self, home: Path) -> None:
        self.staged = StagedFolders(home, home / "runtimes")

    def installed(self) -> list[RuntimeManifest]:
        """Return the manifest of every whole runtime, by name and version."""
        found = [manifest for path in self.staged.folders() if (manifest := _read(path)) is not None]
        return sorted(found, key=lambda manifest: (manifest.name, manifest.version, manifest.key))

    def manifest(self, key: str) -> RuntimeManifest | None:
        """Return a runtime's manifest; None when it is not here."""
        return _read(self.staged.folder(key))

    def find(self, spec: RuntimeSpec) -> RuntimeManifest | None:
        """Return the runtime of these very wheels for this machine; None when it is not here."""
        try:
            return self.manifest(key_of(spec, choose(spec)))
        except Unsupported:
            return None

    def require(self, model: Model) -> InstalledRuntime | None:
        """Return what workers of a model need on their path, None for nothing.

        Raises Unsupported where there is none for this machine, ModelNotPulled where it is not here.
        """
        spec = runtime_of(model.backend)
        if spec is None or spec.installed_by_pip:
            return None
        found = self.manifest(key_of(spec, choose(spec)))
        if found is None:
            raise ModelNotPulled(
                f"model {model.name} needs runtime {spec.name} {spec.version}, which is not on this machine",
                hint=f"slimvoice pull {model.name}",
                param="model",
            )
        site = str(self.folder(found.key) / SITE)
        return InstalledRuntime(name=spec.name, version=spec.version, kind=spec.kind, site=site)

    def missing(self, model: Model) -> bool:
        """Return whether a model needs a runtime that is not here."""
        spec = runtime_of(model.backend)
        return spec is not None and not spec.installed_by_pip and self.find(spec) is None

    def needed_by(self, models: Sequence[Model]) -> list[RuntimeManifest]:
        """Return the runtimes of the volume that these models need, each once; what pip has installed is not there."""
        needed: dict[str, RuntimeManifest] = {}
        for model in models:
            spec = runtime_of(model.backend)
            if spec is not None and (found := self.find(spec)) is not None:
                needed[found.key] = found
        return list(needed.values())

    def folder(self, key: str) -> Path:
        """Return where a runtime lies or would lie."""
        return self.staged.folder(key)

    def publish(self, manifest: RuntimeManifest) -> None:
        """Make a staged runtime visible in one rename."""
        staging = self.staged.staging(manifest.key)
        keep = {staging / WHEELS / wheel.path for wheel in manifest.wheels}
        for path in list(files_in(staging / WHEELS)):
            if path not in keep:
                path.unlink()
        write_synced(staging / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        self.staged.publish(manifest.key)

    def remove(self, name: str, version: str = "") -> int | None:
        """Remove one version of a runtime, or all; returns the bytes that this gave back, None where there was none."""
        found = [manifest for manifest in self.installed() if manifest.name == name]
        folders = [manifest.key for manifest in found if version in ("", manifest.version)]
        freed = 0
        for key in folders:
            with self.staged.hold(key):
                freed += self.staged.remove(key)
        return freed if folders else None


def key_of(spec: RuntimeSpec, wheels: Sequence[Wheel | StoredFile]) -> str:
    """Return the name of the folder that these wheels of a runtime have."""
    return _key(spec.name, spec.version, [wheel.sha256 for wheel in wheels])


def runtime_of(backend: str) -> RuntimeSpec | None:
    """Return what a backend's descriptor names; None where it needs nothing, or is not known."""
    info = BACKENDS.get(backend)
    return info.runtime if info is not None else None


def all_runtimes() -> dict[str, tuple[RuntimeSpec, tuple[str, ...]]]:
    """Return every runtime that a backend names, with those backends, by the runtime's name."""
    found: dict[str, tuple[RuntimeSpec, tuple[str, ...]]] = {}
    for backend, info in BACKENDS.items():
        if info.runtime is not None:
            _, backends = found.get(info.runtime.name, (info.runtime, ()))
            found[info.runtime.name] = (info.runtime, (*backends, backend))
    return found


def pinned(manifest: RuntimeManifest) -> tuple[RuntimeSpec, tuple[StoredFile, ...]]:
    """Return the descriptor that asks for these very wheels on this machine, and them as it names them.

    A manifest out of an export is not to be trusted: what it names is code, and would become paths. Raises Unsupported
    where no backend here asks for it.
    """
    spec, _ = all_runtimes().get(manifest.name, (None, ()))
    if spec is None:
        raise Unsupported(
            f"no backend here asks for runtime {manifest.name}", hint="install the same backends as where it was made"
        )
    wheels = choose(spec)
    if key_of(spec, wheels) != manifest.key:
        raise Unsupported(
            f"runtime {manifest.name} {manifest.version} of the export is not the one for {this_machine()}",
            hint="export on a machine with the same slimvoice, Python, system and processor",
        )
    return spec, tuple(
        StoredFile(
            role="wheel",
            repo=WHEELS,
            path=wheel.filename,
            revision="main",
            size=wheel.size,
            sha256=wheel.sha256,
            source="volume",
            verified_by="catalog",
        )
        for wheel in wheels
    )


def _key(name: str, version: str, hashes: list[str]) -> str:
    wheels = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
    return f"{name}-{version}-{wheels[:12]}"


def _read(folder: Path) -> RuntimeManifest | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=RuntimeManifest)
    return None
