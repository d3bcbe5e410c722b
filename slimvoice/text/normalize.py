"""Text normalization: writes out numbers, dates, times and signs that espeak-ng would read wrongly. Pure.

espeak-ng reads plain numbers, ordinals and most abbreviations well. It does not know that $1,234.56 is dollars and
cents, that 3/4/2025 is a date or 555-1234 a telephone number, and takes the full stop of "Dr." for the end of a
sentence. The rules are those of slimvoice/text/normalization, one module per kind.
"""

from __future__ import annotations

from functools import cache

from slimvoice.text.normalization import (
    english_dates,
    english_words,
    figures,
    kana,
    money,
    other_words,
    pauses,
    signs,
    units,
)
from slimvoice.text.normalization.letters import known_letters
from slimvoice.text.normalization.more_tables import CHINESE, GERMAN, HINDI, JAPANESE
from slimvoice.text.normalization.rule import Rule, apply
from slimvoice.text.normalization.tables import ENGLISH, FRENCH, ITALIAN, PORTUGUESE, SPANISH

_OTHERS = {
    language.code: language
    for language in (SPANISH, FRENCH, ITALIAN, PORTUGUESE, GERMAN, HINDI, JAPANESE, CHINESE)
} | {"cmn": CHINESE}  # fmt: skip


@cache
def _english(*, british: bool) -> tuple[Rule, ...]:
    return (
        *figures.groups(ENGLISH),
        *english_words.ADDRESSES,
        *figures.telephone(ENGLISH),
        *money.rules(ENGLISH),
        *english_dates.dates(british=british),
        *english_dates.TIMES,
        *english_words.SIGNS,
        figures.minus(ENGLISH),
        *units.rules(ENGLISH),
        *figures.fractions(ENGLISH),
        *figures.ranges(ENGLISH),
        *english_words.WORDS,
        *english_dates.YEARS,
        *signs.rules(ENGLISH),
    )


@cache
def _other(code: str) -> tuple[Rule, ...]:
    language = _OTHERS.get(code)
    if language is None:
        return ()
    return (
        *figures.groups(language),
        *figures.telephone(language),
        *money.rules(language),
        *other_words.dates(language),
        figures.minus(language),
        *units.rules(language),
        *figures.fractions(language),
        *figures.ranges(language),
        *other_words.words(language),
        *signs.rules(language),
    )


def normalize(text: str, language: str) -> str:
    """Return `text` normalized, as it is said in `language` (espeak-ng's name or a BCP 47 tag)."""
    language = language.lower()
    code = language.split("-")[0]
    rules = _english(british=language not in {"en", "en-us"}) if code == "en" else _other(code)
    said = apply(pauses.RULES, apply(rules, apply(signs.LOOSE_MARKS, known_letters(text, code))))
    if code == "ja" and not kana.has_kanji(text):
        said = kana.without_kanji(said)
    return said.translate(pauses.MARKS)
