from __future__ import annotations

import struct
from pathlib import Path

import pytest

from slimvoice.backends.whisper_cpp.model_file import check_model_file
from slimvoice.errors import ModelLoad


def model_bytes(n_vocab: int = 51865, kind: int = 0) -> bytes:
    """A whisper model of one tensor of 4 values and a vocabulary of two tokens."""
    header = struct.pack("<11i", n_vocab, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1)
    filters = struct.pack("<2i", 1, 2) + bytes(8)
    vocabulary = struct.pack("<2i", 2, 3) + b"abc" + struct.pack("<i", 0)
    tensor = struct.pack("<3i", 1, 4, kind) + struct.pack("<i", 4) + b"name" + bytes(16)
    return b"lmgg" + header + filters + vocabulary + tensor


@pytest.fixture
def write(tmp_path: Path):
    def write_file(data: bytes) -> Path:
        path = tmp_path / "ggml-x.bin"
        path.write_bytes(data)
        return path

    return write_file


def test_whole_file_tells_what_it_is(write) -> None:
    header = check_model_file(write(model_bytes()))
    assert header.multilingual
    assert header.n_languages == 99


def test_english_only_and_newer_models_are_told_by_their_vocabulary(write) -> None:
    assert not check_model_file(write(model_bytes(51864))).multilingual
    assert check_model_file(write(model_bytes(51866))).n_languages == 100


@pytest.mark.parametrize("missing", [1, 15, 16, 20, 40, len(model_bytes()) - 10])
def test_cut_file_is_an_error(write, missing: int) -> None:
    with pytest.raises(ModelLoad, match="cut or damaged"):
        check_model_file(write(model_bytes()[:-missing]))


def test_file_without_weights_is_an_error(write) -> None:
    whole = model_bytes()
    with pytest.raises(ModelLoad, match="no weights"):
        check_model_file(write(whole[: len(whole) - 36]))


@pytest.mark.parametrize("data", [b"", b"GGUF" + bytes(200), b"<html>not found</html>", b"lmgg"])
def test_other_files_are_an_error(write, data: bytes) -> None:
    with pytest.raises(ModelLoad):
        check_model_file(write(data))


def test_senseless_header_is_an_error(write) -> None:
    data = bytearray(model_bytes())
    data[4:8] = struct.pack("<i", 2_000_000_000)
    with pytest.raises(ModelLoad):
        check_model_file(write(bytes(data)))


def test_unknown_tensor_type_is_an_error(write) -> None:
    with pytest.raises(ModelLoad, match="no tensor"):
        check_model_file(write(model_bytes(kind=99)))


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelLoad, match="missing"):
        check_model_file(tmp_path / "nowhere.bin")
