"""The machine and its processes: what it is, how busy it is, what a process tree takes."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


def describe() -> dict[str, Any]:
    """Return what a reader needs to judge the figures."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.platform(),
        "python": platform.python_version(),
        "whisper": _whisper_build(),
        "load": load(),
    }


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def load() -> float:
    """Return the load average of the last minute: above the number of cores, others were working too."""
    return round(os.getloadavg()[0], 1)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _whisper_build() -> str:
    """Return which whisper.cpp slimvoice has: the wheel's, or one built by scripts/build-runtime."""
    try:
        answer = subprocess.run(["slimvoice", "--offline", "doctor", "--json"], capture_output=True, check=False)
        return next(str(each["message"]) for each in json.loads(answer.stdout) if each["name"] == "cpu")
    except (OSError, ValueError, StopIteration):
        return "unknown"


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def cpu_s(pid: int) -> float:
    """Return the CPU-seconds of a process tree, those of children that it has waited for included."""
    total = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def rss_mb(pid: int) -> float:
    """Return the resident megabytes of a process tree."""
    total = 0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def run_timed(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Run a command to its end; returns wall and CPU seconds. Raises CalledProcessError."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime
