"""What files say of themselves, and how a repository's model is found."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from slimvoice.backends.registry import capabilities_of
from slimvoice.backends.whisper_cpp.from_ctranslate2 import whisper_ggml
from slimvoice.errors import InvalidRequest, SourceMissing, Unsupported
from slimvoice.models.detect import detect
from slimvoice.models.formats import inspect
from slimvoice.models.records import HubName
from slimvoice.speech import Model, Task, Voice

PIPER = {"audio": {"sample_rate": 22050}, "phoneme_id_map": {}, "espeak": {"voice": "en-gb"}}


def model(backend: str, **fields: object) -> Model:
    return Model(name="m", task=Task.TEXT_TO_SPEECH, backend=backend, **fields)  # type: ignore[arg-type]


def write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def test_ggml_tells_english_only_models(tmp_path: Path) -> None:
    english = {"weights": write(tmp_path / "en.bin", b"lmgg" + struct.pack("<i", 51864))}
    every = {"weights": write(tmp_path / "all.bin", b"lmgg" + struct.pack("<i", 51865))}
    assert inspect(model("whisper.cpp"), english).languages == ("en",)
    assert inspect(model("whisper.cpp"), every).languages == ()
    assert inspect(model("whisper.cpp", languages=("de",)), english).languages == ("de",)


@pytest.mark.parametrize("content", [b"", b"GGUF....", b"<html>"])
def test_other_files_are_no_whisper_model(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unsupported, match="no ggml file"):
        inspect(model("whisper.cpp"), {"weights": write(tmp_path / "w.bin", content)})


def test_piper_configuration_tells_speakers_and_language(tmp_path: Path) -> None:
    weights = write(tmp_path / "v.onnx", b"graph")
    many = PIPER | {"speaker_id_map": {"p2": 1, "p1": 0}, "language": {"code": "de_DE"}}
    found = inspect(
        model("piper"), {"weights": weights, "config": write(tmp_path / "v.json", json.dumps(many).encode())}
    )
    assert [(voice.id, voice.language) for voice in found.voices] == [("p1", "de-DE"), ("p2", "de-DE")]
    assert (found.default_voice, found.languages) == ("p1", ("de",))
    one = inspect(
        model("piper"), {"weights": weights, "config": write(tmp_path / "v.json", json.dumps(PIPER).encode())}
    )
    assert [(voice.id, voice.language) for voice in one.voices] == [("default", "en-GB")]
    for wrong in (b"{}", b"no json", b"[]"):
        with pytest.raises(Unsupported):
            inspect(model("piper"), {"weights": weights, "config": write(tmp_path / "v.json", wrong)})


def test_kokoro_names_its_voices_by_their_files(tmp_path: Path) -> None:
    weights = write(tmp_path / "k.onnx", b"..input_ids..style..speed..")
    for name in ("af_heart", "bm_lewis", "zf_x"):
        write(tmp_path / "voices" / f"{name}.bin", bytes(1024))
    found = inspect(model("kokoro"), {"weights": weights, "voices": str(tmp_path / "voices")})
    assert [(voice.id, voice.language, voice.gender) for voice in found.voices] == [
        ("af_heart", "en-US", "female"),
        ("bm_lewis", "en-GB", "male"),
        ("zf_x", "zh", "female"),
    ]
    assert found.default_voice == "af_heart"
    with pytest.raises(Unsupported):
        inspect(model("kokoro"), {"weights": write(tmp_path / "other.onnx", b"input output")})


@pytest.mark.parametrize(
    ("backend", "graph", "lacks"),
    [
        ("kokoro", b"style speed", ("word_timestamps",)),
        ("kokoro", b"style speed \x0a\x08duration", ()),
        ("kokoro", b"style speed predicted duration", ("word_timestamps",)),
        ("kokoro", b"style speed /encoder/Clip_output_0", ()),
        ("piper", b"graph", ("word_timestamps",)),
        ("piper", b"graph /Ceil_output_0", ()),
    ],
)
def test_a_graph_tells_whether_it_gives_the_times_of_words(
    tmp_path: Path, backend: str, graph: bytes, lacks: tuple[str, ...]
) -> None:
    voice = Voice(id="v", language="en-GB")
    paths = {
        "weights": write(tmp_path / "v.onnx", graph),
        "config": write(tmp_path / "v.json", json.dumps(PIPER).encode()),
    }
    found = inspect(model(backend, voices=(voice,)), paths)
    assert found.lacks == lacks
    assert capabilities_of(found).word_timestamps == (not lacks)


def test_hub_names_are_parsed_and_checked() -> None:
    assert HubName.parse("whisper:tiny") is None
    assert HubName.parse("hf:a/b") == HubName(repo="a/b")
    assert HubName.parse("HF:a/b/c/d.bin") == HubName(repo="a/b", file="c/d.bin")
    assert HubName.parse("hf:a/b", "x.bin", "v1") == HubName(repo="a/b", file="x.bin", revision="v1")
    for wrong in ("hf:a", "hf:/b", "hf:a/../b", "hf:"):
        with pytest.raises(InvalidRequest):
            HubName.parse(wrong)


def find(contents: dict[str, bytes], file: str = "") -> tuple[str, list[tuple[str, str]]]:
    sizes = {path: len(data) for path, data in contents.items()}
    entry = detect(HubName(repo="a/b", file=file), sizes, lambda path, length: contents[path][:length], "mine")
    assert entry.model.name == "mine"
    return entry.model.backend, [(each.role, each.path) for each in entry.files]


def test_backend_is_found_from_contents() -> None:
    assert find({"x.bin": b"lmgg123", "README.md": b""}) == ("whisper.cpp", [("weights", "x.bin")])
    piper = {"v.onnx": b"g", "v.onnx.json": json.dumps(PIPER).encode()}
    assert find(piper) == ("piper", [("weights", "v.onnx"), ("config", "v.onnx.json")])
    kokoro = {"onnx/model.onnx": b"g", "onnx/model_quantized.onnx": b"g", "voices/af_x.bin": bytes(2048)}
    assert find(kokoro) == ("kokoro", [("weights", "onnx/model_quantized.onnx"), ("voices", "voices/af_x.bin")])
    assert find(kokoro, "onnx/model.onnx")[1][0] == ("weights", "onnx/model.onnx")


def test_what_no_backend_takes_or_several_could_be_is_refused() -> None:
    with pytest.raises(Unsupported):
        find({"model.onnx": b"g", "model.bin": b"GGUF", "model.safetensors": b""})
    with pytest.raises(Unsupported):
        find({"v.onnx": b"g", "v.onnx.json": b'{"other": 1}'})
    with pytest.raises(InvalidRequest) as several:
        find({"a.bin": b"lmgg", "b.bin": b"lmgg"})
    assert "a.bin, b.bin" in several.value.hint
    with pytest.raises(SourceMissing) as close:
        find({"model.bin": b"lmgg"}, "modle.bin")
    assert "model.bin" in close.value.hint


@pytest.mark.parametrize("weights", [b"", b"\x05\0\0\0", b"\x06\0\0\0" + bytes(64)])
def test_rebuilding_refuses_what_is_no_weights_file(weights: bytes) -> None:
    filters = io.BytesIO()
    with zipfile.ZipFile(filters, "w") as box:
        box.writestr("mel_80.npy", b"")
    with pytest.raises((ValueError, KeyError, struct.error)):
        list(whisper_ggml(io.BytesIO(weights), filters, io.BytesIO()))
