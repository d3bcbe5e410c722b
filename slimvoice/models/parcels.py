"""What an import puts together: a model or a runtime, its files, and how it becomes visible."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from slimvoice.models.formats import inspect
from slimvoice.models.records import Manifest, OnProgress, StoredFile
from slimvoice.models.runtime_pull import assemble
from slimvoice.models.runtimes import WHEELS, RuntimeManifest, RuntimeStore, pinned
from slimvoice.models.store import Store, paths_by_role


@dataclass(frozen=True)
class Parcel:
    """A model or a runtime as it is put together out of an export."""

    name: str
    files: tuple[StoredFile, ...]
    folder: Path
    """Where its files are staged."""
    hold: Callable[[], AbstractContextManager[None]]
    is_here: Callable[[], bool]
    publish: Callable[[], None]


def model_parcel(store: Store, manifest: Manifest) -> Parcel:
    """Return what a model is made of, by its manifest."""
    name = manifest.model.name

    def is_here() -> bool:
        here = store.manifest(name)
        return here is not None and _contents(here) == _contents(manifest)

    def publish() -> None:
        inspect(manifest.model, paths_by_role(store.staging_path(name), manifest.files))
        store.publish(manifest)

    return Parcel(name, manifest.files, store.staging_path(name), lambda: store.hold(name), is_here, publish)


def runtime_parcel(
    store: RuntimeStore, manifest: RuntimeManifest, on_progress: OnProgress, free: Callable[[Path], int]
) -> Parcel:
    """Return what a runtime is made of, by the descriptor here; raises Unsupported before anything is written."""
    spec, files = pinned(manifest)
    return Parcel(
        name=f"runtime {spec.name}",
        files=files,
        folder=store.staged.staging_path(manifest.key) / WHEELS,
        hold=lambda: store.staged.hold(manifest.key),
        is_here=lambda: store.manifest(manifest.key) is not None,
        publish=lambda: store.publish(assemble(store, spec, files, on_progress, free)),
    )


def _contents(manifest: Manifest) -> set[tuple[str, str]]:
    return {(file.path, file.sha256) for file in manifest.files}
