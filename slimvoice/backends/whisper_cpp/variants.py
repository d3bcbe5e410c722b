"""Which builds of whisper.cpp are here, and for which kinds of processor: found without opening one in this process.

A build has one file of CPU code, or one for each generation of processors (`libggml-cpu-haswell.so`), of which ggml
opens all and takes the one that scores best. A variant is named as in the file; `wheel` is pywhispercpp's build.
"""

from __future__ import annotations

import ctypes as c
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from slimvoice.errors import ModelLoad

WHEEL = "wheel"
SCORE_TIMEOUT_S = 30
_CPU_PREFIX = "libggml-cpu-"
_SCORE = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).ggml_backend_score())"


def library_spec(variant: str = "") -> ModuleSpec | None:
    """Return where whisper.cpp is: a build of our own (scripts/build-runtime, an image) goes before the wheel's."""
    own = None if variant == WHEEL else find_spec("_slimvoice_whisper")
    return own or find_spec("_pywhispercpp")


def is_stock_wheel() -> bool:
    """Return whether whisper.cpp is pywhispercpp's wheel; an image has a module of its name without the package."""
    spec = library_spec()
    return spec is not None and spec.name == "_pywhispercpp" and _has_wheel()


class WhisperVariants:
    """What the engine may start instead of a build that crashes here."""

    @staticmethod
    def build() -> str:
        """Return what tells this build from another: a digest of its files' names, sizes and times."""
        files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(_files())]
        return hashlib.sha256(repr(files).encode()).hexdigest()[:16] if files else ""

    @staticmethod
    def lower() -> tuple[str, ...]:
        """Return what this processor can run besides ggml's own choice, best first; opens each in a child process."""
        scores = {path: _score(path) for path in _variant_files()}
        ranked = sorted((path for path in scores if scores[path] > 0), key=lambda path: -scores[path])
        if min(scores.values(), default=0) >= 0:  # else ggml's own choice dies while it looks, and takes none of these
            ranked = ranked[1:]
        names = tuple(path.stem.removeprefix(_CPU_PREFIX) for path in ranked)
        return names if is_stock_wheel() or not _has_wheel() else (*names, WHEEL)

    @staticmethod
    def hint() -> str:
        """Return what a user can do where all of them crash."""
        if is_stock_wheel():
            return "build whisper.cpp for this processor: scripts/build-runtime, in slimvoice's repository"
        return "see slimvoice doctor; scripts/build-runtime, in slimvoice's repository, builds whisper.cpp anew"


def load_cpu_code(library: c.CDLL, spec: ModuleSpec, variant: str) -> None:
    """Register the CPU code (and GPU code) of a GGML_BACKEND_DL build, which knows no device until then.

    A variant is loaded by its path, because ggml's own search opens, and so may die of, every one.
    """
    count = getattr(library, "ggml_backend_dev_count", None)
    if count is None or not hasattr(library, "ggml_backend_load_all_from_path"):
        return
    count.restype = c.c_size_t
    if count() > 0:
        return
    folders = _folders(spec)
    if not variant or variant == WHEEL:
        library.ggml_backend_load_all_from_path.argtypes = [c.c_char_p]
        for folder in folders:
            library.ggml_backend_load_all_from_path(str(folder).encode())
        return
    load = library.ggml_backend_load
    load.argtypes, load.restype = [c.c_char_p], c.c_void_p
    for folder in folders:
        for path in sorted(folder.glob("libggml-*.so")):
            if path.stem == f"{_CPU_PREFIX}{variant}" or not path.name.startswith(_CPU_PREFIX):
                load(str(path).encode())
    if count() == 0:
        raise ModelLoad(f"whisper.cpp has no CPU code named {variant}")


def _has_wheel() -> bool:
    return find_spec("pywhispercpp") is not None


def _folders(spec: ModuleSpec) -> list[Path]:
    """Return where a build's libraries lie: beside its module, or where that leads as a link."""
    module = Path(spec.origin or "")
    return list(dict.fromkeys((module.parent, module.resolve().parent, module.parent / "pywhispercpp.libs")))


def _files() -> Iterator[Path]:
    spec = library_spec()
    if spec is not None:
        yield Path(spec.origin or "").resolve()
        for folder in _folders(spec):
            yield from folder.glob("libggml*.so*")


def _variant_files() -> list[Path]:
    spec = library_spec()
    own = [] if spec is None else _folders(spec)
    return list({path.resolve(): path for folder in own for path in folder.glob(f"{_CPU_PREFIX}*.so")}.values())


def _score(path: Path) -> int:
    """Return ggml's score of a variant on this processor; 0: it cannot run here, negative: it died when asked."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _SCORE, str(path)],
            capture_output=True,
            text=True,
            timeout=SCORE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1
    if child.returncode != 0:
        return min(child.returncode, 0)
    return int(child.stdout)
