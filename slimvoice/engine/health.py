"""Diagnoses ended workers, derives step timeouts, decides on restarts. Pure, with the clock passed in."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slimvoice.speech import LoadSpec

Cause = Literal["stopped", "crashed", "killed", "out-of-memory", "wedged", "device", "load"]

LIMIT_WINDOW_S = 30.0
"""Audio of the step that the limit of `Timeouts` is meant for."""
PATIENCE = 10.0
"""Times its measured pace that a step may take before it counts as stuck: other programs want the cores too."""
BYTES_PER_CORE = 250_000_000
"""Weights that one core computes a window with in a fraction of the default limit; larger models get longer."""


@dataclass(frozen=True)
class Timeouts:
    """Timeouts in seconds after which a worker counts as stuck."""

    load_s: float = 300.0
    load_pong_s: float = 60.0
    """Silence while loading: reading a gigabyte of CUDA libraries from a slow disk holds Python's lock."""
    pong_s: float = 20.0
    ping_every_s: float = 2.0
    step_s: float = 120.0


@dataclass(frozen=True)
class Exit:
    """How a worker process ended. `detail` (its last words) is for the operator."""

    cause: Cause
    reason: str
    detail: str = ""
    signal: int = 0
    """What killed it; 0: none, or the server did it."""

    @property
    def failure(self) -> bool:
        """Whether the exit was not requested."""
        return self.cause != "stopped"


def diagnose(
    returncode: int,
    *,
    failing: tuple[Cause, str] | None,
    stopping: bool,
    oom_killed: bool,
    stderr: str,
    gpu_faults: Sequence[str] = (),
) -> Exit:
    """Distinguish a crash, a kill, an out-of-memory kill, a hang, and a GPU's fault by its backend's `gpu_faults`."""
    if failing is not None:
        return Exit(*failing, stderr)
    if stopping:
        return Exit("stopped", "it was told to stop")
    cause: Cause = "crashed"
    reason = f"it exited with status {returncode}"
    if returncode == -signal.SIGKILL:
        cause, reason = "killed", "it was killed"
        if oom_killed:
            cause, reason = "out-of-memory", "the system ran out of memory and killed it"
    elif returncode == -signal.SIGABRT and any(fault in stderr for fault in gpu_faults):
        cause, reason = "device", "its GPU failed"
    elif returncode < 0:
        reason = f"it crashed ({signal.Signals(-returncode).name})"
    return Exit(cause, reason, stderr, max(0, -returncode))


def oom_kills(counters: Sequence[Path]) -> int:
    """Return how many processes the kernel has killed for memory so far, by the first of these files that is there."""
    for counter in counters:
        try:
            lines = counter.read_text().splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def step_limit_s(
    limit_s: float,
    audio_s: float,
    spec: LoadSpec,
    *,
    weights_bytes: int = 0,
    factor: float = 0.0,
    longest_s: float = LIMIT_WINDOW_S,
) -> float:
    """Return how long a step over `audio_s` seconds of sound may take, where `limit_s` is for a window of 30 s.

    A quarter of it is for anything at all: loading caches, a busy machine. Slots share the cores. A large model on few
    cores gets longer, and so does one whose measured real-time `factor` says so. `weights_bytes`: 0 on a GPU;
    `longest_s`: the most that its backend computes in one step.
    """
    window_s = min(audio_s, longest_s)
    size = max(1.0, weights_bytes / BYTES_PER_CORE / max(1, spec.threads))
    expected_s = PATIENCE * factor * window_s
    return max(limit_s * size * (0.25 + 0.75 * window_s / LIMIT_WINDOW_S), expected_s) * max(1, spec.slots)


@dataclass
class RestartPolicy:
    """Restart at once, at most `most` times in `window_s`; then cool down, twice as long each time."""

    most: int = 3
    window_s: float = 1800.0
    cool_down_s: float = 30.0
    longest_s: float = 3600.0
    failures: deque[float] = field(default_factory=deque)
    retry_at: float | None = None
    _next_s: float = 0.0

    def failed(self, now: float) -> bool:
        """Count a failure; returns whether the worker may be started again at once."""
        while self.failures and now - self.failures[0] > self.window_s:
            self.failures.popleft()
        if not self.failures:  # it has been well for long
            self._next_s = 0.0
        self.failures.append(now)
        if len(self.failures) <= self.most:
            return True
        self._next_s = min(self.longest_s, max(self.cool_down_s, 2 * self._next_s))
        self.retry_at = now + self._next_s
        return False

    def cooling_s(self, now: float) -> float:
        """Return the seconds until a start may be tried; 0: now."""
        return max(0.0, self.retry_at - now) if self.retry_at is not None else 0.0

    def reset(self) -> None:
        """Forget all failures: somebody loads the model by hand."""
        self.failures.clear()
        self.retry_at = None
        self._next_s = 0.0
