"""Resolves the `voice` of a request, or a mix of them, against the voices of a model. Pure.

af_bella                           a voice, by id or name, in any case
af_bella(2)+af_sky(1)              a mix by weight; af_bella+af_sky is an even one
alloy                              one of OpenAI's names: the voice that the catalog says, else one of its gender
Magpie-Multilingual.EN-US.Mia      NVIDIA's names: a voice of that language
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from slimvoice.errors import InvalidRequest, Unsupported
from slimvoice.speech import Model, Voice
from slimvoice.text.scripts import LANGUAGE_NAMES, own_script

OPENAI_VOICES: dict[str, Literal["female", "male"]] = {
    "alloy": "female",
    "ash": "male",
    "ballad": "male",
    "cedar": "male",
    "coral": "female",
    "echo": "male",
    "fable": "male",
    "marin": "female",
    "nova": "female",
    "onyx": "male",
    "sage": "female",
    "shimmer": "female",
    "verse": "male",
}
"""OpenAI's voice -> gender it is heard as."""

_READERS = {
    "zh": "kokoro's voice zf_xiaobei", "ja": "kokoro's voice jf_alpha", "ru": "piper:ru_RU-irina-medium",
    "ar": "piper:ar_JO-kareem-medium", "el": "piper:el_GR-rapunzelina-low",
}  # fmt: skip
"""A voice of the catalog for each script that other voices would spell."""
_PART = re.compile(r"\s*([^()+\s][^()+]*?)\s*(?:\(\s*([^()]*)\s*\))?\s*")
_NVIDIA = re.compile(r"[^.\s]+\.([A-Za-z]{2,3}-[A-Za-z]{2,4})\.([^.\s]+)(?:\.[^.\s]+)?")
_LARGEST_MIX = 8


class VoiceChoice(msgspec.Struct, frozen=True):
    """The voices to speak with and their weights, which sum to 1."""

    parts: tuple[tuple[Voice, float], ...]

    @property
    def language(self) -> str:
        """BCP 47 tag of the heaviest voice."""
        return max(self.parts, key=lambda part: part[1])[0].language


def close_matches(wanted: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Return up to `count` names that look like `wanted`."""
    folded = {name.casefold(): name for name in names}
    return [folded[found] for found in difflib.get_close_matches(wanted.casefold(), list(folded), count, 0.6)]


def unknown_voice(name: str, voices: Sequence[Voice], model: str) -> InvalidRequest:
    """Return the error for a voice the model has not; the hint names close ones and how to list all."""
    near = close_matches(name, [voice.id for voice in voices])
    suggestion = f"did you mean {', '.join(near)}? " if near else ""
    shown = name if len(name) <= 80 else name[:77] + "..."
    return InvalidRequest(
        f"model {model!r} has no voice {shown!r}",
        hint=f"{suggestion}list them with: slimvoice voices {model}, or GET /v1/audio/voices",
        param="voice",
    )


def _by_language(tag: str, voices: Sequence[Voice]) -> Voice | None:
    """Return the first voice of exactly this language tag, else of its primary language."""
    low = tag.casefold()
    exact = [voice for voice in voices if voice.language.casefold() == low]
    same = [voice for voice in voices if voice.language.casefold().split("-")[0] == low.split("-")[0]]
    return next(iter(exact or same), None)


def _openai_voice(name: str, voices: Sequence[Voice], default: Voice) -> Voice | None:
    """Return a local voice for OpenAI's `name`: one of its gender, else any."""
    if (gender := OPENAI_VOICES.get(name)) is None:
        return None
    voices = [voice for voice in voices if not voice.note] or voices  # nobody asked for one that does not speak well
    alike = [voice for voice in voices if voice.language == default.language] or list(voices)
    alike = [voice for voice in alike if voice.gender == gender] or alike
    same_gender = [other for other, heard_as in OPENAI_VOICES.items() if heard_as == gender]
    # Different names get different voices as far as there are some.
    return alike[same_gender.index(name) % len(alike)] if alike else default


def follows_text(wanted: str) -> bool:
    """Tell whether `wanted` leaves the voice to the text's language: no voice, or OpenAI's, which read any language."""
    return not wanted.strip() or all(name.casefold() in OPENAI_VOICES for name, _ in _mix(wanted) or [(wanted, 1.0)])


def voice_of_script(script: str, wanted: str, voices: Sequence[Voice], like: Voice) -> Voice | None:
    """Return the voice that reads `script` for OpenAI's name `wanted`, of the gender of `like` if there is one."""
    reading = [voice for voice in voices if own_script(voice.language) == script]
    reading = [voice for voice in reading if voice.gender == like.gender] or reading
    names = list(OPENAI_VOICES)
    name = wanted.strip().casefold()
    return reading[names.index(name) % len(reading) if name in names else 0] if reading else None


def cannot_read(script: str, voices: Sequence[Voice], model: str) -> InvalidRequest:
    """Return the error for a text whose script the voice would only spell; the hint names one that reads it."""
    name = LANGUAGE_NAMES.get(script, script)
    able = [voice.id for voice in voices if own_script(voice.language) == script][:3]
    other = _READERS.get(script)
    if able:
        hint = f"use a voice of that language: {', '.join(able)}, or one of OpenAI's names, which follow the text"
    else:
        hint = f"use {other}" if other else "see which voices there are: slimvoice list --all"
    return InvalidRequest(f"the text is {name}, which this voice of {model!r} cannot read", hint=hint, param="input")


def _one(name: str, voices: Sequence[Voice], default: Voice, model: str) -> Voice:
    """Return the voice called `name`, or raise InvalidRequest."""
    low = name.casefold()
    for key in ("id", "name"):
        found = [voice for voice in voices if getattr(voice, key).casefold() == low]
        if len(found) == 1 or (found and key == "id"):
            return found[0]
    if aliased := [voice for voice in voices if low in voice.aliases]:
        return aliased[0]
    if (openai := _openai_voice(low, voices, default)) is not None:
        return openai
    if nvidia := _NVIDIA.fullmatch(name):
        tag, speaker = nvidia.groups()
        of_language = [voice for voice in voices if voice.language.casefold().split("-")[0] == tag[:2].casefold()]
        for voice in of_language:
            if speaker.casefold() in {voice.id.casefold(), voice.name.casefold()}:
                return voice
        if (found_voice := _by_language(tag, voices)) is not None:
            return found_voice
    raise unknown_voice(name, voices, model)


def _weight(text: str | None, name: str) -> float:
    if text is None:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 < weight <= 1000:
        raise InvalidRequest(
            f"the weight of voice {name!r} must be a number above 0 and at most 1000, not {text!r}",
            hint="for example af_bella(2)+af_sky(1)",
            param="voice",
        )
    return weight


def _mix(wanted: str) -> list[tuple[str, float]]:
    """Return names and weights of a mix, or an empty list if `wanted` has no such form."""
    matches = [_PART.fullmatch(part) for part in wanted.split("+")]
    if any(match is None for match in matches):
        return []
    return [(match.group(1), _weight(match.group(2), match.group(1))) for match in matches if match is not None]


def default_voice(voices: Sequence[Voice], default: str) -> Voice:
    """Return the voice with id `default`, else the first, else a nameless one."""
    return next((voice for voice in voices if voice.id == default), voices[0] if voices else Voice(id="", language=""))


def notes_on(voice: str, language: str | None, model: Model) -> dict[str, str]:
    """Return language -> note for what speech in this voice and language does not do well; raises InvalidRequest."""
    notes = {_primary(each.language): each.note for each in model.voices if each.note}
    if not notes:
        return {}
    choice = resolve_voice(voice, model.voices, model=model.name, default=model.default_voice, mixing=True)
    spoken = _primary(language or choice.language)
    return {spoken: notes[spoken]} if spoken in notes else {}


def _primary(tag: str) -> str:
    """Return the language of a BCP 47 tag; espeak-ng's `cmn` is Mandarin too."""
    language = re.split("[-_]", tag.casefold())[0]
    return {"cmn": "zh"}.get(language, language)


def resolve_voice(wanted: str, voices: Sequence[Voice], *, model: str, default: str = "", mixing: bool) -> VoiceChoice:
    """Return the voices that `wanted` asks for; raises InvalidRequest or Unsupported with param `voice`."""
    fallback = default_voice(voices, default)
    wanted = wanted.strip()
    if not wanted:
        return VoiceChoice(((fallback, 1.0),))
    named = [voice for voice in voices if wanted.casefold() == voice.id.casefold()]  # an id may hold + or ()
    if named:
        return VoiceChoice(((named[0], 1.0),))
    parts = _mix(wanted)
    if not parts or len(parts) > _LARGEST_MIX:
        raise unknown_voice(wanted, voices, model)
    if len(parts) > 1 and not mixing:
        raise Unsupported(f"model {model!r} cannot mix voices", hint="name one voice", param="voice")
    total = sum(weight for _, weight in parts)
    merged: dict[str, tuple[Voice, float]] = {}
    for name, weight in parts:
        voice = _one(name, voices, fallback, model)
        merged[voice.id] = (voice, merged.get(voice.id, (voice, 0.0))[1] + weight / total)
    return VoiceChoice(tuple(merged.values()))
