"""What a build of whisper.cpp is tried with before it takes the place of another: docker/steps/whisper-check."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "docker" / "steps" / "whisper-check"
COMPILER = shutil.which("cc")
WHEEL = find_spec("pywhispercpp")

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
needs_wheel = pytest.mark.skipif(WHEEL is None, reason="needs pywhispercpp's wheel")


def check(folder: Path, program: Path = CHECK) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False)


def compile_stub(path: Path, code: str = "") -> None:
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=code, text=True, check=True)


@pytest.fixture
def wheel(tmp_path):
    """Return a folder with the wheel's libraries under the names of a build of our own."""
    assert WHEEL is not None and WHEEL.origin is not None
    for library in (Path(WHEEL.origin).parents[1] / "pywhispercpp.libs").iterdir():
        (tmp_path / library.name).symlink_to(library)
        plain = library.name.rpartition("-")[0]  # auditwheel adds a part of the hash
        if plain in {"libggml-base", "libggml"}:
            (tmp_path / f"{plain}.so.0").symlink_to(library)
    return tmp_path


@needs_wheel
def test_a_runtime_that_multiplies_rightly_passes(wheel):
    ended = check(wheel)
    assert ended.returncode == 0, ended.stderr
    assert "multiplies rightly" in ended.stdout


@needs_wheel
def test_a_wrong_product_does_not_pass(wheel):
    other_truth = CHECK.read_text().replace("sum(map(mul, row", "1.3 * sum(map(mul, row")
    program = wheel / "check"
    program.write_text(other_truth)
    ended = check(wheel, program)
    assert ended.returncode == 1
    assert "q8_0 in CPU times 40: off by 0.2" in ended.stderr
    assert "is wrong" in ended.stderr


@needs_compiler
def test_a_variant_that_dies_does_not_pass_and_one_for_other_processors_is_not_tried(tmp_path):
    for name in ("libggml-base.so.0", "libggml.so.0"):
        compile_stub(tmp_path / name)
    compile_stub(tmp_path / "libggml-cpu-future.so", "int ggml_backend_score(void) { return 0; }")
    ended = check(tmp_path)
    assert ended.returncode == 1
    assert "no variant" in ended.stderr
    died = "int ggml_backend_score(void) { __builtin_trap(); return 9; }"
    compile_stub(tmp_path / "libggml-cpu-broken.so", died)
    ended = check(tmp_path)
    assert ended.returncode == 1
    assert "broken: died (SIG" in ended.stderr
    assert "future" not in ended.stderr
