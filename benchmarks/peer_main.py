"""A peer in a process of its own: reads requests as JSON lines, does the work as the peer's users would, answers.

python -m benchmarks.peer_main NAME OPTIONS-AS-JSON
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class FasterWhisper:
    """faster-whisper: CTranslate2 in int8, greedy."""

    def __init__(self, options: Answer) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(
            options["weights"], device="cpu", compute_type="int8", cpu_threads=options["threads"]
        )

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        began, first_s, texts = time.perf_counter(), 0.0, []
        segments, _ = self._model.transcribe(path, beam_size=1, language="en")
        for segment in segments:
            first_s = first_s or time.perf_counter() - began
            texts.append(segment.text)
        return {"text": " ".join(texts), "first_s": first_s}


class Pywhispercpp:
    """pywhispercpp's stock wheel, with its defaults."""

    def __init__(self, options: Answer) -> None:
        from pywhispercpp.model import Model

        self._model = Model(options["weights"], n_threads=options["threads"], print_progress=False)

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        began, first = time.perf_counter(), []
        segments = self._model.transcribe(
            path, language="en", new_segment_callback=lambda _: first.append(time.perf_counter() - began)
        )
        return {"text": " ".join(segment.text for segment in segments), "first_s": first[0] if first else 0.0}


class Moonshine:
    """moonshine-voice with its defaults: the English model of 27 million parameters that its wheel carries."""

    def __init__(self, options: Answer) -> None:
        from moonshine_voice import ModelArch, Transcriber

        self._transcriber = Transcriber(options["weights"], ModelArch.TINY)

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        samples, sample_rate = _samples(path)
        transcript = self._transcriber.transcribe_without_streaming(samples.tolist(), sample_rate)
        return {"text": " ".join(line.text for line in transcript.lines), "first_s": 0.0}


class SherpaMoonshine:
    """sherpa-onnx on the same Moonshine model, which takes some 30 seconds of audio at most."""

    def __init__(self, options: Answer) -> None:
        import sherpa_onnx

        folder = Path(options["weights"])
        tokens = Path(options["folder"]) / "moonshine-tokens.txt"
        tokens.write_text("".join(f"{symbol} {number}\n" for number, symbol in enumerate(_moonshine_tokens(folder))))
        self._recognizer = sherpa_onnx.OfflineRecognizer.from_moonshine_v2(
            str(folder / "encoder_model.ort"),
            str(folder / "decoder_model_merged.ort"),
            str(tokens),
            num_threads=options["threads"],
        )

    def transcribe(self, path: str) -> Answer:
        """Transcribe a file."""
        samples, sample_rate = _samples(path)
        stream = self._recognizer.create_stream()
        stream.accept_waveform(sample_rate, samples)
        self._recognizer.decode_stream(stream)
        return {"text": stream.result.text, "first_s": 0.0}


def _samples(path: str) -> tuple[Any, int]:
    import numpy as np

    with wave.open(path) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return pcm.astype(np.float32) / 32768, file.getframerate()


def _moonshine_tokens(folder: Path) -> Iterator[str]:
    """Yield the tokens of tokenizer.bin, each behind its length in one byte or two; in base64, as sherpa-onnx wants."""
    packed = (folder / "tokenizer.bin").read_bytes()
    at = 0
    while at < len(packed):
        length, at = packed[at], at + 1
        if length >= 128:
            length, at = length - 128 + packed[at] * 128, at + 1
        yield base64.b64encode(packed[at : at + length] or b"<empty>").decode()
        at += length


class KokoroOnnx:
    """kokoro-onnx with its defaults; its stream tells when the first audio is there."""

    def __init__(self, options: Answer) -> None:
        import numpy as np
        from kokoro_onnx import Kokoro

        voices = Path(options["folder"]) / "voices.npz"
        style = np.fromfile(options["voice"], np.float32).reshape(-1, 1, 256)
        np.savez(voices, voice=style)
        self._kokoro = Kokoro(options["weights"], str(voices))

    def speak(self, text: str) -> Answer:
        """Say a text."""
        samples, sample_rate = self._kokoro.create(text, voice="voice", lang="en-us")
        return {"audio_s": len(samples) / sample_rate}

    def stream(self, text: str) -> Answer:
        """Say a text as its stream."""

        async def first_s() -> float:
            began, first = time.perf_counter(), 0.0
            async for _ in self._kokoro.create_stream(text, voice="voice", lang="en-us"):
                first = first or time.perf_counter() - began
            return first

        return {"first_s": asyncio.run(first_s())}


class Piper:
    """piper with its defaults."""

    def __init__(self, options: Answer) -> None:
        from piper import PiperVoice

        self._voice = PiperVoice.load(options["weights"], options["config"])

    def speak(self, text: str) -> Answer:
        """Say a text."""
        began, first_s, samples, sample_rate = time.perf_counter(), 0.0, 0, 1
        for chunk in self._voice.synthesize(text):
            first_s = first_s or time.perf_counter() - began
            samples, sample_rate = samples + len(chunk.audio_int16_bytes) // 2, chunk.sample_rate
        return {"audio_s": samples / sample_rate, "first_s": first_s}


class SherpaPiper:
    """sherpa-onnx on the same voice; it reads no text itself any more, so piper's phonemes are what it is given."""

    def __init__(self, options: Answer) -> None:
        import onnx
        import sherpa_onnx
        from piper import PiperVoice

        self._sherpa = sherpa_onnx
        self._piper = PiperVoice.load(options["weights"], options["config"])
        config = json.loads(Path(options["config"]).read_text())
        model, tokens = (str(Path(options["folder"]) / name) for name in ("sherpa.onnx", "sherpa-tokens.txt"))
        graph = onnx.load(options["weights"])
        onnx.helper.set_model_props(graph, {
            "model_type": "vits", "comment": "piper", "language": "English", "voice": config["espeak"]["voice"],
            "has_espeak": "1", "n_speakers": "1", "sample_rate": str(config["audio"]["sample_rate"]), "add_blank": "1",
        })  # fmt: skip
        onnx.save(graph, model)
        symbols = config["phoneme_id_map"].items()
        Path(tokens).write_text("".join(f"{symbol} {numbers[0]}\n" for symbol, numbers in symbols))
        vits = sherpa_onnx.OfflineTtsVitsModelConfig(model=model, tokens=tokens)
        models = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=options["threads"])
        self._tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=models))

    def speak(self, text: str) -> Answer:
        """Say a text."""
        began, first = time.perf_counter(), []

        def heard(_samples: Any, _progress: float) -> int:
            first.append(time.perf_counter() - began)
            return 1

        config = self._sherpa.GenerationConfig()
        sentences = self._piper.phonemize(text)
        config.phoneme_codepoints = [[ord(mark) for phoneme in each for mark in phoneme] for each in sentences]
        audio = self._tts.generate(text, config, callback=heard)
        return {"audio_s": len(audio.samples) / audio.sample_rate, "first_s": first[0]}


PEERS: dict[str, Callable[[Answer], Any]] = {
    "faster-whisper": FasterWhisper,
    "pywhispercpp": Pywhispercpp,
    "moonshine-voice (tiny-en)": Moonshine,
    "sherpa-onnx (moonshine tiny-en)": SherpaMoonshine,
    "kokoro-onnx": KokoroOnnx,
    "piper": Piper,
    "sherpa-onnx": SherpaPiper,
}


def main() -> None:
    """Serve stdin until it ends; libraries that print to stdout are heard on stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    began = time.perf_counter()
    peer = PEERS[sys.argv[1]](json.loads(sys.argv[2]))
    print(json.dumps({"load_s": time.perf_counter() - began}), file=answers, flush=True)
    for line in sys.stdin:
        verb, argument = json.loads(line)
        cpu_s, began = time.process_time(), time.perf_counter()
        answer = getattr(peer, verb)(argument)
        answer["wall_s"] = time.perf_counter() - began
        answer["cpu_s"] = time.process_time() - cpu_s
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
