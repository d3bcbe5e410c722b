"""What an install brings: locks with hashes and without addresses, and never two ONNX Runtimes."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
SUPPORTED = [{"python_version": version, "python_full_version": f"{version}.1"} for version in ("3.11", "3.12", "3.13")]


def locked(path: Path) -> dict[str, str]:
    """Return each package's entry, its markers and hashes included."""
    entries = re.findall(r"^([a-z0-9][a-z0-9._-]*==(?:.*\\\n)*.*)$", path.read_text(), re.MULTILINE)
    return {entry.split("==")[0]: entry for entry in entries}


def extra(name: str) -> dict[str, Requirement]:
    requirements = map(Requirement, PROJECT["project"]["optional-dependencies"][name])
    return {requirement.name: requirement for requirement in requirements}


def test_there_is_a_lock_for_each_way_to_install():
    assert [path.stem for path in LOCKS] == ["audit", "cpu", "cuda", "dev", "npm", "openai-year-old"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_hashes_and_no_address(lock):
    entries = locked(lock)
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries.values())
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_no_lock_brings_torch(lock):
    assert not {name for name in locked(lock) if name in {"torch", "transformers", "tensorflow"}}


def test_cpu_install_brings_no_gpu_package():
    for name in ("cpu", "dev"):
        entries = locked(ROOT / "requirements" / f"{name}.lock")
        assert "onnxruntime" in entries
        assert not {entry for entry in entries if entry.startswith("nvidia") or entry.endswith(("-gpu", "-cu13"))}


def test_cuda_install_brings_the_gpu_runtime_only():
    entries = locked(ROOT / "requirements" / "cuda.lock")
    assert {"onnxruntime-gpu", "nvidia-cudnn-cu13", "piper-tts"} <= set(entries)
    assert "onnxruntime" not in entries


def test_extras_name_the_same_runtimes_but_for_onnxruntime():
    cpu, cuda = extra("cpu"), extra("cuda")
    assert set(cpu) - set(cuda) == {"onnxruntime"}
    assert set(cuda) - set(cpu) == {"onnxruntime-gpu", "nvidia-ml-py"}
    assert cpu["onnxruntime"].specifier == cuda["onnxruntime-gpu"].specifier
    assert all(cpu[name].specifier == cuda[name].specifier for name in set(cpu) & set(cuda))
    assert [{"extra": "cpu"}, {"extra": "cuda"}] in PROJECT["tool"]["uv"]["conflicts"]


def test_metadata_given_to_uv_is_that_of_the_pinned_packages_less_onnxruntime():
    given = {entry["name"]: entry for entry in PROJECT["tool"]["uv"]["dependency-metadata"]}
    assert set(given) == {"piper-tts"}
    for name, entry in given.items():
        assert str(extra("cpu")[name].specifier) == f"=={entry['version']}"
        assert not [line for line in entry["requires-dist"] if Requirement(line).name.startswith("onnxruntime")]
        metadata = distribution(name)
        wanted = {
            Requirement(line).name: Requirement(line).specifier
            for line in metadata.requires or []
            if not Requirement(line).marker and not Requirement(line).name.startswith("onnxruntime")
        }
        assert {Requirement(line).name: Requirement(line).specifier for line in entry["requires-dist"]} == wanted


@pytest.mark.parametrize("environment", SUPPORTED, ids=lambda environment: environment["python_version"])
@pytest.mark.parametrize("name", ["cpu", "cuda", "dev"])
def test_lock_covers_every_direct_dependency_on_each_python(name, environment):
    direct = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["cuda" if name == "cuda" else "cpu"],
    ]
    if name == "dev":
        direct += PROJECT["dependency-groups"]["dev"]
    entries = re.findall(
        r"^([a-z0-9][a-z0-9._-]*==[^\\\n]*)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE
    )
    pins = [Requirement(entry) for entry in entries]
    here = {
        pin.name: pin for pin in pins if not pin.marker or pin.marker.evaluate({**environment, "sys_platform": "linux"})
    }
    for line in direct:
        wanted = Requirement(line)
        pinned = str(here[wanted.name.lower()].specifier).removeprefix("==")
        assert wanted.specifier.contains(pinned), line
