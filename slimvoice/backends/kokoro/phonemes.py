"""Phonemes as Kokoro was trained on them, from espeak-ng's. Pure.

Kokoro's own phonemizer, misaki (Apache-2.0), writes diphthongs and affricates as one symbol each. The tables are
those of misaki/espeak.py; the vocabulary is that of hexgrad/Kokoro-82M's config.json (Apache-2.0).
"""
# ruff: noqa: RUF001 - phonetic letters are the matter here

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_SYMBOLS = (
    (1, ';:,.!?'), (9, '—…"()“” \u0303ʣʥʦʨᵝꭧAI'), (31, 'O'), (33, 'Q'), (35, 'ST'), (39, 'W'), (41, 'Yᵊabcdef'),
    (50, 'hijklmnopqrstuvwxyzɑɐɒæ'), (75, 'βɔɕç'), (80, 'ɖðʤə'), (85, 'ɚɛɜ'), (90, 'ɟ'), (92, 'ɡ'), (99, 'ɥ'),
    (101, 'ɨɪʝ'), (110, 'ɯɰŋɳɲɴø'), (118, 'ɸθœ'), (123, 'ɹ'), (125, 'ɾɻ'), (128, 'ʁɽʂʃʈʧ'), (135, 'ʊʋ'), (138, 'ʌɣɤ'),
    (142, 'χʎ'), (147, 'ʒʔ'), (156, 'ˈˌː'), (162, 'ʰ'), (164, 'ʲ'), (169, '↓'), (171, '→↗↘'), (177, 'ᵻ'),
)  # fmt: skip
VOCABULARY: Mapping[str, int] = {
    symbol: first + offset for first, symbols in _SYMBOLS for offset, symbol in enumerate(symbols)
}
"""Phoneme -> token, for exports that do not carry their own."""

LONGEST = 510
"""Tokens of one run of the model; it has a style vector for each number of them."""

_ENGLISH = (
    ("ʔˌn\u0329", "tᵊn"), ("ʔn\u0329", "tᵊn"), ("ʔn", "tᵊn"), ("ʔ", "t"), ("aɪ", "I"), ("aʊ", "W"), ("dʒ", "ʤ"),
    ("eɪ", "A"), ("tʃ", "ʧ"), ("ɔɪ", "Y"), ("ʲo", "jo"), ("ʲə", "jə"), ("ʲ", ""), ("ɚ", "əɹ"),
    ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɬ", "l"), ("\u0303", ""),
)  # fmt: skip
_BRITISH = (("eə", "ɛː"), ("iə", "ɪə"), ("əʊ", "Q"))
_AMERICAN = (("oʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_OTHERS = (
    ("aɪ", "I"), ("aʊ", "W"), ("dz", "ʣ"), ("dʒ", "ʤ"), ("eɪ", "A"), ("oʊ", "O"), ("ss", "S"), ("ts", "ʦ"),
    ("tʃ", "ʧ"), ("ɔɪ", "Y"),
)  # fmt: skip
_SYLLABIC_L = re.compile("əl(?![ˈˌaeiouɑɐɒæɔəɚɛɜɪʊʌᵻ])")  # that of "people", not of "hello"
_SYLLABIC = re.compile("(\\S)\u0329")
_PLACES = (re.compile(r"(?<=[.!?…])\s+"), re.compile(r"(?<=[,;:])\s+"), re.compile(r"\s+"))


def from_espeak(phonemes: str, language: str) -> str:
    """Return espeak-ng's phonemes in Kokoro's spelling; `language` is espeak-ng's name of it."""
    rules: tuple[tuple[str, str], ...] = _OTHERS
    if language.startswith("en"):
        rules = _ENGLISH + (_AMERICAN if language.startswith("en-us") else _BRITISH)
        phonemes = _SYLLABIC_L.sub("ᵊl", phonemes)
    for old, new in rules:
        phonemes = phonemes.replace(old, new)
    return _SYLLABIC.sub(r"ᵊ\1", phonemes)


def joined(clauses: Iterable[tuple[str, str]], language: str, vocabulary: Mapping[str, int]) -> str:
    """Return one string of phonemes that are all in the vocabulary, from clauses and their closing punctuation."""
    spelled = " ".join(from_espeak(phonemes, language) + mark for phonemes, mark in clauses)
    return known(spelled, vocabulary)


def known(phonemes: str, vocabulary: Mapping[str, int]) -> str:
    """Return the phonemes that are in the vocabulary, those with an accent without it, one space at most in between."""
    plain = (symbol if symbol in vocabulary else unicodedata.normalize("NFD", symbol)[0] for symbol in phonemes)
    return " ".join("".join(symbol for symbol in plain if symbol in vocabulary).split())


def split(phonemes: str, longest: int = LONGEST) -> list[str]:
    """Cut phonemes into runs of at most `longest`, at the end of a sentence, else of a clause, else of a word."""
    runs: list[str] = []
    while len(phonemes) > longest:
        window = phonemes[: longest + 1]
        ends = [[m for m in place.finditer(window) if m.start() > longest // 4] for place in _PLACES]
        last = next((found[-1] for found in ends if found), None)
        runs.append(phonemes[: last.start() if last else longest])
        phonemes = phonemes[last.end() if last else longest :]
    return [*runs, phonemes] if phonemes else runs
