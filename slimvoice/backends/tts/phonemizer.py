"""Text to phonemes with the espeak-ng that piper-tts carries (GPL-3.0): one library and one data set for all voices.

kokoro-onnx would bring a second espeak-ng (21 MB), and phonemizer, which hands it text cut at every punctuation mark
("p.m." as two sentences) and copies the library into a temporary folder. espeak-ng's state is one per process.
"""
# ruff: noqa: RUF001 - phonetic letters are the matter here

from __future__ import annotations

import re
import threading

from piper import espeakbridge
from piper.phonemize_espeak import ESPEAK_DATA_DIR

from slimvoice.errors import InvalidRequest
from slimvoice.text.scripts import stretches

_LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z0-9-]+)?\)")
"""espeak-ng marks words it reads by the rules of another language: `(en)wiːkˈɛnd(fr)`."""
_ESPEAK_NAMES = {
    "zh": "cmn", "zh-cn": "cmn", "zh-hans": "cmn", "cmn-cn": "cmn", "zh-tw": "cmn", "zh-hant": "cmn", "zh-hk": "yue",
    "no": "nb", "fr-fr": "fr", "en": "en-us", "pt": "pt", "es-mx": "es-419", "es-us": "es-419", "iw": "he", "jw": "jv",
}  # fmt: skip
_VOICE = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,12}){0,3}")
_lock = threading.Lock()
_initialized: list[bool] = []


def espeak_voice(language: str, of_voice: str = "") -> str:
    """Return espeak-ng's name for a BCP 47 tag; one without a region takes the region of the voice's own tag."""
    tag, own = language.lower().replace("_", "-"), of_voice.lower()
    if "-" not in tag and own.split("-")[0] == tag:
        tag = own
    return _ESPEAK_NAMES.get(tag, tag)


def clauses(text: str, voice: str) -> list[tuple[str, str]]:
    """Return phonemes and closing punctuation of each clause of `text`.

    `voice` is an espeak-ng voice or BCP 47 tag. Words in a script that it would spell are read by one of that script,
    as espeak-ng itself does with others. Raises InvalidRequest(param="language") if there is no such voice.
    """
    with _lock:
        if not _initialized:
            espeakbridge.initialize(str(ESPEAK_DATA_DIR))
            _initialized.append(True)
        found: list[tuple[str, str]] = []
        for part, script in stretches(text, voice):
            _set_voice(_ESPEAK_NAMES.get(script, script) if script else voice)
            said = [(_LANGUAGE_SWITCH.sub("", phonemes), mark) for phonemes, mark, _ in espeakbridge.get_phonemes(part)]
            if found and said and not found[-1][1]:
                said[0] = (f"{found.pop()[0]} {said[0][0]}", said[0][1])
            found += said
    return found


def _set_voice(voice: str) -> None:
    names = (voice, voice.split("-", maxsplit=1)[0]) if _VOICE.fullmatch(voice) else ()
    for name in dict.fromkeys(names):
        try:
            espeakbridge.set_voice(name)
            return
        except RuntimeError:
            continue
    raise InvalidRequest(
        f"no pronunciation is known for language {voice[:40]!r}",
        hint="give an ISO 639-1 code such as en, en-GB, fr or leave it out: the language follows the voice",
        param="language",
    )
