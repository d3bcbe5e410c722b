"""Quantizes a float16 model to q8_0 at load: half the memory, and a faster decoder, which is memory-bound.

What whisper.cpp's own `quantize` does (examples/quantize, ggml's q8_0: blocks of 32 values and one scale), done while
the model loads, so that one pulled file serves GPUs in its own precision and processors in this one. Word error rates
stay within a point (scripts/wer), but for whisper:tiny, which the catalog leaves as it is.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from slimvoice.backends.whisper_cpp.model_file import FTYPE_AT, HALF_FLOATS, Tensor, opened, tensors

Values = npt.NDArray[np.float32]
BLOCK = 32
Q8_0 = 8
_FILE_OF_Q8_0 = 2007
"""Version 2 of ggml's quantisation, and its number for a file of q8_0."""
_LEFT_ALONE = {b"encoder.positional_embedding", b"decoder.positional_embedding"}
_AT_ONCE = 1 << 18
"""Values worked on at a time: what fits a processor's cache."""
_BLOCKS = np.dtype([("scale", "<f2"), ("values", "i1", BLOCK)])


@contextmanager
def as_q8_0(weights: Path, threads: int) -> Iterator[Path]:
    """Yield the path of an in-memory copy with q8_0 matrices; it is deleted afterwards. `weights` has been checked."""
    with opened(weights) as data, _memory_file() as copy, ThreadPoolExecutor(max(1, threads)) as pool:
        done = 0
        for tensor in tensors(data):
            if _to_be_quantized(tensor):
                copy.write(data[done : tensor.at])
                copy.write(_header(tensor))
                starts = range(tensor.data, tensor.end, 2 * _AT_ONCE)
                copy.writelines(pool.map(partial(_part, data, tensor.end), starts))
                done = tensor.end
        copy.write(data[done:])
        copy.seek(FTYPE_AT)
        copy.write(struct.pack("<i", _FILE_OF_Q8_0))
        copy.flush()
        yield Path(f"/dev/fd/{copy.fileno()}")


def _part(data: mmap.mmap, end: int, start: int) -> bytes:
    return quantized(floats(data[start : min(end, start + 2 * _AT_ONCE)]))


def _to_be_quantized(tensor: Tensor) -> bool:
    matrix = len(tensor.shape) == 2 and tensor.shape[0] % BLOCK == 0
    return matrix and tensor.kind == HALF_FLOATS and tensor.name not in _LEFT_ALONE


def _header(tensor: Tensor) -> bytes:
    numbers = (len(tensor.shape), len(tensor.name), Q8_0, *tensor.shape)
    return struct.pack(f"<{len(numbers)}i", *numbers) + tensor.name


def floats(half_floats: bytes) -> Values:
    """Return 16-bit floats as 32-bit ones; by hand, as NumPy takes six times as long. Neither inf nor nan is right."""
    words = np.frombuffer(half_floats, "<i2").astype(np.int32)
    words <<= 13  # the sign, which was repeated to the left, now fills the highest four bits, the exponent follows
    words &= np.int32(~0x70000000)
    values = words.view(np.float32)
    values *= np.float32(2.0**112)  # the difference of the exponents' offsets
    return values


def quantized(values: Values) -> bytes:
    """Return values [n], n a multiple of 32, as blocks of q8_0."""
    rows = values.reshape(-1, BLOCK)
    columns = np.abs(rows).T.copy()  # along a short axis NumPy looks for the largest half as fast
    scales = columns.max(axis=0) / np.float32(127)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales > 0)
    blocks = np.empty(len(rows), _BLOCKS)
    blocks["scale"] = scales
    blocks["values"] = np.rint(rows * inverse[:, None])
    return blocks.tobytes()


@contextmanager
def _memory_file() -> Iterator[IO[bytes]]:
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("whisper", os.MFD_CLOEXEC), "wb+") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as file:
            yield file
