"""Kokoro on ONNX Runtime (https://github.com/hexgrad/kokoro, Apache-2.0): 54 voices that mix by weight, 24 kHz.

The graph is fed directly, as kokoro-onnx 0.6.1 does it; not through that package, because of what it brings along
(see phonemizer.py) and because it can neither cancel a run nor shrink the memory pool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from slimvoice.backends.base import JobControl
from slimvoice.backends.kokoro import BACKEND, mandarin
from slimvoice.backends.kokoro import phonemes as kokoro_phonemes
from slimvoice.backends.kokoro.files import DURATIONS, voice_of
from slimvoice.backends.tts import phonemizer
from slimvoice.backends.tts.audio_joins import model_speed
from slimvoice.backends.tts.onnx_session import OnnxSession, as_float32
from slimvoice.backends.tts.pipeline import RawAudio, synthesize
from slimvoice.errors import InvalidRequest, ModelLoad
from slimvoice.speech import Capabilities, LoadSpec, SynthesizeEvent, SynthesizeRequest, Voice
from slimvoice.text.chunking import CHUNK_LIMITS
from slimvoice.text.normalize import normalize
from slimvoice.text.scripts import SPELLED, own_script, script_of
from slimvoice.text.voices import VoiceChoice, cannot_read, follows_text, resolve_voice, voice_of_script

SAMPLE_RATE = 24_000
_STYLE_WIDTH = 256
_FASTEST = 1.2
"""Faster than this Kokoro swallows syllables."""
_DTYPES: dict[str, type[np.generic]] = {
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(float16)": np.float16,
}  # fmt: skip

_IDEOGRAPH = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")

Style = NDArray[np.float32]


class Kokoro:
    """A loaded Kokoro model."""

    def __init__(self, session: OnnxSession, styles: dict[str, Style], spec: LoadSpec) -> None:
        self._session = session
        self._styles = styles
        self._model = spec.installed.model
        self._voices = _known_voices(self._model.voices, styles)
        self._tokens_input = "input_ids" if "input_ids" in session.input_types else "tokens"
        if not {self._tokens_input, "style", "speed"} <= set(session.input_types):
            raise ModelLoad(
                f"the weights of {self._model.name!r} are no Kokoro model",
                hint="a Kokoro graph takes input_ids, style and speed",
            )
        self.has_durations = session.has_inner_output or "duration" in session.output_names
        """Whether the last output is the number of frames of each token."""
        config = session.metadata().get("kokoro_config")
        self.vocabulary = json.loads(config)["vocab"] if config else kokoro_phonemes.VOCABULARY

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Load graph and voices, and speak a word, so that the first request finds everything warm."""
        files = spec.installed.files
        if "weights" not in files:
            raise ModelLoad(f"model {spec.installed.model.name!r} has no file with the role `weights`")
        backend = cls(OnnxSession(files["weights"], spec, DURATIONS), _load_styles(files), spec)
        phonemizer.clauses("Ready.", "en-us")
        return backend

    @property
    def capabilities(self) -> Capabilities:
        """What these weights can do: many exports do not tell how long each phoneme lasts."""
        return msgspec.structs.replace(BACKEND.capabilities, word_timestamps=self.has_durations)

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()
        self._styles = {}

    def synthesize(self, request: SynthesizeRequest, control: JobControl) -> Iterator[Sequence[SynthesizeEvent]]:
        """Yield the audio of one chunk per step; SpeechDone is the last event."""
        choice = resolve_voice(
            request.voice, self._voices, model=self._model.name, default=self._model.default_voice, mixing=True
        )
        language = phonemizer.espeak_voice(request.language or choice.language, choice.language)
        utterance = _Utterance(self, self._style(choice), language, model_speed(request.speed, _FASTEST), control)
        if request.language:
            _check_script(request.text, language)
            yield from synthesize(request, utterance)
            return
        _check_script(request.text, self._written(request, choice) or language)
        yield from synthesize(request, utterance, lambda text: self._reading_of(text, request, choice, utterance))

    def _written(self, request: SynthesizeRequest, choice: VoiceChoice) -> str:
        """Return the script of the text if another voice than asked for is to read it, else "".

        Raises InvalidRequest where the voice would spell the text, and no other may or can read it.
        """
        script = script_of(request.text)
        if not script or script == own_script(choice.language):
            return ""
        follows = follows_text(request.voice)
        if follows and voice_of_script(script, request.voice, self._voices, choice.parts[0][0]) is not None:
            return script
        if script in SPELLED:
            raise cannot_read(script, self._voices, self._model.name)
        return ""

    def _reading_of(
        self, text: str, request: SynthesizeRequest, choice: VoiceChoice, utterance: _Utterance
    ) -> _Utterance:
        """Return `reading`, or that of a voice for the script of `text` where the request leaves the voice to us."""
        script = script_of(text)
        if not script or script == own_script(choice.language) or not follows_text(request.voice):
            return utterance
        voice = voice_of_script(script, request.voice, self._voices, choice.parts[0][0])
        if voice is None:
            return utterance
        return replace(
            utterance,
            style=self._style(VoiceChoice(((voice, 1.0),))),
            language=phonemizer.espeak_voice(voice.language, voice.language),
        )

    def _style(self, choice: VoiceChoice) -> Style:
        """Return the weighted sum of the voices' styles, float32 [510, 256]: one row per number of tokens."""
        mixed: Style = np.sum(
            [self._styles[voice.id] * np.float32(weight) for voice, weight in choice.parts], axis=0, dtype=np.float32
        )
        return mixed

    def run(self, phonemes: str, style: Style, speed: float, control: JobControl, *, shrink: bool) -> RawAudio:
        """Run the graph on at most 510 phonemes of the vocabulary."""
        tokens = [self.vocabulary[symbol] for symbol in phonemes]
        feeds: dict[str, NDArray[Any]] = {
            self._tokens_input: np.array([[0, *tokens, 0]], dtype=self._dtype(self._tokens_input)),
            "style": style[min(len(tokens), len(style)) - 1][None].astype(self._dtype("style")),
            "speed": np.array([speed], dtype=self._dtype("speed")),
        }
        outputs = self._session.run(feeds, control, shrink=shrink)
        samples = as_float32(outputs[0])
        if not self.has_durations:
            return RawAudio(samples)
        frames = np.cumsum(as_float32(outputs[-1]), dtype=np.float64)  # of the pad, the phonemes, the pad
        edges_s = frames[: len(tokens) + 1] * (len(samples) / SAMPLE_RATE / frames[-1])
        return RawAudio(samples, edges_s.tolist())

    def _dtype(self, name: str) -> type[np.generic]:
        return _DTYPES.get(self._session.input_types[name], np.float32)


@dataclass(frozen=True)
class _Utterance:
    """One request in one voice and language."""

    model: Kokoro
    style: Style
    language: str
    speed: float
    control: JobControl
    sample_rate: int = SAMPLE_RATE
    chunk_limits: Sequence[int] = CHUNK_LIMITS

    @property
    def has_durations(self) -> bool:
        return self.model.has_durations

    def phonemes(self, text: str) -> str:
        text = normalize(text, self.language)
        if self.language == "cmn":
            return kokoro_phonemes.known(mandarin.phonemes(text, self._foreign), self.model.vocabulary)
        return self._from_espeak(text, self.language)

    def _foreign(self, words: str) -> str:
        """Return the phonemes of words that are not Mandarin, which are mostly English."""
        return self._from_espeak(words, "en-us")

    def _from_espeak(self, text: str, language: str) -> str:
        return kokoro_phonemes.joined(phonemizer.clauses(text, language), language, self.model.vocabulary)

    def runs(self, phonemes: Sequence[str]) -> list[str]:
        return kokoro_phonemes.split("".join(phonemes))

    def run(self, phonemes: Sequence[str], *, last: bool) -> RawAudio:
        return self.model.run("".join(phonemes), self.style, self.speed, self.control, shrink=last)


def _check_script(text: str, language: str) -> None:
    """Raise InvalidRequest for kanji: espeak-ng would say "Chinese letter" for each."""
    if language == "ja" and _IDEOGRAPH.search(text):
        raise InvalidRequest(
            "Kokoro's Japanese voices can read kana only, not kanji",
            hint="write the text in hiragana and katakana",
            param="input",
        )


def _known_voices(voices: Sequence[Voice], styles: dict[str, Style]) -> tuple[Voice, ...]:
    """Return the catalog's voices whose files are here, and those that only the files know."""
    known = [voice for voice in voices if voice.id in styles]
    named = {voice.id for voice in known}
    return (*known, *(voice_of(name) for name in styles if name not in named))


def _load_styles(files: dict[str, str]) -> dict[str, Style]:
    """Read every voice: from a folder or an archive in role `voices`, and from roles `voice/NAME`."""
    styles: dict[str, Style] = {}
    try:
        voices = Path(files["voices"]) if "voices" in files else None
        if voices is not None and voices.is_dir():
            styles = {path.stem: _style_of(np.fromfile(path, "<f4")) for path in sorted(voices.glob("*.bin"))}
        elif voices is not None:
            with np.load(voices) as archive:
                styles = {name: _style_of(archive[name]) for name in sorted(archive.files)}
        for role, path in files.items():
            if role.startswith("voice/"):
                styles[role.removeprefix("voice/")] = _style_of(np.fromfile(path, "<f4"))
    except (OSError, ValueError, EOFError) as error:
        raise ModelLoad("a voice file of Kokoro is missing or damaged", detail=str(error)[:200]) from error
    if not styles:
        raise ModelLoad("no voices of Kokoro are here")
    return styles


def _style_of(values: NDArray[Any]) -> Style:
    return np.asarray(values, dtype=np.float32).reshape(-1, _STYLE_WIDTH)
