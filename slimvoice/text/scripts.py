"""Which script a text is written in, and so which language's voice can read it. Pure.

espeak-ng reads most alphabets in any voice (Devanagari, Hangul, Tamil: it changes the language of its own accord), but
spells others letter by letter, or says "Chinese letter" for each.
"""

from __future__ import annotations

import re
from collections import Counter

_SCRIPTS = {
    "ja": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "zh": "\u2e80-\u2fdf\u3005-\u3007\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff",
    "hi": "\u0900-\u097f",
    "ru": "\u0400-\u052f",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "ar": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "he": "\u0590-\u05ff\ufb1d-\ufb4f",
    "th": "\u0e00-\u0e7f",
    "te": "\u0c00-\u0c7f",
    "am": "\u1200-\u139f",
    "my": "\u1000-\u109f",
    "en": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff",
}
"""The script of a language -> its letters; "en" stands for the Latin script."""
_LANGUAGES = {
    "ja": ("ja",),
    "zh": ("zh", "cmn", "yue", "hak", "wuu"),
    "ko": ("ko",),
    "hi": ("hi", "mr", "ne", "sa", "kok", "bho"),
    "ru": ("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tt", "ba", "tg", "cv"),
    "el": ("el", "grc"),
    "ar": ("ar", "fa", "ur", "ps", "sd", "ug", "ckb"),
    "he": ("he", "yi"),
    "th": ("th",),
    "te": ("te",),
    "am": ("am", "ti"),
    "my": ("my", "shn"),
}
_OWN_SCRIPT = {language: script for script, languages in _LANGUAGES.items() for language in languages}
SPELLED = frozenset({"ja", "zh", "ru", "el", "ar", "he", "th", "te", "am", "my"})
"""Scripts that espeak-ng's voices of other languages spell."""
LANGUAGE_NAMES = {
    "ja": "Japanese", "zh": "Chinese", "ko": "Korean", "hi": "Hindi", "ru": "Russian", "el": "Greek", "ar": "Arabic",
    "he": "Hebrew", "th": "Thai", "te": "Telugu", "am": "Amharic", "my": "Burmese", "en": "English",
}  # fmt: skip

_RUNS = re.compile("|".join(f"(?P<{script}>[{letters}]+)" for script, letters in _SCRIPTS.items()))


def own_script(language: str) -> str:
    """Return the script that a voice of `language` (BCP 47 or espeak-ng's name) reads, "en" for the Latin one."""
    return _OWN_SCRIPT.get(language.lower().partition("-")[0], "en")


def script_of(text: str) -> str:
    """Return the script that most of `text` is written in, "" if it has no word of a known one.

    A text with kana is Japanese; an ideograph counts for three letters, the time that it takes.
    """
    counts: Counter[str] = Counter()
    for run in _RUNS.finditer(text):
        if not _is_name_of_letter(run):
            counts[run.lastgroup or ""] += len(run[0]) * (3 if run.lastgroup in {"ja", "zh"} else 1)
    if counts["ja"]:
        counts["ja"] += counts.pop("zh", 0)
    return max(counts, key=lambda script: counts[script]) if counts.total() else ""


def stretches(text: str, language: str) -> list[tuple[str, str]]:
    """Return the parts of `text`, each with its script if espeak-ng's voice of `language` would spell that, else ""."""
    own = own_script(language)
    found: list[tuple[str, str]] = []
    end = 0
    for run in _RUNS.finditer(text):
        script = run.lastgroup or ""
        spelled = script in SPELLED or (script == "en" and own == "ja")  # the Japanese voice spells Latin words
        kind = "" if script == own or not spelled or _is_name_of_letter(run) else script
        between = text[end : run.start()]
        if found and found[-1][1] == kind:
            found[-1] = (found[-1][0] + between + run[0], kind)
        else:
            if found:
                found[-1], between = (found[-1][0] + between, found[-1][1]), ""
            found.append((between + run[0], kind))
        end = run.end()
    if not found:
        return [(text, "")]
    found[-1] = (found[-1][0] + text[end:], found[-1][1])
    return found


def _is_name_of_letter(run: re.Match[str]) -> bool:
    """Tell whether a run is one Greek letter, which has a name in every voice: so formulas are read."""
    return run.lastgroup == "el" and len(run[0]) == 1
