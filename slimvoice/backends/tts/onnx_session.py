"""An ONNX Runtime session as speech needs it: cancellable, with threads that hardly spin, giving memory back.

Runs in a worker process that was started with ORT_DISABLE_TELEMETRY=1 (ONNX_RUNTIME_ENV).
"""

from __future__ import annotations

import gc
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from slimvoice.backends.base import JobControl
from slimvoice.errors import Cancelled, Inference, ModelLoad
from slimvoice.speech import LoadSpec

_ERRORS: tuple[type[Exception], ...] = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.EPFail,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
    MemoryError,
)
_CANCEL_POLL_S = 0.05
_GRAPH_FIELD, _OUTPUT_FIELD, _NAME_FIELD = 7, 12, 1
"""Field numbers in ModelProto, GraphProto and ValueInfoProto: github.com/onnx/onnx/blob/main/onnx/onnx.proto"""


def _field(number: int, payload: bytes) -> bytes:
    """Encode a length-delimited protobuf field."""
    encoded, length = bytearray([number << 3 | 2]), len(payload)
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + payload


def added_output(name: str) -> bytes:
    """Return bytes that, put behind a serialized ONNX model, make its inner tensor `name` an output as well.

    Protobuf merges a message that occurs twice, so no parser of ONNX files (31 MB of package) is needed.
    """
    return _field(_GRAPH_FIELD, _field(_OUTPUT_FIELD, _field(_NAME_FIELD, name.encode())))


@contextmanager
def _with_output(path: str, name: str) -> Iterator[str | bytes]:
    """Give the model at `path` with its inner tensor `name` as an output: as a file in memory, else as bytes.

    ONNX Runtime reads a file piece by piece, but holds two copies of bytes while it loads them: 1012 MB at the peak
    instead of 452 for Kokoro in 32-bit floats.
    """
    if not hasattr(os, "memfd_create"):
        yield Path(path).read_bytes() + added_output(name)
        return
    with Path(path).open("rb") as source, os.fdopen(os.memfd_create("model"), "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.write(added_output(name))
        copy.flush()
        yield f"/proc/self/fd/{copy.fileno()}"


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning burns the cores that other requests need: by default it costs two texts at once 12 % of time. A moment of
    # it, before a thread sleeps, saves Kokoro 8 % of time, and no CPU is lost.
    options.add_session_config_entry("session.intra_op.spin_duration_us", "100")
    # Every text has another length, so a remembered memory pattern never fits.
    options.enable_mem_pattern = False
    # Planning which tensor may take the place of which compares each with all others, type names and all: of Piper's
    # 3.0 s of loading it is 2.4, of Kokoro's 1.2 it is 0.2. Runs take as long and as much memory without the plan.
    options.enable_mem_reuse = False
    return options


def _providers(device: str) -> list[Any]:
    if not device.startswith("cuda"):
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()
    cuda = {
        "device_id": device.partition(":")[2] or "0",
        "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive search would run anew for every length
        "arena_extend_strategy": "kSameAsRequested",
    }
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


class OnnxSession:
    """One loaded graph; `run` may be called from several threads at once."""

    def __init__(self, path: str, spec: LoadSpec, inner_output: str = "") -> None:
        """Load `path`; `inner_output`, if the graph has such a tensor, becomes its last output.

        Raises ModelLoad when the file is missing, damaged or no ONNX model, or when the GPU cannot be used.
        """
        self.has_inner_output = False
        if not Path(path).is_file():
            raise ModelLoad(f"the model file {path} is missing")
        self._session: Any = self._load(path, spec, inner_output)
        self.input_types = {given.name: given.type for given in self._session.get_inputs()}
        self.output_names = [output.name for output in self._session.get_outputs()]
        self._device = "gpu" if spec.device.startswith("cuda") else "cpu"
        self._device_id = spec.device.partition(":")[2] or "0"
        if spec.device.startswith("cuda") and "CUDAExecutionProvider" not in self._session.get_providers():
            raise ModelLoad(
                f"ONNX Runtime cannot use {spec.device}",
                hint="install slimvoice[cuda] and a driver that fits, or set SLIMVOICE_DEVICE=cpu",
            )

    def _load(self, path: str, spec: LoadSpec, inner_output: str) -> Any:
        if inner_output:
            try:
                with _with_output(path, inner_output) as model:
                    session = self._session_of(model, spec)
                session._model_bytes = None  # kept by ONNX Runtime for a fallback that we do not want
                self.has_inner_output = True
                return session
            except _ERRORS:  # no such tensor in this graph; any other fault shows again below
                gc.collect()
        try:
            return self._session_of(path, spec)
        except _ERRORS as error:
            raise ModelLoad(
                f"{Path(path).name} is not a model that ONNX Runtime can load",
                detail=str(error),
            ) from error

    @staticmethod
    def _session_of(model: str | bytes, spec: LoadSpec) -> Any:
        return onnxruntime.InferenceSession(
            model, sess_options=_options(max(1, spec.threads)), providers=_providers(spec.device)
        )

    def metadata(self) -> Mapping[str, str]:
        """Return the strings that the exporter left in the model file."""
        metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata

    def run(
        self, feeds: Mapping[str, NDArray[Any]], control: JobControl, *, shrink: bool = False
    ) -> Sequence[NDArray[Any]]:
        """Run the graph once. Raises Cancelled within some 0.1 s of `control.cancelled`, and Inference.

        `shrink` gives the memory that ONNX Runtime pools back to the system when the run is over.
        """
        options = onnxruntime.RunOptions()
        if shrink:
            options.add_run_config_entry(
                "memory.enable_memory_arena_shrinkage",
                f"{self._device}:{self._device_id if self._device == 'gpu' else 0}",
            )
        try:
            with _terminated_on_cancel(options, control):
                outputs: Sequence[NDArray[Any]] = self._session.run(None, dict(feeds), options)
        except _ERRORS as error:
            if control.cancelled:
                raise Cancelled("the synthesis was cancelled") from error
            raise Inference("the voice model failed on this text", detail=str(error)) from error
        return outputs

    def close(self) -> None:
        """Give the memory back."""
        self._session = None
        gc.collect()


@contextmanager
def _terminated_on_cancel(options: Any, control: JobControl) -> Iterator[None]:
    """Watch the job while a run lasts and end the run when the job is cancelled."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_CANCEL_POLL_S):
            if control.cancelled:
                options.terminate = True
                return

    if control.cancelled:
        raise Cancelled("the synthesis was cancelled")
    watcher = threading.Thread(target=watch, name="cancel-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return the samples of an output tensor as one row of float32."""
    return np.asarray(array, dtype=np.float32).reshape(-1)
