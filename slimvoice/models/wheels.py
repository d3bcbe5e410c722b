"""Wheels: which of them fit this Python and platform, and how they are unpacked. Nothing in them runs.

A wheel is a zip (PEP 427). Its packages go into one folder; commands, headers and data files of `*.data` are left
out, and `.pth` files lie where Python does not read them.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import platform
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from slimvoice.backends.runtime import RuntimeSpec, Wheel
from slimvoice.errors import Corrupted, Unsupported

if TYPE_CHECKING:
    from packaging.tags import Tag

_COPY_BYTES = 1 << 20
_PACKAGE_SCHEMES = ("purelib", "platlib")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, NotImplementedError, RuntimeError)
"""What zipfile raises on damage; the last two for compression and encryption that no wheel has."""


# --- choosing -------------------------------------------------------------------------------------


def choose(spec: RuntimeSpec, tags: Sequence[Tag] | None = None) -> tuple[Wheel, ...]:
    """Return the wheel of each project that fits best; raises Unsupported that names this machine. Touches nothing.

    `tags` are what this Python takes, best first; None: as it says itself.
    """
    from packaging.specifiers import SpecifierSet

    known = _own_ranks() if tags is None else {tag: rank for rank, tag in enumerate(tags)}
    if spec.python and not SpecifierSet(spec.python).contains(platform.python_version(), prereleases=True):
        raise Unsupported(
            f"runtime {spec.name} {spec.version} needs Python {spec.python}, and this is {platform.python_version()}",
            hint="install slimvoice for such a Python",
            param="model",
        )
    chosen: dict[str, tuple[int, Wheel]] = {}
    for wheel in spec.wheels:
        project, _, wheel_tags = _parsed(wheel.filename)
        fitting = [known[tag] for tag in wheel_tags if tag in known]
        if fitting and (project not in chosen or min(fitting) < chosen[project][0]):
            chosen[project] = (min(fitting), wheel)
    for wheel in spec.wheels:
        if project_of(wheel) not in chosen:
            raise _unsupported(spec, project_of(wheel))
    return tuple(wheel for _, wheel in chosen.values())


def fits(spec: RuntimeSpec) -> bool:
    """Return whether a runtime has wheels for this machine."""
    try:
        choose(spec)
    except Unsupported:
        return False
    return True


def project_of(wheel: Wheel) -> str:
    """Return the normalised name of a wheel's project."""
    return _parsed(wheel.filename)[0]


def version_of(wheel: Wheel) -> str:
    """Return a wheel's version."""
    return _parsed(wheel.filename)[1]


def _parsed(filename: str) -> tuple[str, str, frozenset[Tag]]:
    from packaging.utils import parse_wheel_filename

    name, version, _, tags = parse_wheel_filename(filename)
    return str(name), str(version), tags


@cache
def _own_ranks() -> Mapping[Tag, int]:
    from packaging.tags import sys_tags

    return {tag: rank for rank, tag in enumerate(sys_tags())}


def _unsupported(spec: RuntimeSpec, project: str) -> Unsupported:
    there = {"-".join(wheel.filename[:-4].split("-")[-3:]) for wheel in spec.wheels if project_of(wheel) == project}
    return Unsupported(
        f"runtime {spec.name} {spec.version} has no {project} for {this_machine()}",
        hint=f"it is there for {', '.join(sorted(there))}",
        param="model",
    )


def this_machine() -> str:
    """Return what wheels are chosen by, in words: Python, system, processor and C library."""
    libc = " ".join(filter(None, platform.libc_ver()))
    python = f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}"
    return ", ".join(filter(None, [python, f"{platform.system()} {platform.machine()}", libc]))


# --- unpacking ------------------------------------------------------------------------------------


def unpacked_bytes(path: Path) -> int:
    """Return the bytes that a wheel takes once unpacked; raises Corrupted."""
    try:
        with zipfile.ZipFile(path) as box:
            return sum(info.file_size for info in box.infolist())
    except _DAMAGED as error:
        raise Corrupted(f"{path.name} is no wheel: {error}") from error


def unpack(path: Path, site: Path, tell: Callable[[], None] = lambda: None) -> int:
    """Unpack a wheel's packages into `site` and check them against its RECORD; returns their bytes.

    Raises Corrupted. `tell` is called for each file; raising in it stops.
    """
    size = 0
    try:
        with zipfile.ZipFile(path) as box:
            record = _record(box)
            for info in box.infolist():
                target = None if info.is_dir() else _place(info, path.name)
                if target is None:
                    continue
                with box.open(info) as stream:
                    digest = _write(stream, site / target, executable=bool(_mode(info) & 0o111))
                if record.get(info.filename, digest) != digest:
                    raise Corrupted(f"{info.filename} of {path.name} is not what its RECORD says")
                size += info.file_size
                tell()
    except _DAMAGED as error:
        raise Corrupted(f"{path.name} is damaged: {error}") from error
    return size


def _record(box: zipfile.ZipFile) -> dict[str, str]:
    """Return member -> sha256 (urlsafe base64), as the wheel says of itself; empty where it has no RECORD."""
    names = [name for name in box.namelist() if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    if len(names) != 1:
        return {}
    rows = csv.reader(io.StringIO(box.read(names[0]).decode()))
    return {row[0]: row[1].removeprefix("sha256=") for row in rows if len(row) > 1 and row[1].startswith("sha256=")}


def _place(info: zipfile.ZipInfo, wheel: str) -> PurePosixPath | None:
    """Return where a member goes below the site folder; None: it is left out. Raises Corrupted for a way out of it."""
    path = PurePosixPath(info.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or not path.parts:
        raise Corrupted(f"{info.filename!r} is no path of a wheel's file ({wheel})")
    if stat.S_IFMT(_mode(info)) not in (0, stat.S_IFREG):
        raise Corrupted(f"{info.filename} of {wheel} is a link, not a file")
    data_folder = "-".join(wheel.split("-")[:2]) + ".data"
    if path.parts[0] != data_folder:
        return path
    inside = path.parts[2:]
    return PurePosixPath(*inside) if inside and path.parts[1] in _PACKAGE_SCHEMES else None


def _mode(info: zipfile.ZipInfo) -> int:
    return info.external_attr >> 16


def _write(stream: IO[bytes], target: Path, *, executable: bool) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as sink:
        for chunk in _chunks(stream):
            digest.update(chunk)
            sink.write(chunk)
    target.chmod(0o755 if executable else 0o644)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_COPY_BYTES):
        yield chunk
