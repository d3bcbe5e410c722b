"""The facade of the models layer: finds, pulls, lists, removes, exports and imports models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from slimvoice.backends.registry import capabilities_of
from slimvoice.config import Settings
from slimvoice.errors import InvalidRequest, ModelNotFound, ModelNotPulled
from slimvoice.models.catalog import Catalog
from slimvoice.models.memory import MeasuredMemory
from slimvoice.models.records import HubName, Manifest, ModelFile, OnProgress, PullProgress, Resolved
from slimvoice.models.runtimes import RuntimeStore, runtime_of
from slimvoice.models.schema import is_model_name
from slimvoice.models.store import Store, free_bytes
from slimvoice.models.voice_index import VoiceIndex
from slimvoice.speech import LOCAL, InstalledModel, Model, Task

if TYPE_CHECKING:  # what only a pull needs is imported by it: listing models must be quick
    from slimvoice.models.pull import Puller
    from slimvoice.models.sources.base import Source

__all__ = ["ModelLibrary", "PullProgress"]

STARTERS = "starters"
"""Among names of models to pull: the small ones that a first start pulls."""

_MAX_INDEX_BYTES = 16_000_000


class ModelLibrary:
    """Models by name. Thread-safe; looking one up costs a stat, and touches no network.

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
        self.runtimes = RuntimeStore(self._home)
        self._index = VoiceIndex(self._home / "cache" / "voices")
        self._memory = MeasuredMemory(self._home / "cache" / "memory.json")
        self._described: dict[str, tuple[Manifest, InstalledModel]] = {}

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
        self._described.clear()
        return count

    @property
    def starters(self) -> tuple[str, ...]:
        """Models that a first start pulls."""
        return self.catalog.starters

    def expand(self, asked: Iterable[str]) -> list[str]:
        """Return names with `starters` replaced by those of the starters; none stands twice."""
        return list(dict.fromkeys(name for word in asked for name in (self.starters if word == STARTERS else [word])))

    def find(self, name: str, task: Task | None = None) -> Model:
        """Return the model that a name, an alias or an OpenAI name means; raises ModelNotFound.

        An empty name means the default of `task`. A model of another task is ModelNotFound too.
        """
        return self._model(self._find(name, task))

    def require(self, name: str, task: Task | None = None, *, check_files: bool = True) -> InstalledModel:
        """Return an installed model with its paths, ready to be loaded.

        Raises ModelNotFound, ModelNotPulled (the model, or the runtime that it needs), Unsupported (on this machine). A
        model that has lost a file is not pulled; without `check_files` that is not looked at.
        """
        found = self._find(name, task)
        manifest = found.manifest
        if manifest is None or (check_files and self.store.lost_files(manifest)):
            raise _not_pulled(found.name)
        installed = self._installed(manifest)
        runtime = self.runtimes.require(installed.model)
        return msgspec.structs.replace(installed, runtime=runtime) if runtime is not None else installed

    def check_pulled(self, name: str) -> None:
        """Raise ModelNotFound or ModelNotPulled unless a model's own files are here, whatever else it needs."""
        found = self._find(name, None)
        if found.manifest is None or self.store.lost_files(found.manifest):
            raise _not_pulled(found.name)

    def models(self) -> list[Model]:
        """Return every model that has a name: the catalog, and what was pulled straight from a hub."""
        named = {name: _equipped(entry.model) for name, entry in self.catalog.entries.items()}
        here = {model.name: model for model in (*(item.model for item in self.installed()), *self.damaged())}
        return list((named | here).values())

    def installed(self) -> list[InstalledModel]:
        """Return the models whose files are here, by name."""
        return [self._installed(manifest) for manifest in self.store.installed()]

    def damaged(self) -> list[Model]:
        """Return the models that have lost a file here, or whose file has another size, by name."""
        return [self._installed(manifest).model for manifest in self.store.damaged()]

    def pull(self, name: str, on_progress: OnProgress = lambda _: None, *, again: bool = False) -> InstalledModel:
        """Bring a model, and first the runtime that it needs, here and return it; blocks.

        Raises ModelNotFound, Unsupported (no runtime for this machine) or PullError.

        One that is here is read and verified, and what is damaged is brought again.
        Raising in `on_progress` cancels. What was fetched before a failure stays, and the next pull, in any process,
        goes on from there. `again` asks the hub whether unpinned files have changed.
        """
        if HubName.parse(name) is not None and self.store.manifest(name) is None:
            return self.pull_from_hub(name, on_progress)
        default_of = self.catalog.openai_task(name)
        found = self._resolve(name if default_of is None else self._default_name(default_of))
        self._pull_runtime(found.recipe.model, on_progress)
        return self._installed(self._puller().pull(found.recipe, on_progress, again=again))

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
            return self.pull(own, on_progress)
        puller = self._puller()
        with puller.source_chain() as source_chain:

            def peek(path: str, length: int) -> bytes:
                return source_chain.peek(
                    ModelFile(role="", repo=asked.repo, path=path, revision=asked.revision), length
                )

            entry = detect(asked, source_chain.paths(asked.repo, asked.revision), peek, own)
        self._pull_runtime(entry.model, on_progress)
        return self._installed(puller.pull(entry, on_progress))

    def remove(self, name: str) -> int:
        """Delete a model's files, half-pulled ones too; returns the bytes that became free. Raises ModelNotPulled.

        A runtime stays: another model may need it.
        """
        own = name if self.store.has_traces(name) else self._resolve(name).name
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

        models = [self.require(name).model for name in names]
        chosen = [found for model in models if (found := self.store.manifest(model.name))]
        return export_models(self.store, chosen, output, on_progress, runtimes=self.runtimes.needed_by(models))

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

    def _find(self, name: str, task: Task | None) -> Resolved:
        """Return what a name means, OpenAI's names and none at all too; raises ModelNotFound."""
        default_of = task if not name and task is not None else self.catalog.openai_task(name)
        found = self._default(default_of) if default_of is not None else self._resolve(name)
        if task is not None and found.task not in {None, task}:
            raise ModelNotFound(
                f"{found.name} is a {found.task} model, not {task}",
                hint="slimvoice list shows the models of each task",
                param="model",
            )
        return found

    def _default(self, task: Task) -> Resolved:
        """Return the default of a task: the one that is set, or the only one that is here."""
        found = self._resolve(self._default_name(task))
        if found.manifest is None:
            here = [manifest for manifest in self.store.installed() if manifest.model.task is task]
            if len(here) == 1:
                return Resolved(here[0].model.name, manifest=here[0])
        return found

    def _default_name(self, task: Task) -> str:
        settings = self._settings
        return settings.default_stt if task is Task.SPEECH_TO_TEXT else settings.default_tts

    def _may_be_called(self, name: str) -> bool:
        taken = self.catalog.get(name) is not None or name in self.catalog.openai_names
        return is_model_name(name) and HubName.parse(name) is None and not taken

    def _resolve(self, name: str) -> Resolved:
        """Return what a model's own name, an alias or a hub name means; raises ModelNotFound."""
        manifest = self.store.recorded(name)
        if manifest is not None:
            return Resolved(manifest.model.name, self.catalog.get(manifest.model.name), manifest)
        entry = self.catalog.get(name)
        if entry is None and HubName.parse(name) is not None:
            return Resolved(name)
        entry = entry or self.catalog.find(name)
        return Resolved(entry.model.name, entry, self.store.recorded(entry.model.name))

    def _model(self, found: Resolved) -> Model:
        if found.manifest is not None:
            return self._installed(found.manifest).model
        if found.entry is None:
            raise _not_pulled(found.name)
        return _equipped(found.entry.model)

    def _installed(self, manifest: Manifest) -> InstalledModel:
        """Return an installed model with its paths, described anew only where its manifest was read anew."""
        known = self._described.get(manifest.model.name)
        if known is None or known[0] is not manifest:
            model, files = self._describe(manifest), self.store.paths(manifest)
            sums = [(file.role, file.path, file.sha256) for file in manifest.files]
            fingerprint = hashlib.sha256(msgspec.msgpack.encode((model, sums))).hexdigest()
            model = msgspec.structs.replace(model, fingerprint=fingerprint, created=_created(files))
            known = self._described[manifest.model.name] = manifest, InstalledModel(model=model, files=files)
        return known[1]

    def _describe(self, manifest: Manifest) -> Model:
        """Return an installed model as today's catalog describes it, with what its own files told."""
        size_bytes = sum(file.size for file in manifest.files)
        found, entry = manifest.model, self.catalog.get(manifest.model.name)
        if entry is None:
            return _equipped(self.catalog.noted(msgspec.structs.replace(found, size_bytes=size_bytes)))
        model = msgspec.structs.replace(
            entry.model, size_bytes=size_bytes, languages=entry.model.languages or found.languages, lacks=found.lacks
        )
        if len(found.voices) > len(model.voices):  # of some models the speakers are known from their files only
            spoken = msgspec.structs.replace(model, voices=found.voices, default_voice=found.default_voice)
            model = self.catalog.noted(spoken)
        return _equipped(model)

    def _pull_runtime(self, model: Model, on_progress: OnProgress) -> None:
        """Bring what a model's backend needs besides it; raises Unsupported before anything is fetched, PullError."""
        spec = runtime_of(model.backend)
        if spec is not None and not spec.installed_by_pip:
            from slimvoice.models.runtime_pull import RuntimePuller

            RuntimePuller(self.runtimes, self._puller().source_chain, self._free).pull(spec, on_progress)

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


def _equipped(model: Model) -> Model:
    """Return a model with what it can do, whatever the catalog or a manifest says."""
    return msgspec.structs.replace(model, capabilities=capabilities_of(model), provider=LOCAL)


def _created(files: Mapping[str, str]) -> int:
    """Return when a model came here, as its files tell."""
    try:
        return max(int(Path(path).stat().st_mtime) for path in files.values())
    except (OSError, ValueError):
        return 0


def _not_pulled(name: str) -> ModelNotPulled:
    return ModelNotPulled(f"model {name} is not on this machine", hint=f"slimvoice pull {name}", param="model")
