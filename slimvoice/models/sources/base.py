"""The interface of a source of model files: describe a file, open it at any byte offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from slimvoice.models.records import ModelFile


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a file before its bytes are read."""

    size: int = 0
    sha256: str = ""
    git_sha1: str = ""
    """Git's blob hash, which the hub gives for files outside LFS."""
    etag: str = ""
    commit: str = ""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """An opened file: `chunks` begin at byte `offset`, which is 0 where the source cannot start in the middle."""

    offset: int
    chunks: Iterator[bytes]
    """Empty chunks are heartbeats, so that a pull can be cancelled while a source works."""
    size: int = 0
    sha256: str = ""
    """What the source says of the whole file, where it says so without being asked."""
    under_way: Callable[[], int] | None = None
    """During heartbeats: about how many bytes the source has fetched before it can give the first."""


class Source(Protocol):
    """A place that files come from. Methods raise PullError: SourceMissing, SourceUnreachable, Gated, Corrupted."""

    @property
    def name(self) -> str:
        """Return the name that progress and manifest show."""
        ...

    @property
    def networked(self) -> bool:
        """Return whether using this source touches a network."""
        ...

    @property
    def answered(self) -> bool:
        """Return whether it ever answered: worth retrying when it breaks. One that is silent is left at once."""
        ...

    def has(self, file: ModelFile) -> bool:
        """Return whether it is worth asking this source for the file; cheap, touches nothing."""
        ...

    def describe(self, file: ModelFile) -> Remote:
        """Ask for size and hash."""
        ...

    def open(self, file: ModelFile, offset: int, etag: str) -> Body:
        """Open the file from `offset` on; `etag` is what the bytes so far belonged to, empty when there are none."""
        ...

    def paths(self, repo: str, revision: str) -> dict[str, int]:
        """List a repository: path -> bytes (0: unknown). Raises SourceMissing where listing is not possible."""
        ...

    def close(self) -> None:
        """Give back connections and scratch files."""
        ...
