"""Pulls a model into the store: single-flight, from the first source that has the right bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from slimvoice.errors import DiskFull, PullError, Unsupported
from slimvoice.models.download import Download, disk_error
from slimvoice.models.formats import inspect
from slimvoice.models.pull_progress import PullProgressTracker, run_parallel
from slimvoice.models.records import CatalogEntry, Manifest, ModelFile, OnProgress, StoredFile
from slimvoice.models.source_chain import SourceChain
from slimvoice.models.sources.base import Source
from slimvoice.models.store import Store, free_bytes, link_or_copy, paths_by_role
from slimvoice.speech import Model

_READ_BYTES = 1 << 20
_MARGIN_BYTES = 64_000_000
"""Room that a pull leaves on the volume."""


class Puller:
    """Pulls models into a store."""

    def __init__(
        self,
        store: Store,
        sources: Sequence[Source],
        *,
        offline: bool = False,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._store = store
        self._sources = sources
        self._offline = offline
        self._free = free

    def source_chain(self) -> SourceChain:
        """Return the chain of sources; a context manager."""
        return SourceChain(self._sources, offline=self._offline)

    def pull(self, entry: CatalogEntry, on_progress: OnProgress, *, again: bool = False) -> Manifest:
        """Pull a model; raises PullError. Safe from any thread and process: the second one waits and shares."""
        tracker = PullProgressTracker(entry.model.name, on_progress)
        present = None if again else self._intact(entry, tracker)
        if present is None:
            waiting = partial(self._notify_waiting, entry, tracker)
            with self._store.hold(entry.model.name, waiting):
                present = None if again else self._intact(entry, tracker)
                try:
                    present = present or self._assemble(entry, tracker, again=again)
                except OSError as error:
                    raise disk_error(error, self._store.home) from error
                except PullError as error:
                    if not again and self._present(entry) is not None:  # here, wanted, and not intact
                        error.message = f"{entry.model.name} is damaged in the volume: {error.message}"
                    raise
        tracker.finished(sum(file.size for file in present.files))
        return present

    def _intact(self, entry: CatalogEntry, tracker: PullProgressTracker) -> Manifest | None:
        """Return the installed model if it is what the catalog means today, and every byte of it is right."""
        manifest = self._present(entry)
        if manifest is None:
            return None
        folder = self._store.folder(entry.model.name)
        for file in manifest.files:
            if not self._is_intact(tracker, folder / file.path, file):
                return None
        return manifest

    @staticmethod
    def _is_intact(tracker: PullProgressTracker, path: Path, stored: StoredFile) -> bool:
        """Return whether a file has the sha256 that it was stored with; one that cannot be read has not."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    digest.update(chunk)
                    tracker.verifying(stored.path, len(chunk))
        except OSError:
            return False
        return digest.hexdigest() == stored.sha256

    def _present(self, entry: CatalogEntry) -> Manifest | None:
        """Return the installed model if it is what the catalog means today."""
        manifest = self._store.manifest(entry.model.name)
        if manifest is None:
            return None
        stored = {(file.repo, file.revision, file.path): file.sha256 for file in manifest.files}
        wanted = {(file.repo, file.revision, file.path): file.sha256 for file in entry.files}
        current = stored.keys() == wanted.keys() and all(wanted[key] in ("", stored[key]) for key in wanted)
        return manifest if current else None

    def _notify_waiting(self, entry: CatalogEntry, tracker: PullProgressTracker) -> None:
        """Report the progress of the process that pulls this model."""
        folder = self._store.staging_path(entry.model.name)
        done = sum(Download(folder, file).bytes_here for file in entry.files)
        tracker.waiting(done, entry.model.size_bytes)

    def _assemble(self, entry: CatalogEntry, tracker: PullProgressTracker, *, again: bool) -> Manifest:
        staging = self._store.staging(entry.model.name)
        with self.source_chain() as source_chain:
            plan: list[tuple[ModelFile, Download, StoredFile | None]] = []
            for file in entry.files:
                download = Download(staging, file, tracker.advance, tracker.pause)
                here = download.finished() or self._shared(file, download, source_chain, tracker, again=again)
                plan.append((file, download, here))
                tracker.expect(file.path, here.size if here else source_chain.size_of(file), download.bytes_here)
                if not file.size:  # someone was asked, which takes its time
                    tracker.notify()
            self._check_room(staging, tracker)
            missing = {
                index: partial(source_chain.fetch, file, download, tracker.source_chosen)
                for index, (file, download, here) in enumerate(plan)
                if here is None
            }
            fetched = run_parallel(missing, tracker)
            stored = tuple(here or fetched[index] for index, (_, _, here) in enumerate(plan))
        model = self._inspected(entry, staging, stored)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(model=model, files=stored, pulled_at=moment)
        self._store.publish(manifest)
        return manifest

    def _inspected(self, entry: CatalogEntry, staging: Path, stored: Sequence[StoredFile]) -> Model:
        """Return the model with what its files tell. Files that no hash vouches for must be what they should be."""
        try:
            return inspect(entry.model, paths_by_role(staging, stored))
        except Unsupported:
            if not entry.detected and all(file.verified_by != "nothing" for file in stored):
                return entry.model
            self._store.discard(entry.model.name)
            raise

    def _shared(
        self,
        file: ModelFile,
        download: Download,
        source_chain: SourceChain,
        tracker: PullProgressTracker,
        *,
        again: bool,
    ) -> StoredFile | None:
        """Take the file from a model that is already here."""
        if again and not file.sha256:  # only the hub can tell whether an unpinned file is still the same
            sha256 = source_chain.sha256_of(file)
            if not sha256:
                return None
            file = msgspec.structs.replace(file, sha256=sha256)
        donor = self._store.donor(file, partial(self._is_intact, tracker))
        if donor is None:
            return None
        path, stored = donor
        link_or_copy(path, download.path)
        return download.finish(
            msgspec.structs.replace(
                stored, role=file.role, repo=file.repo, path=file.path, revision=file.revision, source="volume"
            )
        )

    def _check_room(self, staging: Path, tracker: PullProgressTracker) -> None:
        needed, free = tracker.missing_bytes, self._free(staging)
        if needed and free < needed + _MARGIN_BYTES:
            raise DiskFull(
                f"{tracker.model} needs {needed / 1e6:.0f} MB, and {self._store.home} has {free / 1e6:.0f} MB free",
                hint="free some room (slimvoice rm MODEL), or point SLIMVOICE_HOME to a larger disk",
            )
