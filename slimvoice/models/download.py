"""Downloads one file: resumed where it stopped, retried while it makes progress, verified at the end."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from slimvoice.errors import Corrupted, DiskFull, PullError, SourceUnreachable
from slimvoice.models.records import ModelFile, StoredFile
from slimvoice.models.sources.base import Body, Remote, Source

_READ_BYTES = 1 << 20
_PATIENCE = 4
"""Broken connections in a row, without one new byte, until a source that had answered is given up."""

Advance = Callable[[str, int], None]
"""Called with the file's path and its bytes so far; raising cancels the pull."""


class _Origin(msgspec.Struct, frozen=True):
    """What the bytes of a `.part` file belong to, so that no later process appends to something else."""

    sha256: str = ""
    etag: str = ""
    size: int = 0


class Download:
    """One file of a staged model."""

    def __init__(
        self,
        folder: Path,
        file: ModelFile,
        advance: Advance = lambda *_: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._file = file
        self._advance = advance
        self._pause = pause
        self.path = folder / file.path
        self._part = _beside(self.path, ".part")
        self._origin = _beside(self.path, ".origin")
        self._done = _beside(self.path, ".done")

    @property
    def bytes_here(self) -> int:
        """Bytes that an earlier pull left, whole or not."""
        for path in (self.path, self._part):
            with contextlib.suppress(OSError):
                return path.stat().st_size
        return 0

    def finished(self) -> StoredFile | None:
        """Return the file if an earlier pull had finished and verified it, and the catalog still wants it."""
        try:
            stored = msgspec.json.decode(self._done.read_bytes(), type=StoredFile)
            whole = self.path.stat().st_size == stored.size
        except (OSError, msgspec.DecodeError):
            return None
        same = stored.revision == self._file.revision and stored.repo == self._file.repo
        return stored if whole and same and self._file.sha256 in ("", stored.sha256) else None

    def finish(self, stored: StoredFile) -> StoredFile:
        """Note that the file is whole; a pull that is broken later does not fetch it again."""
        self._done.parent.mkdir(parents=True, exist_ok=True)
        self._done.write_bytes(msgspec.json.encode(stored))
        return stored

    def fetch(self, source: Source, remote: Remote) -> StoredFile:
        """Bring the file from `source` and verify it; raises PullError, DiskFull, Corrupted."""
        expected = Remote(
            size=self._file.size or remote.size,
            sha256=self._file.sha256 or remote.sha256,
            git_sha1=remote.git_sha1,
            etag=remote.etag,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        resumed = self._keep_or_drop(expected)
        try:
            stored = self._transfer(source, expected)
        except Corrupted:
            if not resumed:
                raise
            stored = self._transfer(source, expected)  # the old beginning may have been the damaged part
        return self.finish(stored)

    def _keep_or_drop(self, expected: Remote) -> bool:
        """Keep the bytes of an earlier pull only when they surely belong to the same file."""
        try:
            origin = msgspec.json.decode(self._origin.read_bytes(), type=_Origin)
        except (OSError, msgspec.DecodeError):
            origin = _Origin()
        same_hash = bool(expected.sha256) and origin.sha256 == expected.sha256
        same_tag = (
            bool(expected.etag)
            and not expected.sha256
            and origin.etag == expected.etag
            and origin.size == expected.size
        )
        if not (same_hash or same_tag):
            self._part.unlink(missing_ok=True)
        mark = _Origin(sha256=expected.sha256, etag=expected.etag, size=expected.size)
        self._origin.write_bytes(msgspec.json.encode(mark))
        return self._part_size() > 0

    def _transfer(self, source: Source, expected: Remote) -> StoredFile:
        stalls = 0
        while not (expected.size and self._part_size() == expected.size):
            before = self._part_size()
            known = expected.sha256 or expected.git_sha1 or expected.etag
            if before and (not known or (expected.size and before > expected.size)):
                self._part.unlink()  # nothing would tell whether the rest belongs to it
                before = 0
            try:
                self._append(source.open(self._file, before, self._tag(expected, before)), expected)
                break
            except SourceUnreachable:
                stalls = 0 if self._part_size() > before else stalls + 1
                if stalls >= (_PATIENCE if source.answered else 1):
                    raise
                self._pause(min(0.5 * 2**stalls, 8.0))
        return self._verify(source, expected)

    def _tag(self, expected: Remote, offset: int) -> str:
        """Return the etag to resume under; with a sha256 it is not needed, and a CDN's would be another one."""
        return expected.etag if offset and not expected.sha256 else ""

    def _append(self, body: Body, expected: Remote) -> None:
        if expected.size and body.size and body.size != expected.size:
            raise Corrupted(
                f"{self._file.label} is {body.size} bytes there, not {expected.size}",
                hint="it was changed or cut short at its source; a newer slimvoice may know the new one",
            )
        wanted = expected.size or body.size
        try:
            with self._part.open("r+b" if self._part.exists() else "wb", buffering=0) as part:
                part.truncate(body.offset)
                part.seek(body.offset)
                size = body.offset
                for chunk in body.chunks:
                    here = size if chunk or body.under_way is None else max(size, body.under_way())
                    self._advance(self._file.path, here)  # before writing: a stopped pull owns the file no longer
                    part.write(chunk)
                    size += len(chunk)
                    if wanted and size > wanted:  # never fill a disk with what cannot be right
                        break
        except OSError as error:
            raise disk_error(error, self.path.parent) from error
        finally:
            if isinstance(body.chunks, Generator):
                body.chunks.close()
        self._advance(self._file.path, size)
        if wanted and size < wanted:
            raise SourceUnreachable(f"the connection broke after {size} of {wanted} bytes of {self._file.label}")

    def _verify(self, source: Source, expected: Remote) -> StoredFile:
        size = self._part_size()
        sha256, *sha1s = self._hash(size, git=bool(expected.git_sha1))
        right = not expected.size or size == expected.size
        right = right and expected.sha256 in ("", sha256)
        if not right or (expected.git_sha1 and expected.git_sha1 not in sha1s):
            self._part.unlink(missing_ok=True)
            raise Corrupted(
                f"{self._file.label} from {source.name} is damaged: its sha256 is {sha256[:12]}..., "
                f"not {expected.sha256[:12] or 'what the hub says'}...",
                hint="pull again; if it stays, the file was changed at its source",
            )
        self._part.rename(self.path)
        self._origin.unlink(missing_ok=True)
        by_hub = expected.sha256 or expected.git_sha1
        return StoredFile(
            role=self._file.role,
            repo=self._file.repo,
            path=self._file.path,
            revision=self._file.revision,
            size=size,
            sha256=sha256,
            source=source.name,
            verified_by="catalog" if self._file.sha256 else "hub" if by_hub else "nothing",
        )

    def _hash(self, size: int, *, git: bool) -> list[str]:
        """Return sha256, and if asked git's blob hash and plain sha1, which some servers give in its place."""
        hashes = [hashlib.sha256()]
        if git:
            hashes += [hashlib.sha1(begin, usedforsecurity=False) for begin in (b"blob %d\0" % size, b"")]
        with self._part.open("rb") as part:
            while chunk := part.read(_READ_BYTES):
                for each in hashes:
                    each.update(chunk)
                self._advance(self._file.path, size)
            os.fsync(part.fileno())
        return [each.hexdigest() for each in hashes]

    def _part_size(self) -> int:
        try:
            return self._part.stat().st_size
        except OSError:
            return 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


def disk_error(error: OSError, folder: Path) -> PullError:
    """Wrap a failure to write into `folder`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{folder} is full", hint="free some room (slimvoice rm MODEL) and try again; it goes on")
    return PullError(f"cannot write to {folder}: {error.strerror or error}", hint="check the folder and its owner")
