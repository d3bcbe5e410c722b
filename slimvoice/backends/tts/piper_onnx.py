"""Piper voices on ONNX Runtime with piper-tts (https://github.com/OHF-Voice/piper1-gpl, GPL-3.0): small and fast."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from piper import PiperVoice
from piper.config import PhonemeType, PiperConfig

from slimvoice.backends.base import JobControl
from slimvoice.backends.tts import phonemizer, speaking
from slimvoice.backends.tts.onnx_session import OnnxSession, as_float32
from slimvoice.errors import InvalidRequest, ModelLoad
from slimvoice.speech import LoadSpec, SynthesizeEvent, SynthesizeRequest, Voice
from slimvoice.text.spoken import spoken
from slimvoice.text.voices import resolve_voice

_DURATIONS = "/Ceil_output_0"
"""The tensor of frames per phoneme in Piper's exports: piper/patch_voice_with_alignment.py."""


_LIMITS = (140, 240)
"""Piper is so fast that its first piece need not be as short as others'."""


class Piper:
    """A loaded Piper voice; one with several speakers has a voice for each."""

    def __init__(self, session: OnnxSession, config: PiperConfig, spec: LoadSpec) -> None:
        self._session = session
        self._config = config
        self._model = spec.installed.model
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
        backend = cls(OnnxSession(files["weights"], spec, _DURATIONS), config, spec)
        backend._phonemize("1", config)
        return backend

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def synthesize(self, request: SynthesizeRequest, control: JobControl) -> Iterator[Sequence[SynthesizeEvent]]:
        """Yield the audio of one piece per step; SpeechDone is the last event."""
        speaking.check(request)
        choice = resolve_voice(
            request.voice, self._voices, model=self._model.name, default=self._model.default_voice, mixing=False
        )
        speaker = self._voices.index(choice.parts[0][0])
        config = self._config_for(request.language)

        def speak(text: str, last: bool) -> speaking.Take | None:
            phonemes = self._phonemize(spoken(text, config.espeak_voice), config)
            if not any(phoneme.isalpha() for phoneme in phonemes):
                return None
            ids = self._voice(config).phonemes_to_ids(phonemes)
            samples = self._run(ids, speaker, request.speed, control, shrink=last)
            return speaking.Take(samples, len(phonemes))

        yield from speaking.speak_all(request, speak, self._config.sample_rate, _LIMITS)

    def _voice(self, config: PiperConfig) -> PiperVoice:
        return PiperVoice(session=None, config=config)

    def _config_for(self, language: str | None) -> PiperConfig:
        """Return the voice's configuration, with the pronunciation of `language` where one is asked for."""
        if language is None or self._config.phoneme_type != PhonemeType.ESPEAK:
            return self._config
        own = self._config.espeak_voice
        wanted = own if language.lower() == own.split("-")[0] else phonemizer.espeak_voice(language, own)
        phonemizer.clauses("a", wanted)
        return dataclasses.replace(self._config, espeak_voice=wanted)

    def _phonemize(self, text: str, config: PiperConfig) -> list[str]:
        """Return the phonemes of `text` as one utterance: "Dr. Smith" is two sentences to espeak-ng."""
        joined: list[str] = []
        try:
            for sentence in self._voice(config).phonemize(text):
                joined += [" ", *sentence] if joined else sentence
        except (RuntimeError, ImportError, ValueError) as error:
            raise InvalidRequest(
                f"the text cannot be pronounced by voice {self._model.name!r}", hint=str(error)[:200], param="input"
            ) from error
        return joined

    def _run(self, ids: list[int], speaker: int, speed: float, control: JobControl, *, shrink: bool) -> Any:
        config = self._config
        feeds: dict[str, NDArray[Any]] = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array(
                [config.noise_scale, config.length_scale / speed, config.noise_w_scale], dtype=np.float32
            ),
        }
        if "sid" in self._session.input_types:
            feeds["sid"] = np.array([speaker], dtype=np.int64)
        return as_float32(self._session.run(feeds, control, shrink=shrink)[0])


def _read_config(path: Path) -> PiperConfig:
    try:
        return PiperConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelLoad(
            f"{path.name}, the configuration of the Piper voice, is missing or damaged", hint="pull the model again"
        ) from error


def _speakers(config: PiperConfig, catalog: Sequence[Voice]) -> tuple[Voice, ...]:
    """Return one voice per speaker, in the order of their ids."""
    language = catalog[0].language if catalog else config.espeak_voice
    if config.num_speakers <= 1:
        return tuple(catalog[:1]) or (Voice(id="default", language=language),)
    names = {number: name for name, number in config.speaker_id_map.items()}
    return tuple(Voice(id=names.get(n, str(n)), language=language, name=str(n)) for n in range(config.num_speakers))
