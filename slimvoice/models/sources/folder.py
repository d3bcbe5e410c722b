"""A mirror folder, laid out as the hub is: {repo}/{path}."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slimvoice.errors import SourceMissing, SourceUnreachable
from slimvoice.models.records import ModelFile
from slimvoice.models.sources.base import Body, Remote

_CHUNK_BYTES = 1 << 20


class FolderSource:
    """Reads files from a folder; a file that is not in it is left to the next source."""

    name = "mirror"
    networked = False
    answered = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, file: ModelFile) -> bool:  # noqa: ARG002 - only looking tells
        """Always worth a look."""
        return True

    def describe(self, file: ModelFile) -> Remote:
        """Return the file's size; a folder knows no hashes."""
        return Remote(size=self._path(file).stat().st_size)

    def open(self, file: ModelFile, offset: int, etag: str) -> Body:  # noqa: ARG002 - files have no etag
        """Open the file at `offset`."""
        path = self._path(file)
        size = path.stat().st_size
        start = offset if offset <= size else 0
        return Body(offset=start, chunks=_chunks(path, start), size=size)

    def paths(self, repo: str, revision: str) -> dict[str, int]:  # noqa: ARG002 - a mirror holds one revision
        """List the files of a repository that the mirror holds."""
        root = self._inside(repo)
        if not root.is_dir():
            raise SourceMissing(f"the mirror has no {repo}")
        return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*") if path.is_file()}

    def close(self) -> None:
        """Nothing to give back."""

    def _path(self, file: ModelFile) -> Path:
        if not self._folder.is_dir():
            raise SourceUnreachable(f"the mirror folder {self._folder} does not exist", hint="check SLIMVOICE_MIRROR")
        path = self._inside(f"{file.repo}/{file.path}")
        if not path.is_file():
            raise SourceMissing(f"the mirror has no {file.label}")
        return path

    def _inside(self, relative: str) -> Path:
        path = self._folder / relative
        if ".." in path.parts:
            raise SourceMissing(f"{relative} is not a path inside the mirror")
        return path


def _chunks(path: Path, offset: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise SourceUnreachable(f"the mirror cannot be read: {error}") from error
