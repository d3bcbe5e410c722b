"""The checks of `slimvoice doctor`: each reports a finding and what to do about it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from slimvoice import hardware
from slimvoice.backends.info import BackendInfo, Finding
from slimvoice.backends.registry import BACKENDS, imported, install_hint
from slimvoice.cli.global_options import library_of
from slimvoice.cli.output import megabytes
from slimvoice.config import Settings
from slimvoice.engine.variants import Variants
from slimvoice.errors import SlimvoiceError
from slimvoice.speech import Task

SMALL_MEMORY_BYTES = 1_000_000_000
SMALL_DISK_BYTES = 1_000_000_000
IMPORT_TIMEOUT_S = 60
DRIVER_LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1")
"""What NVIDIA's driver brings; into a container its toolkit brings them from the host."""
DRIVER_DEVICE = hardware.NVIDIA_DEVICE
GPU_HINT = (
    "check nvidia-smi (driver 580 or newer); a container needs the NVIDIA container toolkit and --gpus all; "
    "or set SLIMVOICE_DEVICE=cpu"
)


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


def memory(total: int, available: int) -> Finding:
    """Judge memory."""
    message = f"{megabytes(total)}, {megabytes(available)} available"
    if available < SMALL_MEMORY_BYTES:
        return Finding("memory", "warn", message, "choose small models: slimvoice list --all")
    return Finding("memory", "ok", message)


def runtimes() -> Iterator[Finding]:
    """Look at the backends: what they check themselves, and whether each runtime loads in a process of its own."""
    shown = {name: info for name, info in BACKENDS.items() if not info.hidden and not info.is_pulled}
    for check in dict.fromkeys(info.checks for info in shown.values() if info.checks):
        yield from _own_check(check)
    for name, info in shown.items():
        yield backend(name, _load_in_child(name, info))
    for name, reason in BACKENDS.broken.items():
        yield broken(name, reason)


def _own_check(target: str) -> Iterator[Finding]:
    try:
        yield from imported(target)()
    except Exception as error:  # a plug-in's own fault must not end the doctor
        yield Finding("check", "warn", f"{target} failed: {type(error).__name__}: {error}")


def broken(name: str, reason: str) -> Finding:
    """Tell of a backend whose descriptor cannot be used."""
    return Finding(name, "fail", f"broken: {reason}", "update or pip uninstall the package that brings it")


def backend(name: str, child: subprocess.CompletedProcess[str] | None) -> Finding:
    """Judge how loading a backend's runtime went; None: it hung."""
    if child is None:
        return Finding(name, "fail", f"did not load within {IMPORT_TIMEOUT_S} s", "slimvoice --debug doctor")
    if child.returncode == 0:
        return Finding(name, "ok", "loads")
    if child.returncode < 0:
        died = signal.Signals(-child.returncode).name
        return Finding(name, "fail", f"its runtime crashed with {died}", "install a build of it for this CPU")
    reason = (child.stderr.strip().splitlines() or [f"its process ended with status {child.returncode}"])[-1]
    return Finding(name, "warn", reason, install_hint(name))


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


_LOAD = """
import sys
from slimvoice.backends.registry import backend_class
from slimvoice.errors import SlimvoiceError
try:
    getattr(backend_class(sys.argv[1]), "open_runtime", bool)()
except SlimvoiceError as error:
    sys.exit(error.message)
"""


def _load_in_child(name: str, info: BackendInfo) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [sys.executable, "-P", "-c", _LOAD, name],
            env={**os.environ, **info.env},
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
