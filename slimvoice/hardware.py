"""The cores, memory and GPUs of this machine, within the limits of its container."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import psutil

CGROUP = Path("/sys/fs/cgroup")
NVIDIA_DEVICE = Path("/dev/nvidiactl")
"""Where NVIDIA's driver is, and can be used: a container without `--gpus` has none."""


class Gpu(msgspec.Struct, frozen=True):
    """One NVIDIA GPU."""

    index: int
    name: str
    total_bytes: int

    @property
    def device(self) -> str:
        """Its name as a device."""
        return f"cuda:{self.index}"


def own_cgroup(membership: Path = Path("/proc/self/cgroup"), root: Path = CGROUP) -> Path:
    """Return the folder of this process's limits: a systemd service has one below the root, a container the root."""
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            if line.startswith("0::/") and (folder := root / line.removeprefix("0::/")).is_dir():
                return folder
    return root


def cores(cgroup: Path | None = None) -> int:
    """Return the cores this process may use: affinity and cgroup quota, not the host's count."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup or own_cgroup())
    return max(1, min(count, int(quota))) if quota else count


def _quota(cgroup: Path) -> float | None:
    """Return the cores that cgroup v2 (cpu.max) or v1 (cpu.cfs_quota_us) allows."""
    with contextlib.suppress(OSError, ValueError):
        limit, period = (cgroup / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    with contextlib.suppress(OSError, ValueError):
        limit_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return limit_us / period_us if limit_us > 0 else None
    return None


@lru_cache(maxsize=1)
def processor() -> str:
    """Return what tells this kind of processor from another: its model and its flags, as a digest."""
    wanted = ("model name", "flags", "Features", "CPU part")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    traits = sorted({line for line in lines if line.startswith(wanted)})
    return hashlib.sha256("\n".join((platform.machine(), *traits)).encode()).hexdigest()[:16]


def ram_bytes(cgroup: Path | None = None) -> int:
    """Return the memory of this machine, or of this container where that is less."""
    total = int(psutil.virtual_memory().total)
    cgroup = cgroup or own_cgroup()
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return min(total, int(file.read_text()))
    return total


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it has ended.

    RSS, which counts pages shared with other processes (the code of libraries) in each of them: it errs on the safe
    side by some 30 MB, and costs microseconds where PSS has the kernel walk every page of the model.
    """
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """Open NVML for a moment: held open, it keeps a GPU's driver state alive. Yields None without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # not installed, no driver, no GPU: all the same here
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs that the driver shows; empty without a driver."""
    with _nvml() as nvml:
        if nvml is None:
            return ()
        found = []
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            found.append(Gpu(index, str(nvml.nvmlDeviceGetName(handle)), nvml.nvmlDeviceGetMemoryInfo(handle).total))
        return tuple(found)


def install_hint() -> str:
    """Return what to install for the model runtimes on this machine, in one line."""
    on_cpu = "pip install 'slimvoice[cpu]'"
    if not NVIDIA_DEVICE.exists():
        return on_cpu
    return f"for this machine's NVIDIA GPU: requirements/cuda.lock, as docs/install.md says; for its CPU: {on_cpu}"


def gpu_resident_bytes(pid: int, index: int) -> int:
    """Return what a process holds on a GPU, by NVML; 0 where NVML cannot tell (inside some containers)."""
    with _nvml() as nvml:
        if nvml is None:
            return 0
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        running = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return sum(int(process.usedGpuMemory or 0) for process in running if process.pid == pid)


def gpu_index(device: str) -> int | None:
    """Return N of `cuda:N`; None for a device that is no GPU."""
    kind, _, number = device.partition(":")
    return int(number or 0) if kind == "cuda" else None


def gpu_used_bytes(index: int) -> int:
    """Return the memory in use on a GPU, by all processes."""
    with _nvml() as nvml:
        return 0 if nvml is None else int(nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByIndex(index)).used)


def choose(setting: str, gpu_capable: bool, free_bytes: Mapping[str, int]) -> str:
    """Return the device for a model: `cpu`, or `cuda:N` where asked for or, on `auto`, where there is one.

    `free_bytes` is what each GPU has left: of several, the emptiest is taken.
    """
    if setting == "cpu" or not gpu_capable:
        return "cpu"
    emptiest = max(free_bytes, key=lambda device: free_bytes[device], default=None)
    if setting == "auto":
        return emptiest or "cpu"
    return emptiest or "cuda:0" if setting == "cuda" else setting
