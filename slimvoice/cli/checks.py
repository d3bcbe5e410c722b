"""The checks of `slimvoice doctor`: each reports a finding and what to do about it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Literal

import msgspec

from slimvoice import hardware
from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.stt.variants import is_stock_wheel
from slimvoice.cli.global_options import library_of
from slimvoice.cli.output import megabytes
from slimvoice.config import Settings
from slimvoice.engine.variants import Variants
from slimvoice.errors import SlimvoiceError
from slimvoice.speech import Task

State = Literal["ok", "warn", "fail"]

SMALL_MEMORY_BYTES = 1_000_000_000
SMALL_DISK_BYTES = 1_000_000_000
IMPORT_TIMEOUT_S = 60
WHISPER_CPU_FLAGS = frozenset({"avx2", "fma", "f16c", "bmi2"})
"""What the stock wheel of pywhispercpp is compiled for; it has no runtime dispatch."""
ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
DRIVER_LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1")
"""What NVIDIA's driver brings; into a container its toolkit brings them from the host."""
DRIVER_DEVICE = hardware.NVIDIA_DEVICE
GPU_HINT = (
    "check nvidia-smi (driver 580 or newer); a container needs the NVIDIA container toolkit and --gpus all; "
    "or set SLIMVOICE_DEVICE=cpu"
)


class Finding(msgspec.Struct, frozen=True):
    """What one check found."""

    name: str
    state: State
    message: str
    hint: str = ""


def machine() -> Iterator[Finding]:
    """Look at Python, the platform, cores and memory."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding("python", "ok", version)
    else:
        yield Finding("python", "fail", f"{version} is not supported", "use Python 3.11, 3.12 or 3.13")
    yield Finding(
        "platform", "ok", f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}".strip()
    )
    host, own = os.cpu_count() or 1, hardware.cores()
    yield Finding("cores", "ok", str(own) if own == host else f"{own} of the host's {host}")
    yield memory(hardware.ram_bytes(), _available_bytes())
    if platform.machine() in {"x86_64", "AMD64"} and (flags := _cpu_flags()):
        yield cpu(flags, stock_wheel=is_stock_wheel())


def memory(total: int, available: int) -> Finding:
    """Judge memory."""
    message = f"{megabytes(total)}, {megabytes(available)} available"
    if available < SMALL_MEMORY_BYTES:
        return Finding("memory", "warn", message, "choose small models: whisper:tiny-q5_1, piper voices")
    return Finding("memory", "ok", message)


def cpu(flags: frozenset[str], *, stock_wheel: bool) -> Finding:
    """Judge what the processor can do."""
    missing = sorted(WHISPER_CPU_FLAGS - flags)
    if missing and stock_wheel:
        return Finding(
            "cpu",
            "fail",
            f"without {', '.join(missing)}: the stock whisper.cpp wheel would crash here (illegal instruction)",
            "build whisper.cpp for this processor: scripts/build-runtime, in slimvoice's repository",
        )
    known = [name.upper() for name in ("avx2", "avx512f") if name in flags] or ["no AVX2"]
    build = "pywhispercpp's wheel: scripts/build-runtime makes a faster one" if stock_wheel else "of our own build"
    return Finding("cpu", "ok", f"{', '.join(known)}; whisper.cpp is {build}")


def runtimes() -> Iterator[Finding]:
    """Look at the model runtimes: their versions, and whether each loads in a process of its own."""
    versions = {dist.name: dist.version for dist in metadata.distributions()}
    yield onnx_runtime(versions)
    for name, info in BACKENDS.items():
        if name.startswith("fake") or (info.runtime is not None and not info.runtime.installed_by_pip):
            continue  # what is pulled lies in the volume, and is told with it
        module = info.target.partition(":")[0]
        child = _import_in_child(module, info.env)
        yield backend(name, child)


def onnx_runtime(versions: Mapping[str, str]) -> Finding:
    """Judge which ONNX Runtime is installed: two at once overwrite each other's files."""
    found = [f"{name} {versions[name]}" for name in ONNX_RUNTIMES if name in versions]
    if len(found) > 1:
        return Finding(
            "onnx",
            "fail",
            " and ".join(found) + " overwrite each other's files",
            "pip uninstall -y onnxruntime onnxruntime-gpu, then install the one that fits again",
        )
    if not found:
        return Finding("onnx", "warn", "no ONNX Runtime: Kokoro and Piper cannot speak", hardware.install_hint())
    return Finding("onnx", "ok", found[0])


def backend(name: str, child: subprocess.CompletedProcess[str] | None) -> Finding:
    """Judge how the import of a backend's runtime went; None: it hung."""
    if child is None:
        return Finding(name, "fail", f"did not load within {IMPORT_TIMEOUT_S} s", "slimvoice --debug doctor")
    if child.returncode == 0:
        return Finding(name, "ok", "loads")
    if child.returncode < 0:
        died = signal.Signals(-child.returncode).name
        return Finding(name, "fail", f"its runtime crashed with {died}", "install a build of it for this CPU")
    reason = (child.stderr.strip().splitlines() or ["it failed"])[-1]
    return Finding(name, "warn", f"is not installed: {reason}", hardware.install_hint())


def variants(settings: Settings) -> Iterator[Finding]:
    """Look which runtimes run a lower variant here, because a better one has crashed."""
    remembered = Variants(settings.home)
    for name in BACKENDS:
        if (lowered := remembered.lowered(name)) is not None:
            yield Finding(
                name,
                "warn",
                f"runs its variant {lowered.variant} on this processor: the one above died of {lowered.why}",
                f"scripts/build-runtime builds it anew; to try the best again, remove {remembered.path}",
            )


def gpu(settings: Settings) -> Finding:
    """Look for an NVIDIA GPU that the driver shows."""
    found = hardware.gpus()
    if found:
        names = ", ".join(f"{each.device} {each.name} {megabytes(each.total_bytes)}" for each in found)
        return Finding("gpu", "ok", names)
    missing = ", ".join(missing_of_driver())
    if settings.device.startswith("cuda"):
        return Finding(
            "gpu", "fail", f"the setting device is {settings.device}, and no GPU is seen; missing: {missing}", GPU_HINT
        )
    if settings.device == "auto" and any(dist.name == "onnxruntime-gpu" for dist in metadata.distributions()):
        return Finding("gpu", "warn", f"no GPU is seen, models run on the CPU; missing: {missing}", GPU_HINT)
    if DRIVER_DEVICE.exists():
        return Finding("gpu", "warn", "an NVIDIA device is here, but NVML does not show it", "pip install nvidia-ml-py")
    return Finding("gpu", "ok", "none: models run on the CPU")


def missing_of_driver() -> list[str]:
    """Return what CUDA would look for in vain: the driver's libraries, its device, or a GPU behind both."""
    missing = [library for library in DRIVER_LIBRARIES if not _loads(library)]
    if not DRIVER_DEVICE.exists():
        missing.append(str(DRIVER_DEVICE))
    return missing or ["a GPU that the driver shows"]


def volume(settings: Settings) -> Iterator[Finding]:
    """Look at the volume and what lies in it."""
    home = settings.home.expanduser()
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        yield Finding(
            "volume",
            "fail",
            f"{home} cannot be written by user {os.getuid()}",
            "chown the folder, or point SLIMVOICE_HOME elsewhere",
        )
    elif free < SMALL_DISK_BYTES:
        yield Finding("volume", "warn", f"{home}, {megabytes(free)} free", "slimvoice rm MODEL, or a larger disk")
    else:
        yield Finding("volume", "ok", f"{home}, {megabytes(free)} free")
    library = library_of(settings)
    here = [installed.model.name for installed in library.installed()]
    for task in Task:
        try:
            library.require("", task)
        except SlimvoiceError as error:
            yield Finding("models", "warn", f"no default {task.value} model: {error.message}", error.hint)
    if here:
        yield Finding("models", "ok", ", ".join(here))
    if lacking := [each.model.name for each in library.installed() if library.runtimes.missing(each.model)]:
        yield Finding("runtimes", "warn", f"not here for {', '.join(lacking)}", f"slimvoice pull {' '.join(lacking)}")
    if found := [f"{each.name} {each.version}" for each in library.runtimes.installed()]:
        yield Finding("runtimes", "ok", ", ".join(found))


def sources(settings: Settings) -> Iterator[Finding]:
    """Ask the mirror and the hub for a file that a starter is made of."""
    from slimvoice.models.sources import default_sources, is_offline

    library = library_of(settings)
    file = library.catalog.find(library.starters[0]).files[0]
    if is_offline(settings):
        yield Finding("hub", "ok", "not asked: offline")
    for source in default_sources(settings):
        if source.name not in {"mirror", "hub"}:
            continue
        try:
            source.describe(file)
        except SlimvoiceError as error:
            yield Finding(
                source.name, "warn", error.message, "check the network, HF_ENDPOINT and proxies, or SLIMVOICE_MIRROR"
            )
        else:
            yield Finding(source.name, "ok", f"answers for {file.label}")
        finally:
            source.close()


def port(settings: Settings) -> Finding:
    """Look whether the port is free, or ours already."""
    from slimvoice.cli.client import call_server, server_url
    from slimvoice.server import bind

    where = f"{settings.host}:{settings.port}"
    try:
        bind(settings.host, settings.port).close()
    except SlimvoiceError as error:
        try:
            version = call_server(server_url(settings), "GET", "/health", timeout_s=2)["version"]
        except (SlimvoiceError, KeyError, TypeError, ValueError):
            return Finding("port", "fail", error.message, error.hint)
        return Finding("port", "ok", f"slimvoice {version} serves at {where}")
    return Finding("port", "ok", f"{where} is free")


def _import_in_child(module: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _available_bytes() -> int:
    import psutil

    return min(int(psutil.virtual_memory().available), hardware.ram_bytes())


def _cpu_flags() -> frozenset[str]:
    """Return the processor's flags; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
