"""Which wheels fit, and how they are unpacked: nothing leads out of the folder, nothing runs."""

from __future__ import annotations

import base64
import hashlib
import stat
import zipfile
from pathlib import Path

import pytest
from packaging.tags import Tag, parse_tag

from slimvoice.backends.runtime import RuntimeSpec, Wheel
from slimvoice.errors import Corrupted, Unsupported
from slimvoice.models.runtimes import key_of
from slimvoice.models.wheels import choose, unpack, unpacked_bytes

NAME = "thing-1.0-py3-none-any.whl"
HERE = ["cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_17_x86_64", "cp312-abi3-linux_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64", "py3-none-any"]  # fmt: skip


def tags(*names: str) -> list[Tag]:
    return [tag for name in names for tag in parse_tag(name)]


def spec(*names: str, **fields: str) -> RuntimeSpec:
    wheels = tuple(
        Wheel(filename=f"{name}.whl", sha256=hashlib.sha256(name.encode()).hexdigest(), size=1) for name in names
    )
    return RuntimeSpec(name="r", version="1", kind="beside", wheels=wheels, **fields)  # type: ignore[arg-type]


def chosen(*names: str) -> list[str]:
    return [wheel.filename.removesuffix(".whl") for wheel in choose(spec(*names), tags(*HERE))]


# --- choosing -------------------------------------------------------------------------------------


def test_of_each_project_the_wheel_that_fits_best_is_taken():
    assert chosen(
        "a-1-py3-none-any",
        "b_c-2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "b_c-2-cp312-cp312-manylinux_2_28_x86_64",
        "b_c-2-cp312-cp312-manylinux_2_28_aarch64",
        "b_c-2-cp311-cp311-manylinux_2_28_x86_64",
    ) == ["a-1-py3-none-any", "b_c-2-cp312-cp312-manylinux_2_28_x86_64"]
    assert chosen("d-1-cp311-abi3-manylinux_2_17_x86_64") == ["d-1-cp311-abi3-manylinux_2_17_x86_64"]


def test_project_without_a_fitting_wheel_is_named_with_this_machine_and_what_there_is():
    with pytest.raises(Unsupported) as refused:
        chosen("a-1-py3-none-any", "b_c-2-cp312-cp312-win_amd64", "b_c-2-cp312-cp312-macosx_11_0_arm64")
    assert "runtime r 1 has no b-c for CPython 3." in refused.value.message
    assert refused.value.hint == "it is there for cp312-cp312-macosx_11_0_arm64, cp312-cp312-win_amd64"


def test_python_that_is_too_old_is_told():
    with pytest.raises(Unsupported, match="needs Python >=9"):
        choose(spec("a-1-py3-none-any", python=">=9"), tags(*HERE))


def test_other_wheels_are_another_runtime_on_the_disk():
    one, two = spec("a-1-py3-none-any"), spec("a-2-py3-none-any")
    assert key_of(one, one.wheels) == key_of(one, one.wheels)
    assert key_of(one, one.wheels) != key_of(two, two.wheels)


def test_runtime_is_installed_by_pip_when_all_its_modules_can_be_found():
    assert spec("a-1-py3-none-any", modules=("click", "yaml")).installed_by_pip  # type: ignore[arg-type]
    assert not spec("a-1-py3-none-any", modules=("click", "no_such_module")).installed_by_pip  # type: ignore[arg-type]
    assert not spec("a-1-py3-none-any").installed_by_pip


# --- unpacking ------------------------------------------------------------------------------------


def wheel(folder: Path, members: dict[str, bytes], record: dict[str, bytes] | None = None, **modes: int) -> Path:
    """Make a wheel; `record` are the contents that its RECORD tells of, and modes are by member's last name."""
    path = folder / NAME
    lines = [
        f"{name},sha256={_hash(data)},{len(data)}" for name, data in (members if record is None else record).items()
    ]
    with zipfile.ZipFile(path, "w") as box:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name.rpartition("/")[2], 0o100644) << 16
            box.writestr(info, data)
        box.writestr("thing-1.0.dist-info/RECORD", "\n".join([*lines, "thing-1.0.dist-info/RECORD,,"]))
    return path


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def unpacked(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_packages_are_unpacked_and_commands_headers_and_data_are_not(tmp_path):
    members = {
        "thing/__init__.py": b"x = 1",
        "thing/lib.so": b"ELF",
        "thing.data/inside.txt": b"a package's own folder",
        "thing-1.0.data/purelib/pure.py": b"pure",
        "thing-1.0.data/platlib/thing/more.py": b"plat",
        "thing-1.0.data/scripts/run": b"#!python",
        "thing-1.0.data/data/etc/passwd": b"no",
        "thing-1.0.data/headers/thing.h": b"no",
        "thing-1.0.dist-info/METADATA": b"Name: thing",
    }
    site = tmp_path / "site"
    told: list[None] = []
    path = wheel(tmp_path, members)
    size = unpack(path, site, lambda: told.append(None))
    assert unpacked(site) == {
        "thing/__init__.py",
        "thing/lib.so",
        "thing/more.py",
        "thing.data/inside.txt",
        "pure.py",
        "thing-1.0.dist-info/METADATA",
        "thing-1.0.dist-info/RECORD",
    }
    assert size == sum((site / name).stat().st_size for name in unpacked(site)) < unpacked_bytes(path)
    assert len(told) == 7


def test_only_the_bit_that_makes_a_file_a_program_is_kept(tmp_path):
    path = wheel(
        tmp_path, {"tool": b"ELF", "plain": b"", "setuid": b""}, tool=0o100755, plain=0o100000, setuid=0o104777
    )
    unpack(path, tmp_path / "site")
    modes = {name: stat.S_IMODE((tmp_path / "site" / name).stat().st_mode) for name in ("tool", "plain", "setuid")}
    assert modes == {"tool": 0o755, "plain": 0o644, "setuid": 0o755}


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "a/../../evil.py", "thing-1.0.data/purelib/../../evil.py", "..\\evil.py"]
)
def test_member_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(Corrupted, match="no path"):
        unpack(wheel(tmp_path, {name: b"evil"}), tmp_path / "in" / "site")
    assert not list(tmp_path.rglob("evil.py"))


def test_link_is_refused(tmp_path):
    with pytest.raises(Corrupted, match="is a link"):
        unpack(wheel(tmp_path, {"link": b"/etc/passwd"}, link=stat.S_IFLNK | 0o777), tmp_path / "site")
    assert not (tmp_path / "site" / "link").exists()


def test_member_that_is_not_what_the_record_says_is_corrupted(tmp_path):
    path = wheel(tmp_path, {"a.py": b"good", "b.py": b"changed"}, {"a.py": b"good", "b.py": b"good"})
    with pytest.raises(Corrupted, match=r"b\.py of thing-1\.0-py3-none-any\.whl is not what its RECORD says"):
        unpack(path, tmp_path / "site")


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no zip at all"])
def test_damaged_zip_is_corrupted(tmp_path, damage):
    path = wheel(tmp_path, {"a.py": b"x" * 1000})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Corrupted):
        unpacked_bytes(path)
    with pytest.raises(Corrupted):
        unpack(path, tmp_path / "site")
