"""Pulling a model: one download however many ask, from the first source that has the right bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from slimvoice.errors import DiskFull, Unsupported
from slimvoice.models.asking import Asking
from slimvoice.models.crew import Report, work_through
from slimvoice.models.download import Download, disk_error
from slimvoice.models.files import Entry, Manifest, ModelFile, OnProgress, StoredFile
from slimvoice.models.formats import inspect
from slimvoice.models.sources.base import Source
from slimvoice.models.store import Store, free_bytes, link_or_copy, paths_by_role
from slimvoice.speech import Model

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

    def asking(self) -> Asking:
        """Return a session with the sources; a context manager."""
        return Asking(self._sources, offline=self._offline)

    def pull(self, entry: Entry, on_progress: OnProgress, *, again: bool = False) -> Manifest:
        """Bring a model here; raises PullError. Safe from any thread and process: the second one waits and shares."""
        report = Report(entry.model.name, on_progress)
        present = None if again else self._present(entry)
        if present is None:
            waiting = partial(self._tell_waiting, entry, report)
            with self._store.hold(entry.model.name, waiting):
                present = None if again else self._present(entry)
                try:
                    present = present or self._assemble(entry, report, again=again)
                except OSError as error:
                    raise disk_error(error, self._store.home) from error
        report.finished(sum(file.size for file in present.files))
        return present

    def _present(self, entry: Entry) -> Manifest | None:
        """Return the installed model if it is what the catalog means today."""
        manifest = self._store.manifest(entry.model.name)
        if manifest is None:
            return None
        stored = {(file.repo, file.revision, file.path): file.sha256 for file in manifest.files}
        wanted = {(file.repo, file.revision, file.path): file.sha256 for file in entry.files}
        current = stored.keys() == wanted.keys() and all(wanted[key] in ("", stored[key]) for key in wanted)
        return manifest if current else None

    def _tell_waiting(self, entry: Entry, report: Report) -> None:
        """Tell how far the process is that holds the model."""
        folder = self._store.staging_path(entry.model.name)
        done = sum(Download(folder, file).bytes_here for file in entry.files)
        report.waiting(done, entry.model.size_bytes)

    def _assemble(self, entry: Entry, report: Report, *, again: bool) -> Manifest:
        staging = self._store.staging(entry.model.name)
        with self.asking() as asking:
            plan: list[tuple[ModelFile, Download, StoredFile | None]] = []
            for file in entry.files:
                task = Download(staging, file, report.advance, report.pause)
                here = task.finished() or self._shared(file, task, asking, again=again)
                plan.append((file, task, here))
                report.expect(file.path, here.size if here else asking.size_of(file), task.bytes_here)
                if not file.size:  # someone was asked, which takes its time
                    report.tell()
            self._check_room(staging, report)
            missing = {
                place: partial(asking.fetch, file, task, report.asks)
                for place, (file, task, here) in enumerate(plan)
                if here is None
            }
            fetched = work_through(missing, report)
            stored = tuple(here or fetched[place] for place, (_, _, here) in enumerate(plan))
        model = self._inspected(entry, staging, stored)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(model=model, files=stored, pulled_at=moment)
        self._store.publish(manifest)
        return manifest

    def _inspected(self, entry: Entry, staging: Path, stored: Sequence[StoredFile]) -> Model:
        """Return the model with what its files tell. Files that no hash vouches for must be what they should be."""
        try:
            return inspect(entry.model, paths_by_role(staging, stored))
        except Unsupported:
            if not entry.detected and all(file.verified_by != "nothing" for file in stored):
                return entry.model
            self._store.discard(entry.model.name)
            raise

    def _shared(self, file: ModelFile, task: Download, asking: Asking, *, again: bool) -> StoredFile | None:
        """Take the file from a model that is already here."""
        if again and not file.sha256:  # only the hub can tell whether an unpinned file is still the same
            sha256 = asking.sha256_of(file)
            if not sha256:
                return None
            file = msgspec.structs.replace(file, sha256=sha256)
        donor = self._store.donor(file)
        if donor is None:
            return None
        path, stored = donor
        link_or_copy(path, task.path)
        return task.finish(
            msgspec.structs.replace(
                stored, role=file.role, repo=file.repo, path=file.path, revision=file.revision, source="volume"
            )
        )

    def _check_room(self, staging: Path, report: Report) -> None:
        needed, free = report.missing_bytes, self._free(staging)
        if needed and free < needed + _MARGIN_BYTES:
            raise DiskFull(
                f"{report.model} needs {needed / 1e6:.0f} MB, and {self._store.home} has {free / 1e6:.0f} MB free",
                hint="free some room (slimvoice rm MODEL), or point SLIMVOICE_HOME to a larger disk",
            )
