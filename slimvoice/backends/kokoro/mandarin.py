"""Mandarin as Kokoro was trained on it: pinyin in phonemes, an arrow for each tone, a space after each word. Pure.

espeak-ng writes tones as figures and retroflexes as `s.`, which Kokoro has no tokens for. Its own phonemizer, misaki
(Apache-2.0, misaki/zh.py and transcription.py, the latter after pinyin-to-ipa, MIT), cuts words with jieba; here
pypinyin's dictionary of phrases does, which the readings need anyway. Tones stand as in the dictionary and 儿 is a
syllable, as misaki wrote them for this model, which makes the third tone's sandhi and the r itself.
"""
# ruff: noqa: RUF001 - phonetic letters and Chinese marks are the matter here

from __future__ import annotations

import re
from collections.abc import Callable

from slimvoice.backends.kokoro.mandarin_numbers import in_words

_INITIALS = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s", "": "",
}  # fmt: skip
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n",
    "iou": "jou0", "ing": "i0ŋ", "io": "jɔ0", "iong": "jʊ0ŋ", "o": "wo0", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0",
    "ua": "wa0", "uai": "wai0", "uan": "wa0n", "uang": "wa0ŋ", "uei": "wei0", "uen": "wə0n", "ueng": "wə0ŋ",
    "uo": "wo0", "ü": "y0", "üan": "ɥɛ0n", "üe": "ɥe0", "ün": "y0n", "ê": "ɛ0", "-i": "ɨ0",
}  # fmt: skip
"""Final -> phonemes, with 0 where the tone stands; `-i` is that of zi and zhi."""
_WHOLE = {"o": "ɔ0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "hm0", "hng": "hŋ0"}
_SPELLED = {"iu": "iou", "ui": "uei", "un": "uen", "v": "ü", "ve": "üe", "van": "üan", "vn": "ün", "ue": "üe"}
_FRICATIVES = {"zh", "ch", "sh", "r", "z", "c", "s"}
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_HANZI = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUNS = re.compile(
    rf"(?P<hanzi>[{_HANZI}]+)|(?P<letters>(?![{_HANZI}])[^\W\d_](?:(?![{_HANZI}])[\w' -])*)|.", re.DOTALL
)
_MARKS = str.maketrans(
    {"，": ", ", "、": ", ", "。": ". ", "．": ". ", "！": "! ", "？": "? ", "；": "; ", "：": ": ", "·": " "}
    | dict.fromkeys("《〈「『【«", " “") | dict.fromkeys("》〉」』】»", "” ") | {"（": " (", "）": ") "}
)  # fmt: skip
_SPACE_BEFORE_MARK = re.compile(r" +(?=[,.!?;:…”)])")
_SYLLABLE = re.compile("(zh|ch|sh|[bpmfdtnlgkhjqxrzcs]?)(.+?)([1-5])")


def of_syllable(pinyin: str) -> str:
    """Return the phonemes of one syllable such as `zhong1`, `lv4`, `de5`; "" if it is none."""
    parts = _SYLLABLE.fullmatch(pinyin)
    if not parts:
        return ""
    initial, final, tone = parts.groups()
    spelled = _WHOLE.get(initial + final)
    if spelled is None:
        final = _final(initial, final)
        spelled = _INITIALS[initial] + _FINALS[final] if final in _FINALS else ""
    return spelled.replace("0", _TONES[tone])


def _final(initial: str, spelled: str) -> str:
    """Return the final that pinyin spells so after `initial`."""
    if spelled.startswith("y"):
        spelled = spelled[1:] if spelled.startswith("yi") else f"{'v' if spelled[1:2] == 'u' else 'i'}{spelled[1:]}"
        spelled = spelled.replace("vu", "v")
        return _SPELLED.get(spelled, spelled)
    if spelled.startswith("w"):
        spelled = spelled[1:] if spelled.startswith("wu") else f"u{spelled[1:]}"
        return "ong" if spelled == "uong" else spelled
    if initial in {"j", "q", "x"} and spelled.startswith("u"):
        spelled = "v" + spelled[1:]
    if initial in _FRICATIVES and spelled == "i":
        return "-i"
    return _SPELLED.get(spelled, spelled)


def phonemes(text: str, foreign: Callable[[str], str]) -> str:
    """Return the phonemes and marks of normalized `text`; `foreign` gives the phonemes of words in other letters."""
    said: list[str] = []
    for run in _RUNS.finditer(in_words(text)):
        if run["hanzi"]:
            said.append(_hanzi(run["hanzi"]))
        elif run["letters"]:
            said.append(f" {foreign(run['letters'])} ")
        else:
            said.append(run[0].translate(_MARKS))
    return _SPACE_BEFORE_MARK.sub("", "".join(said))


def _hanzi(text: str) -> str:
    # Here, since its dictionaries take half a second and 56 MB, which only Mandarin shall cost.
    from pypinyin import Style, lazy_pinyin
    from pypinyin.seg.mmseg import seg

    return " ".join(
        "".join(map(of_syllable, lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")))
        for word in seg.cut(text)
    )
