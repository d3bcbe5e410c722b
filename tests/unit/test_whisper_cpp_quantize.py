from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from slimvoice.backends.whisper_cpp.model_file import check_model_file, opened, tensors
from slimvoice.backends.whisper_cpp.quantize import as_q8_0, floats, quantized

RANDOM = np.random.default_rng(7)


def tensor(name: bytes, kind: int, shape: tuple[int, ...], values: bytes) -> bytes:
    """A tensor as a ggml file holds it."""
    return struct.pack(f"<{3 + len(shape)}i", len(shape), len(name), kind, *shape) + name + values


def model(*parts: bytes) -> bytes:
    """A whisper file of 16-bit floats with an empty vocabulary."""
    header = struct.pack("<11i", 51865, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1)
    return b"lmgg" + header + struct.pack("<2i", 1, 2) + bytes(8) + struct.pack("<i", 0) + b"".join(parts)


def test_every_half_float_becomes_its_own_value() -> None:
    every = np.arange(1 << 16, dtype="<u2").view("<f2")
    every = every[np.isfinite(every)]
    assert np.array_equal(floats(every.tobytes()), every.astype(np.float32))


def test_quantized_values_are_off_by_half_a_step_at_most() -> None:
    values = RANDOM.normal(size=64 * 32).astype(np.float32)
    values[:32] = 0
    blocks = np.frombuffer(quantized(values), np.dtype([("scale", "<f2"), ("values", "i1", 32)]))
    back = blocks["scale"].astype(np.float32)[:, None] * blocks["values"]
    steps = np.abs(values.reshape(-1, 32)).max(axis=1, keepdims=True) / 127
    assert np.abs(back - values.reshape(-1, 32)).max() <= 0.56 * steps.max()  # half, and the scale's own rounding
    assert np.array_equal(back[0], np.zeros(32))


def test_matrices_are_quantized_and_all_else_is_kept(tmp_path: Path) -> None:
    matrix = RANDOM.normal(size=64 * 4).astype("<f2").tobytes()
    bias = RANDOM.normal(size=64).astype("<f4").tobytes()
    path = tmp_path / "ggml-x.bin"
    path.write_bytes(
        model(
            tensor(b"decoder.positional_embedding", 1, (64, 4), matrix),
            tensor(b"mlp.weight", 1, (64, 4), matrix),
            tensor(b"mlp.bias", 0, (64,), bias),
            tensor(b"conv.weight", 1, (4, 64, 1), matrix),
        )
    )
    with as_q8_0(path, 2) as copy:
        assert check_model_file(copy).ftype == 2007
        with opened(copy) as data:
            found = {each.name: (each.kind, data[each.data : each.end]) for each in tensors(data)}
    assert found == {
        b"decoder.positional_embedding": (1, matrix),
        b"mlp.weight": (8, quantized(floats(matrix))),
        b"mlp.bias": (0, bias),
        b"conv.weight": (1, matrix),
    }
