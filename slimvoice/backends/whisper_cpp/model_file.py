"""Validates a ggml whisper file: whisper.cpp itself would read a truncated file as if it were whole.

Format: `whisper_model_load` in whisper.cpp 1.8.5: magic, 11 int32 hyperparameters, mel filters, vocabulary, then
tensors up to the end of the file. All little-endian.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slimvoice.backends.whisper_cpp.files import MAGIC
from slimvoice.errors import ModelLoad

FTYPE_AT = 44
"""Where in the file `Header.ftype` stands."""
HALF_FLOATS = 1
"""ggml's number of 16-bit floats, as a file's and as a tensor's type."""

# ggml tensor type -> (bytes of a block, values in a block), from ggml-common.h of ggml 0.13
_BLOCKS = {
    0: (4, 1),  # F32
    1: (2, 1),  # F16
    2: (18, 32),  # Q4_0
    3: (20, 32),  # Q4_1
    6: (22, 32),  # Q5_0
    7: (24, 32),  # Q5_1
    8: (34, 32),  # Q8_0
    10: (84, 256),  # Q2_K
    11: (110, 256),  # Q3_K
    12: (144, 256),  # Q4_K
    13: (176, 256),  # Q5_K
    14: (210, 256),  # Q6_K
    30: (2, 1),  # BF16
}


@dataclass(frozen=True)
class Header:
    """What the first bytes of the file say about the model."""

    n_vocab: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_layer: int
    n_text_layer: int
    n_mels: int
    ftype: int
    """What most weights are stored as, in ggml's numbers (`HALF_FLOATS`)."""

    @property
    def multilingual(self) -> bool:
        """False for the English-only (`.en`) models."""
        return self.n_vocab >= 51865

    @property
    def n_languages(self) -> int:
        """Languages of a multilingual model: 99, or 100 from large-v3 on (Cantonese)."""
        return self.n_vocab - 51765 - int(self.multilingual)


@dataclass(frozen=True)
class Tensor:
    """Where one tensor stands in the file: its own header begins `at`, its values take up [data, end)."""

    at: int
    data: int
    end: int
    name: bytes
    kind: int
    shape: tuple[int, ...]
    """Fastest-running dimension first."""


class _Cursor:
    """Reads forward through the file; past its end is a struct.error."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def integers(self, count: int) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{count}i", self.data, self.at)
        self.at += 4 * count
        return values

    def skip(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.data):
            raise struct.error(f"{self.at + size - len(self.data)} bytes are missing")
        self.at += size

    def skip_strings(self, count: int) -> None:
        """Skip strings, each behind its length; one loop of its own, since a vocabulary has fifty thousand."""
        length_at, data, at = struct.Struct("<I").unpack_from, self.data, self.at
        for _ in range(count):
            at += 4 + length_at(data, at)[0]
        self.skip(at - self.at)


@contextmanager
def opened(path: Path) -> Iterator[mmap.mmap]:
    """Map a model file into memory, read-only."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def check_model_file(path: Path) -> Header:
    """Walk through the file at `path` (no weight is read); raises ModelLoad unless it is a whole whisper model."""
    try:
        with opened(path) as data:
            if data[:4] != MAGIC:
                raise ModelLoad(f"{path.name} is not a whisper.cpp model", hint="ggml-*.bin files are")
            cursor = _Cursor(data)
            header = _walk_header(cursor)
            if not list(_walk_tensors(cursor)):
                raise struct.error("it holds no weights")
            return header
    except FileNotFoundError as error:
        raise ModelLoad(f"{path.name} is missing") from error
    except (OSError, ValueError) as error:  # an empty file cannot be mapped: ValueError
        raise ModelLoad(f"{path.name} cannot be read: {error}") from error
    except struct.error as error:
        raise ModelLoad(f"{path.name} is cut or damaged: {error}") from error


def tensors(data: mmap.mmap) -> Iterator[Tensor]:
    """Yield the tensors of a file that `check_model_file` has passed, in its order."""
    cursor = _Cursor(data)
    _walk_header(cursor)
    yield from _walk_tensors(cursor)


def _walk_header(cursor: _Cursor) -> Header:
    cursor.skip(len(MAGIC))
    hyperparameters = cursor.integers(11)
    n_vocab, n_audio_ctx, n_state, _heads, n_audio_layer, _, _, _, n_text_layer, n_mels, ftype = hyperparameters
    header = Header(n_vocab, n_audio_ctx, n_state, n_audio_layer, n_text_layer, n_mels, ftype)
    plausible = 51864 <= n_vocab < 60000 and 0 < n_state < 10000 and 0 < n_audio_layer < 100 and 0 < n_text_layer < 100
    if not plausible or n_audio_ctx != 1500:
        raise struct.error("the header makes no sense")
    filters = cursor.integers(2)
    cursor.skip(4 * filters[0] * filters[1])
    cursor.skip_strings(*cursor.integers(1))
    return header


def _walk_tensors(cursor: _Cursor) -> Iterator[Tensor]:
    while cursor.at < len(cursor.data):
        at = cursor.at
        n_dims, name_length, kind = cursor.integers(3)
        if not 1 <= n_dims <= 4 or not 0 < name_length < 256 or kind not in _BLOCKS:
            raise struct.error(f"no tensor at byte {at}")
        shape = cursor.integers(n_dims)
        name_at = cursor.at
        cursor.skip(name_length)
        data, values = cursor.at, math.prod(shape)
        block_bytes, block_values = _BLOCKS[kind]
        cursor.skip(values // block_values * block_bytes)
        yield Tensor(at, data, cursor.at, cursor.data[name_at:data], kind, shape)
