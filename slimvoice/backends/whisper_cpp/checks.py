"""What `slimvoice doctor` finds of the processor that whisper.cpp is to run on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from slimvoice.backends.info import Finding
from slimvoice.backends.whisper_cpp.variants import is_stock_wheel, library_spec

CPU_FLAGS = frozenset({"avx2", "fma", "f16c", "bmi2"})
"""What the stock wheel of pywhispercpp is compiled for; it has no runtime dispatch."""


def processor() -> Iterator[Finding]:
    """Look whether the installed whisper.cpp fits the processor."""
    if platform.machine() in {"x86_64", "AMD64"} and (flags := _cpu_flags()):
        yield judged(flags, build=_build())


def _build() -> str:
    if library_spec() is None:
        return ""
    return "wheel" if is_stock_wheel() else "own"


def judged(flags: frozenset[str], *, build: str) -> Finding:
    """Judge what the processor can do; `build` of whisper.cpp is `wheel`, `own`, or empty where there is none."""
    missing = sorted(CPU_FLAGS - flags)
    if missing and build == "wheel":
        return Finding(
            "cpu",
            "fail",
            f"without {', '.join(missing)}: the stock whisper.cpp wheel would crash here (illegal instruction)",
            "build whisper.cpp for this processor: scripts/build-runtime, in slimvoice's repository",
        )
    known = [name.upper() for name in ("avx2", "avx512f") if name in flags] or ["no AVX2"]
    builds = {
        "wheel": "pywhispercpp's wheel: scripts/build-runtime makes a faster one",
        "own": "of our own build",
        "": "not installed",
    }
    return Finding("cpu", "ok", f"{', '.join(known)}; whisper.cpp is {builds[build]}")


def _cpu_flags() -> frozenset[str]:
    """Return the processor's flags; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
