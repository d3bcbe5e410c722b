"""Detects which backend a repository's files are for: each backend looks for its own, by their content."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import msgspec
import structlog

from slimvoice.backends.info import BackendInfo, Detect, DetectedModel, Repository
from slimvoice.backends.registry import BACKENDS, imported
from slimvoice.errors import InvalidRequest, SlimvoiceError, SourceMissing, Unsupported
from slimvoice.models.records import CatalogEntry, HubName, ModelFile
from slimvoice.speech import Model

log = structlog.get_logger(__name__)

Peek = Callable[[str, int], bytes]
"""Reads the first bytes of a file of the repository."""


class _Found(msgspec.Struct, frozen=True):
    backend: str
    model: DetectedModel

    @property
    def path(self) -> str:
        """Return the file that tells the model from others."""
        return self.model.files[0][1]


def detect(asked: HubName, paths: Mapping[str, int], peek: Peek, name: str) -> CatalogEntry:
    """Return the model that a repository holds, named `name`; raises Unsupported, InvalidRequest, SourceMissing."""
    if asked.file and asked.file not in paths:
        near = difflib.get_close_matches(asked.file, paths, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see the repository's list of files"
        raise SourceMissing(f"{asked.repo} has no file {asked.file}", hint=hint)
    found: dict[str, _Found] = {}
    for each in _found(Repository(paths, peek, asked.file)):
        found.setdefault(each.path, each)
    chosen = _only(asked, found)
    if chosen is None:
        taken = " and ".join(sorted(info.takes for info in BACKENDS.values() if info.takes))
        raise Unsupported(
            f"{asked.file or asked.repo} is no model of a backend that slimvoice has",
            hint=f"{taken} are taken",
            param="model",
        )
    return _entry(asked, chosen, paths, name)


def _found(repository: Repository) -> Iterator[_Found]:
    for backend, info in BACKENDS.items():
        if info.detect:
            for model in _detected(backend, info, repository):
                yield _Found(backend, model)


def _detected(backend: str, info: BackendInfo, repository: Repository) -> list[DetectedModel]:
    """Return what a backend finds; a plug-in that fails must not keep others from finding theirs."""
    try:
        found = list(cast(Detect, imported(info.detect))(repository))
    except SlimvoiceError:
        raise
    except Exception:
        log.exception("a backend failed to look at a repository", backend=backend)
        return []
    return [model for model in found if model.files and all(path in repository.paths for _, path in model.files)]


def _only(asked: HubName, found: Mapping[str, _Found]) -> _Found | None:
    """Choose where a repository holds several models: a backend may have an order, all else is the user's."""
    if len(found) > 1:
        preferred = [each for each in found.values() if each.model.preferred]
        if not preferred:
            some = ", ".join(sorted(found)[:8])
            raise InvalidRequest(f"{asked.repo} holds {len(found)} models", hint=f"name one by --file: {some}")
        return preferred[0]
    return next(iter(found.values()), None)


def _entry(asked: HubName, found: _Found, paths: Mapping[str, int], name: str) -> CatalogEntry:
    files = tuple(
        ModelFile(role=role, repo=asked.repo, path=path, revision=asked.revision) for role, path in found.model.files
    )
    model = Model(
        name=name,
        task=BACKENDS[found.backend].task,
        backend=found.backend,
        licence="see the repository",
        description=f"{asked.repo}, straight from the hub",
        size_bytes=sum(paths.get(file.path, 0) for file in files),
    )
    return CatalogEntry(model=model, files=files, detected=True)
