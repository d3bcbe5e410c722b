"""Piper voices on ONNX Runtime with piper-tts (https://github.com/OHF-Voice/piper1-gpl, GPL-3.0): small and fast."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray
from piper import PiperVoice
from piper.config import PhonemeType, PiperConfig
from piper.const import BOS, EOS, PAD

from slimvoice.backends.base import JobControl
from slimvoice.backends.piper import BACKEND
from slimvoice.backends.piper.files import DURATIONS
from slimvoice.backends.tts import phonemizer
from slimvoice.backends.tts.audio_joins import model_speed
from slimvoice.backends.tts.onnx_session import OnnxSession, as_float32
from slimvoice.backends.tts.pipeline import RawAudio, synthesize
from slimvoice.errors import InvalidRequest, ModelLoad
from slimvoice.speech import Capabilities, LoadSpec, SynthesizeEvent, SynthesizeRequest, Voice
from slimvoice.text.chunking import letter_count
from slimvoice.text.normalize import normalize
from slimvoice.text.scripts import SPELLED, own_script, script_of, stretches
from slimvoice.text.voices import cannot_read, resolve_voice

_FASTEST = 1.5
"""Up to here Piper is understood as well as when it is stretched."""
_LIMITS = (140, 240)
"""Piper is so fast that its first chunk need not be as short as others'."""


class Piper:
    """A loaded Piper voice; one with several speakers has a voice for each."""

    def __init__(self, session: OnnxSession, config: PiperConfig, spec: LoadSpec) -> None:
        self._session = session
        self._config = config
        self._model = spec.installed.model
        self.has_durations = session.has_inner_output
        self._voices = _speakers(config, self._model.voices)
        if "input" not in session.input_types or "scales" not in session.input_types:
            raise ModelLoad(
                f"the weights of {self._model.name!r} are no Piper voice", hint="a Piper graph takes input and scales"
            )

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Load graph and configuration."""
        files = spec.installed.files
        if "weights" not in files:
            raise ModelLoad(f"model {spec.installed.model.name!r} has no file with the role `weights`")
        config = _read_config(Path(files.get("config", files["weights"] + ".json")))
        return cls(OnnxSession(files["weights"], spec, DURATIONS), config, spec)

    @property
    def capabilities(self) -> Capabilities:
        """What these weights can do: many exports do not tell how long each phoneme lasts."""
        return msgspec.structs.replace(BACKEND.capabilities, word_timestamps=self.has_durations)

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def synthesize(self, request: SynthesizeRequest, control: JobControl) -> Iterator[Sequence[SynthesizeEvent]]:
        """Yield the audio of one chunk per step; SpeechDone is the last event."""
        choice = resolve_voice(
            request.voice, self._voices, model=self._model.name, default=self._model.default_voice, mixing=False
        )
        speaker = self._voices.index(choice.parts[0][0])
        config = self._config_for(request.language)
        script = script_of(request.text)
        if (
            config.phoneme_type == PhonemeType.ESPEAK
            and script in SPELLED
            and script != own_script(config.espeak_voice)
        ):
            raise cannot_read(script, self._voices, self._model.name)
        is_long = letter_count(request.text) > _LIMITS[0]
        speed = model_speed(request.speed, _FASTEST)
        yield from synthesize(request, _Utterance(self, config, speaker, speed, control, is_long))

    def _config_for(self, language: str | None) -> PiperConfig:
        """Return the voice's configuration, with the pronunciation of `language` where one is asked for."""
        if language is None or self._config.phoneme_type != PhonemeType.ESPEAK:
            return self._config
        own = self._config.espeak_voice
        wanted = own if language.lower() == own.split("-")[0] else phonemizer.espeak_voice(language, own)
        phonemizer.clauses("a", wanted)
        return replace(self._config, espeak_voice=wanted)

    def run(
        self, phonemes: Sequence[str], speaker: int, speed: float, control: JobControl, *, shrink: bool
    ) -> RawAudio:
        """Run the graph once."""
        config = self._config
        known, pad = config.phoneme_id_map, config.phoneme_id_map[PAD]
        groups = [[*known[phoneme], *pad] for phoneme in (BOS, *phonemes)] + [[*known[EOS]]]
        ids = [number for group in groups for number in group]
        feeds: dict[str, NDArray[Any]] = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array(
                [config.noise_scale, config.length_scale / speed, config.noise_w_scale], dtype=np.float32
            ),
        }
        if "sid" in self._session.input_types:
            feeds["sid"] = np.array([speaker], dtype=np.int64)
        outputs = self._session.run(feeds, control, shrink=shrink)
        samples = as_float32(outputs[0])
        if not self.has_durations:
            return RawAudio(samples)
        frames = np.cumsum(as_float32(outputs[-1]), dtype=np.float64)
        ends = np.cumsum([len(group) for group in groups])[: len(phonemes) + 1] - 1
        return RawAudio(samples, (frames[ends] * (len(samples) / config.sample_rate / frames[-1])).tolist())


@dataclass(frozen=True)
class _Utterance:
    """One request to one speaker in one language."""

    model: Piper
    config: PiperConfig
    speaker: int
    speed: float
    control: JobControl
    is_long: bool
    chunk_limits: Sequence[int] = _LIMITS

    @property
    def sample_rate(self) -> int:
        return self.config.sample_rate

    @property
    def has_durations(self) -> bool:
        return self.model.has_durations

    def phonemes(self, text: str) -> list[str]:
        """Return the phonemes of `text` as one utterance, though "p.m." ends a sentence to espeak-ng."""
        joined: list[str] = []
        try:
            for part, script in self._stretches(normalize(text, self.config.espeak_voice)):
                config = replace(self.config, espeak_voice=phonemizer.espeak_voice(script)) if script else self.config
                for sentence in PiperVoice(session=None, config=config).phonemize(part):
                    joined += [" ", *sentence] if joined else sentence
        except (RuntimeError, ImportError, ValueError) as error:
            raise InvalidRequest(
                "this voice cannot pronounce the text", hint=str(error)[:200], param="input"
            ) from error
        return [phoneme for phoneme in joined if phoneme in self.config.phoneme_id_map]

    def _stretches(self, text: str) -> list[tuple[str, str]]:
        by_espeak = self.config.phoneme_type == PhonemeType.ESPEAK
        return stretches(text, self.config.espeak_voice) if by_espeak else [(text, "")]

    def runs(self, phonemes: Sequence[str]) -> list[Sequence[str]]:
        return [phonemes]

    def run(self, phonemes: Sequence[str], *, last: bool) -> RawAudio:
        # To grow the pool anew takes a tenth of the time of a short text; one leaves it some 80 MB large at most.
        shrink = last and self.is_long
        return self.model.run(phonemes, self.speaker, self.speed, self.control, shrink=shrink)


def _read_config(path: Path) -> PiperConfig:
    try:
        return PiperConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelLoad(f"{path.name}, the configuration of the Piper voice, is missing or damaged") from error


def _speakers(config: PiperConfig, catalog: Sequence[Voice]) -> tuple[Voice, ...]:
    """Return one voice per speaker, in the order of their ids."""
    language = catalog[0].language if catalog else config.espeak_voice
    if config.num_speakers <= 1:
        return tuple(catalog[:1]) or (Voice(id="default", language=language),)
    names = {number: name for name, number in config.speaker_id_map.items()}
    return tuple(Voice(id=names.get(n, str(n)), language=language, name=str(n)) for n in range(config.num_speakers))
