"""What `slimvoice doctor` finds of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata

from slimvoice import hardware
from slimvoice.backends.info import Finding

ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def onnx_runtime() -> Iterator[Finding]:
    """Look which ONNX Runtime is installed."""
    yield judged({dist.name: dist.version for dist in metadata.distributions()})


def judged(versions: Mapping[str, str]) -> Finding:
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
        return Finding("onnx", "warn", "no ONNX Runtime: the voices cannot speak", hardware.install_hint())
    return Finding("onnx", "ok", found[0])
