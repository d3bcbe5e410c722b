"""The facade of the models layer: finds, pulls, lists, removes, exports and imports models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from slimvoice.config import Settings
from slimvoice.errors import InvalidRequest, ModelNotFound, ModelNotPulled
from slimvoice.models.catalog import Catalog
from slimvoice.models.memory import MeasuredMemory
from slimvoice.models.records import CatalogEntry, HubName, Manifest, ModelFile, OnProgress, PullProgress
from slimvoice.models.schema import is_model_name
from slimvoice.models.store import Store, free_bytes
from slimvoice.models.voice_index import VoiceIndex
from slimvoice.speech import InstalledModel, Model, Task

if TYPE_CHECKING:  # what only a pull needs is imported by it: listing models must be quick
    from slimvoice.models.pull import Puller
    from slimvoice.models.sources.base import Source

__all__ = ["ModelLibrary", "PullProgress"]

_MAX_INDEX_BYTES = 16_000_000


class ModelLibrary:
    """Models by name. Thread-safe; reading is cheap and touches no network.

    `sources` are where files come from; None: those that the settings and the hub's environment name. `free` tells
    how many bytes a folder's disk has left.
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source] | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._settings = settings
        self._home = settings.home.expanduser()
        self._sources = sources
        self._free = free
        self.store = Store(self._home)
        self._index = VoiceIndex(self._home / "cache" / "voices")
        self._memory = MeasuredMemory(self._home / "cache" / "memory.json")

    @cached_property
    def catalog(self) -> Catalog:
        """The packaged models.yaml with the user's own from the volume."""
        return Catalog.load(self._home / "models.yaml", self._index)

    def refresh(self) -> int:
        """Fetch the lists of voices that repositories keep, for `models` to show; returns how many voices there are.

        Raises PullError. Any of them can be pulled by its name without this.
        """
        with self._puller().source_chain() as source_chain:
            count = sum(
                self._index.keep(
                    repo, backend, source_chain.peek(ModelFile(role="", repo=repo, path=path), _MAX_INDEX_BYTES)
                )
                for repo, (backend, path) in self.catalog.indexes.items()
            )
        self.__dict__.pop("catalog", None)  # read it anew
        return count

    @property
    def starters(self) -> tuple[str, ...]:
        """Models that a first start pulls."""
        return self.catalog.starters

    def find(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name, an alias or an OpenAI name means; raises ModelNotFound.

        An empty name means the default of `task`. A model of another task is ModelNotFound too.
        """
        if not name and task is not None:
            return self._default(task)
        default_of = self.catalog.openai_task(name)
        model = self._default(default_of) if default_of is not None else self._named(name)
        if task is not None and model.task != task:
            raise ModelNotFound(
                f"{model.name} is a {model.task.value} model, not {task.value}",
                hint="slimvoice list shows the models of each task",
                param="model",
            )
        return model

    def require(self, name: str, task: Task | None = None) -> InstalledModel:
        """Return an installed model with its paths; raises ModelNotFound or ModelNotPulled."""
        return self._with_paths(self._manifest(name, task))

    def fingerprint(self, name: str, task: Task | None = None) -> str:
        """Return what changes whenever an installed model, its settings or its files do; raises as `require` does."""
        manifest = self._manifest(name, task)
        files = [(file.role, file.path, file.sha256) for file in manifest.files]
        return hashlib.sha256(msgspec.msgpack.encode((self._described(manifest), files))).hexdigest()

    def models(self) -> list[Model]:
        """Return every model that has a name: the catalog, and what was pulled straight from a hub."""
        named = {name: entry.model for name, entry in self.catalog.entries.items()}
        for manifest in self.store.installed():
            named[manifest.model.name] = self._described(manifest)
        return list(named.values())

    def installed(self) -> list[InstalledModel]:
        """Return the models whose files are here, by name."""
        return [self._with_paths(manifest) for manifest in self.store.installed()]

    def pull(self, name: str, on_progress: OnProgress = lambda _: None, *, again: bool = False) -> InstalledModel:
        """Pull a model and return it; blocks. Raises ModelNotFound or PullError.

        Raising in `on_progress` cancels. What was fetched before a failure stays, and the next pull, in any process,
        goes on from there. `again` asks the hub whether unpinned files have changed.
        """
        if HubName.parse(name) is not None and self.store.manifest(name) is None:
            return self.pull_from_hub(name, on_progress)
        default_of = self.catalog.openai_task(name)
        entry = self._entry(self._named(name if default_of is None else self._default_name(default_of)).name)
        return self._with_paths(self._puller().pull(entry, on_progress, again=again))

    def pull_from_hub(
        self,
        name: str,
        on_progress: OnProgress = lambda _: None,
        *,
        file: str = "",
        revision: str = "",
        as_name: str = "",
    ) -> InstalledModel:
        """Bring a model straight from a hub repository, `hf:OWNER/REPO[/FILE]`; its backend is found from its files.

        It is found afterwards as `as_name`, or as it was asked for. Raises Unsupported where no backend takes it,
        InvalidRequest where the repository holds several, and PullError.
        """
        from slimvoice.models.detect import detect

        asked = HubName.parse(name, file, revision)
        if asked is None:
            raise InvalidRequest(f"{name!r} is no hub repository", hint="write hf:OWNER/REPO", param="model")
        own = as_name or f"hf:{asked.repo}" + (f"/{asked.file}" if asked.file else "")
        if as_name and not self._may_be_called(as_name):
            raise InvalidRequest(f"{as_name!r} cannot be its name", hint="choose one that is free", param="as")
        if (here := self.store.manifest(own)) is not None and _is_from(here, asked):
            return self._with_paths(here)
        puller = self._puller()
        with puller.source_chain() as source_chain:

            def peek(path: str, length: int) -> bytes:
                return source_chain.peek(
                    ModelFile(role="", repo=asked.repo, path=path, revision=asked.revision), length
                )

            entry = detect(asked, source_chain.paths(asked.repo, asked.revision), peek, own)
        return self._with_paths(puller.pull(entry, on_progress))

    def remove(self, name: str) -> int:
        """Delete a model's files, half-pulled ones too; returns the bytes that became free. Raises ModelNotPulled."""
        own = name if self.store.has_traces(name) else self._named(name).name
        if not self.store.has_traces(own):
            raise ModelNotPulled(f"model {own} is not on this machine", param="model")
        with self.store.hold(own):
            freed = self.store.remove(own)
        self._memory.forget(own)
        return freed

    def export(self, names: Sequence[str], output: Path, on_progress: OnProgress = lambda _: None) -> list[Path]:
        """Write installed models into a tar, in parts where it is large; returns the parts. See models.archive.

        A broken export goes on where it stopped. Raises ModelNotPulled, DiskFull, Corrupted.
        """
        from slimvoice.models.archive import export_models

        chosen = [self.store.manifest(self.require(name).model.name) for name in names]
        return export_models(self.store, [manifest for manifest in chosen if manifest], output, on_progress)

    def import_(self, path: Path, on_progress: OnProgress = lambda _: None) -> list[str]:
        """Take the models of an export (its tar, or the first part) in; returns their names.

        Raises Corrupted, DiskFull, InvalidRequest. A broken import goes on where it stopped.
        """
        from slimvoice.models.archive import import_models

        return import_models(self.store, path, on_progress, self._free)

    def measured_memory(self, name: str) -> int:
        """Return the resident bytes of the model as measured on this machine; 0: never measured."""
        return self._memory.get(name)

    def record_memory(self, name: str, memory_bytes: int) -> None:
        """Remember what a loaded model takes, for the next start."""
        self._memory.put(name, memory_bytes)

    def _manifest(self, name: str, task: Task | None) -> Manifest:
        model = self.find(name, task)
        manifest = self.store.manifest(model.name)
        if manifest is None:
            raise ModelNotPulled(
                f"model {model.name} is not on this machine", hint=f"slimvoice pull {model.name}", param="model"
            )
        return manifest

    def _default(self, task: Task) -> Model:
        """Return the default of a task: the one that is set, or the only one that is here."""
        model = self._named(self._default_name(task))
        if self.store.manifest(model.name) is None:
            here = [manifest.model for manifest in self.store.installed() if manifest.model.task is task]
            if len(here) == 1:
                return self._named(here[0].name)
        return model

    def _default_name(self, task: Task) -> str:
        settings = self._settings
        return settings.default_stt if task is Task.SPEECH_TO_TEXT else settings.default_tts

    def _may_be_called(self, name: str) -> bool:
        taken = self.catalog.get(name) is not None or name in self.catalog.openai_names
        return is_model_name(name) and HubName.parse(name) is None and not taken

    def _named(self, name: str) -> Model:
        manifest = self.store.manifest(name)
        if manifest is not None:
            return self._described(manifest)
        if self.catalog.get(name) is None and HubName.parse(name) is not None:
            raise ModelNotPulled(f"model {name} is not on this machine", hint=f"slimvoice pull {name}", param="model")
        return self._entry(name).model

    def _entry(self, name: str) -> CatalogEntry:
        """Return what a name is made of: by the catalog, or as it was once pulled."""
        manifest = self.store.manifest(name) if self.catalog.get(name) is None else None
        if manifest is None:
            return self.catalog.find(name)
        files = (
            ModelFile(role=file.role, repo=file.repo, path=file.path, revision=file.revision) for file in manifest.files
        )
        return CatalogEntry(model=manifest.model, files=tuple(files))

    def _described(self, manifest: Manifest) -> Model:
        """Return an installed model as today's catalog describes it, with what its own files told."""
        size_bytes = sum(file.size for file in manifest.files)
        found, entry = manifest.model, self.catalog.get(manifest.model.name)
        if entry is None:
            return self.catalog.noted(msgspec.structs.replace(found, size_bytes=size_bytes))
        model = msgspec.structs.replace(
            entry.model, size_bytes=size_bytes, languages=entry.model.languages or found.languages, lacks=found.lacks
        )
        if len(found.voices) > len(model.voices):  # of some models the speakers are known from their files only
            spoken = msgspec.structs.replace(model, voices=found.voices, default_voice=found.default_voice)
            return self.catalog.noted(spoken)
        return model

    def _with_paths(self, manifest: Manifest) -> InstalledModel:
        return InstalledModel(model=self._described(manifest), files=self.store.paths(manifest))

    def _puller(self) -> Puller:
        from slimvoice.models.pull import Puller
        from slimvoice.models.sources import default_sources, is_offline

        sources = default_sources(self._settings) if self._sources is None else self._sources
        return Puller(self.store, sources, offline=is_offline(self._settings), free=self._free)


def _is_from(manifest: Manifest, asked: HubName) -> bool:
    """Return whether an installed model is what a hub name means."""
    return all((file.repo, file.revision) == (asked.repo, asked.revision) for file in manifest.files) and (
        not asked.file or any(file.path == asked.file for file in manifest.files)
    )
