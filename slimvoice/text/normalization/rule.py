"""What a rule of normalization is, and the patterns of figures that rules share."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable

from slimvoice.text.compatibility import GROUP

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def apply(rules: Iterable[Rule], text: str) -> str:
    """Return `text` after each rule in turn."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def whole_number(decimal: str) -> str:
    """Return the pattern of a whole number, in groups of three or not, where `decimal` is the decimal mark."""
    group = r"\." if decimal == "," else ","
    return rf"(?:\d{{1,3}}(?:[{group}{GROUP}]\d{{3}})+(?!\d)|\d+)"


def number(decimal: str) -> str:
    """Return the pattern of a number with or without decimals."""
    return rf"(?:{whole_number(decimal)}(?:{re.escape(decimal)}\d+)?)"


def any_of(words: Iterable[str]) -> str:
    """Return the pattern of one of `words`, the longest that fits; without words it matches nothing."""
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})" if longest_first else "(?!)"


def ends_sentence(match: re.Match[str], starters: Container[str] | None = None) -> bool:
    """Tell whether a full stop that ended the abbreviation in `match` ends its sentence too.

    What follows begins with one of `starters`, or if there are none, with any capital.
    """
    following = match.string[match.end() :].lstrip(" \"')")
    word = re.match(r"\w*", following)
    begins = following[:1].isupper() and (starters is None or (word is not None and word[0].lower() in starters))
    return not following or begins
