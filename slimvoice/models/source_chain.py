"""Tries the sources of a pull in order, and reports one error when all fail."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from slimvoice.errors import (
    ConfigError,
    Corrupted,
    DiskFull,
    Gated,
    Offline,
    PullError,
    SourceMissing,
    SourceUnreachable,
)
from slimvoice.models.download import Download
from slimvoice.models.records import ModelFile, StoredFile
from slimvoice.models.sources.base import Remote, Source

_HINTS: dict[type[PullError], str] = {
    Gated: "accept the model's terms on its page, then set HF_TOKEN",
    Corrupted: "pull again; if it stays, the file was changed at its source",
    SourceMissing: "check the repository, the file name and the revision",
    SourceUnreachable: "check the network, HF_ENDPOINT and proxies, or set SLIMVOICE_MIRROR to a folder or URL",
}


Answer = TypeVar("Answer")


class SourceChain:
    """The sources of one pull, in order. An unreachable one is skipped from then on."""

    def __init__(self, sources: Sequence[Source], *, offline: bool) -> None:
        self._sources = sources
        self._offline = offline
        self._down: dict[str, PullError] = {}
        self._described: dict[str, tuple[Source, Remote]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for source in self._sources:
            source.close()

    def size_of(self, file: ModelFile) -> int:
        """Return the file's bytes, asking where the catalog does not say; 0 when nobody says."""
        return file.size or self._describe(file).size

    def sha256_of(self, file: ModelFile) -> str:
        """Return the file's present sha256, asking where the catalog does not say; empty when nobody says."""
        return file.sha256 or self._describe(file).sha256

    def fetch(self, file: ModelFile, download: Download, on_source: Callable[[str, str], None]) -> StoredFile:
        """Download a file from the first source that has the right bytes; raises the most useful PullError."""
        failures: dict[str, PullError] = {}
        for source in self._usable(file, failures):
            try:
                on_source(file.path, source.name)
                return download.fetch(source, self._remote(source, file))
            except (DiskFull, ConfigError):
                raise
            except PullError as error:
                failures[source.name] = error
                if isinstance(error, SourceUnreachable):
                    self._down[source.name] = error
        raise self._verdict(file, failures)

    def paths(self, repo: str, revision: str) -> dict[str, int]:
        """List a repository from the first source that can; raises the most useful PullError."""
        file = ModelFile(role="", repo=repo, path="", revision=revision)
        return self._first(file, lambda source: source.paths(repo, revision))

    def peek(self, file: ModelFile, length: int) -> bytes:
        """Return the first bytes of a file."""
        return self._first(file, lambda source: _head(source, file, length))

    def _first(self, file: ModelFile, question: Callable[[Source], Answer]) -> Answer:
        failures: dict[str, PullError] = {}
        for source in self._usable(file, failures):
            try:
                return question(source)
            except PullError as error:
                failures[source.name] = error
                if isinstance(error, SourceUnreachable):
                    self._down[source.name] = error
        raise self._verdict(file, failures)

    def _describe(self, file: ModelFile) -> Remote:
        if file.label in self._described:
            return self._described[file.label][1]
        found = self._first(file, lambda source: (source, source.describe(file)))
        self._described[file.label] = found
        return found[1]

    def _remote(self, source: Source, file: ModelFile) -> Remote:
        if file.sha256:
            return Remote(size=file.size, sha256=file.sha256)
        known = self._described.get(file.label)
        return known[1] if known is not None and known[0] is source else source.describe(file)

    def _usable(self, file: ModelFile, failures: dict[str, PullError]) -> list[Source]:
        usable = []
        for source in self._sources:
            if not source.has(file):
                continue
            if self._offline and source.networked:
                continue
            if source.name in self._down:
                failures[source.name] = self._down[source.name]
                continue
            usable.append(source)
        return usable

    def _verdict(self, file: ModelFile, failures: dict[str, PullError]) -> PullError:
        label = file.label.rstrip("/")
        if self._offline:
            return Offline(
                f"{label} is not here, and slimvoice is offline",
                hint="unset SLIMVOICE_OFFLINE and HF_HUB_OFFLINE, or set SLIMVOICE_MIRROR to a folder, or import it",
            )
        story = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
        found = _most_useful(failures)
        if found is None:
            return PullError(f"cannot pull {label}: {story or 'no source is configured'}")
        kind = type(found)
        message = found.message if len(failures) == 1 else f"cannot pull {label}: {story}"
        return kind(message, hint=found.hint or _HINTS.get(kind, ""), detail=found.detail)


def _most_useful(failures: Mapping[str, PullError]) -> PullError | None:
    """Choose the failure to report: what someone can act on, then what the hub said, for a mirror may lack files."""
    for kind in (Gated, Corrupted):
        if found := next((error for error in failures.values() if isinstance(error, kind)), None):
            return found
    if "hub" in failures:
        return failures["hub"]
    unreachable = (error for error in failures.values() if isinstance(error, SourceUnreachable))
    return next(unreachable, None) or next(iter(failures.values()), None)


def _head(source: Source, file: ModelFile, length: int) -> bytes:
    chunks = source.open(file, 0, "").chunks
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= length:
            break
    if isinstance(chunks, Generator):
        chunks.close()
    return head[:length]
