"""The memory that one model takes: estimated before its first load, measured from then on."""

from __future__ import annotations

from slimvoice import hardware


class MemoryUse:
    """Memory of one model, in RAM and on its GPU."""

    def __init__(self, estimate_bytes: int) -> None:
        self.ram_bytes = estimate_bytes
        self.gpu_bytes = 0
        self._gpu_before_bytes = 0

    def record_gpu_baseline(self, device: str) -> None:
        """Record the GPU memory in use before the model is loaded."""
        if (index := hardware.gpu_index(device)) is not None:
            self._gpu_before_bytes = hardware.gpu_used_bytes(index)

    def measure(self, pid: int, device: str, *, loaded: bool = False) -> None:
        """Measure what a worker holds: just `loaded` it replaces the estimate, then the most ever seen counts."""
        now_bytes = hardware.resident_bytes(pid)
        self.ram_bytes = now_bytes if loaded and now_bytes else max(self.ram_bytes, now_bytes)
        if (index := hardware.gpu_index(device)) is not None:
            now_bytes = hardware.gpu_resident_bytes(pid, index)
            if loaded and not now_bytes:  # NVML sees other process ids than this container does
                now_bytes = max(0, hardware.gpu_used_bytes(index) - self._gpu_before_bytes)
            self.gpu_bytes = max(self.gpu_bytes, now_bytes)

    def leave_gpu(self) -> None:
        """Forget what was measured on a GPU: the model runs on the CPU from now on."""
        self.gpu_bytes = 0

    def needs(self, device: str) -> dict[str, int]:
        """Return the memory it needs of each device, measured or estimated."""
        if device == "cpu":
            return {"cpu": self.ram_bytes}
        return {device: self.gpu_bytes or self.ram_bytes, "cpu": self.ram_bytes}
