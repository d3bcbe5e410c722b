"""What normalization needs to know of a language."""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from slimvoice.text.normalization.unit_names import UNIT_NAMES

Names = Mapping[str, tuple[str, ...]]


def named(lines: str) -> dict[str, tuple[str, ...]]:
    """Return sign -> names from `sign one|many|small one|small many; ...`."""
    entries = (entry.strip().partition(" ") for entry in lines.split(";"))
    return {sign: tuple(names.strip().split("|")) for sign, _, names in entries}


@dataclass(frozen=True)
class Language:
    """What one language calls things; what is empty is left to espeak-ng."""

    code: str
    decimal: str
    """The decimal mark; the other of comma and full stop parts thousands."""
    signs: Mapping[str, str]
    """Sign -> word; `range` is what a dash between two figures is called, `and` joins a whole and its fraction."""
    money: Names
    """Currency -> one, many and its hundredth, if it has any."""
    fractions: Mapping[str, str] = field(default_factory=dict)
    mixed: Mapping[str, str] = field(default_factory=dict)
    """Fractions that are called otherwise after a whole: two and *a half*."""
    months: tuple[str, ...] = ()
    days: Mapping[str, str] = field(default_factory=dict)
    """Short names of weekdays, which are said in full where two stand for those between them."""
    date: str = ""
    """How a date is said: `{day} de {month} de {year}`."""
    first_day: str = "1"
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    before_number: Mapping[str, str] = field(default_factory=dict)
    """Abbreviations that mean this before a figure only."""
    scales: Mapping[str, str] = field(default_factory=dict)
    """Thousands, millions and so on before a currency, and how they are said there: `millones de`."""
    one: tuple[str, str] = ("1", "1")
    """How 1 is said before a masculine and a feminine thing: espeak-ng would say it as a figure (de: eins, not ein)."""
    feminine: str = "(?!)"
    """The pattern of the names that are feminine."""
    time: str = ""
    """How a time of day is said: `{hour} heures {minute}`; empty if espeak-ng does."""
    full_hour: str = ""
    """The same without minutes."""
    joins_figures: bool = False
    """Whether figures stand without spaces between words, as in Chinese and Japanese."""

    def single(self, name: str) -> str:
        """Return `name` with the word for one before it."""
        word = self.one[re.search(self.feminine, name) is not None]
        if self.code == "it" and word == "una" and name[0] in "aeiou":
            return f"un'{name}"
        return f"{word} {name}"

    @property
    def units(self) -> Mapping[str, tuple[str, str]]:
        """Unit -> its name for one and for more."""
        return UNIT_NAMES[self.code]


def signs_of(words: str) -> dict[str, str]:
    """Return sign -> word from words in the order of the signs."""
    names = (
        "range",
        "and",
        "-",
        "+",
        "×",
        "÷",
        "=",
        "≠",
        "<",
        ">",
        "≤",
        "≥",
        "≈",
        "±",
        "‰",
        "²",
        "³",
        "№",
        "/",
        "√",
        "^",
    )
    return dict(zip(names, (word.strip() for word in words.split(";")), strict=True))
