"""German ordinals: espeak-ng takes the full stop of "am 3. Mai" and "Ludwig XIV." for the end of a sentence."""
# ruff: noqa: RUF001, SIM905 - lists of words are the matter here

from __future__ import annotations

import re

from slimvoice.text.normalization.english_words import roman_value
from slimvoice.text.normalization.more_tables import GERMAN
from slimvoice.text.normalization.rule import Rule

_SMALL = (
    "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt "
    "sechzehnt siebzehnt achtzehnt neunzehnt"
).split()
_TENS = {20: "zwanzigst", 30: "dreißigst"}
_ONES = ("ein zwei drei vier fünf sechs sieben acht neun").split()
_THINGS = (
    "Jahrhunderts?|Jahrtausends?|Jh\\.|Platz|Mal|Stock|Etage|Kapitel|Tag(?:es)?|Woche|Lebensjahr(?:s|es)?|Geburtstag"
    "|Klasse|Auflage|Bundesliga|Weltkriegs?|Spieltag|Minute|Stunde|Runde|Jahr(?:es)?|Stelle|Satz|Teil|Band|Generation"
)
_MONTHS = "|".join(GERMAN.months)
_ORDINAL = re.compile(rf"(?<![\w.,])(?P<number>[12]?\d|3[01])\. ?(?=(?:{_MONTHS}|{_THINGS})\b)")
_LISTED = re.compile(
    rf"(?<![\w.,])(?P<number>[12]?\d|3[01])\. ?"
    rf"(?=(?:und|oder|bis|sowie) (?:[12]?\d|3[01])\. ?(?:{_MONTHS}|{_THINGS})\b)"
)
_RANGE = re.compile(
    rf"(?<![\w.,])(?P<number>[12]?\d|3[01])\. ?[-–] ?(?=(?:[12]?\d|3[01])\. ?(?:{_MONTHS}|{_THINGS})\b)"
)
_ROMAN_AFTER_ARTICLE = re.compile(r"(?<=\b[Dd](?:er|ie|as|en|em|es) )(?P<roman>[IVX]{1,6})\. ?(?=[A-ZÄÖÜ])")
_STREET = re.compile(r"(?<=\w)str\.")
_AFTER_ARTICLE = re.compile(
    r"(?P<article>\b(?:der|die|das|den|dem|des|im|zum|zur|vom|beim) )(?P<number>[12]?\d|3[01])\. ?(?=[A-ZÄÖÜ])", re.I
)
_OBLIQUE = re.compile(
    r"\b(?:am|im|zum|zur|vom|beim|dem|den|des|seit|ab|bis|nach|diesem|diesen|jedem|jeden|seinem|seinen|ihrem|ihren|meinem"
    r"|\w+ten (?:und|oder|bis|sowie)"
    r"|(?:in|auf|aus|mit|nach|von|zu|bei|seit|während|ab) der)(?: \w+tag,?(?: den| dem)?)? $",
    re.I,
)
_PLAIN = re.compile(r"\b(?:der|die|das|dieser|diese|dieses|jeder|jede|jedes) $", re.I)
_KING = re.compile(r"\b(?P<name>[A-ZÄÖÜ][a-zäöüß]+) (?P<roman>[IVX]{1,6})\.(?=(?P<after>\s+\w+|[,;:)]|\s*$))")


def ordinal(number: int) -> str:
    """Return the ordinal without its ending: 3 is "dritt"."""
    if number <= len(_SMALL):
        return _SMALL[number - 1]
    tens = number // 10 * 10
    return _TENS[tens] if number == tens else f"{_ONES[number - tens - 1]}und{_TENS[tens]}"


def _said(match: re.Match[str]) -> str:
    number, before = int(match["number"]), match.string[: match.start("number")]
    if not 1 <= number <= 31:
        return match[0]
    ending = "en" if _OBLIQUE.search(before) else "e" if _PLAIN.search(before) else "er"
    return f"{match.groupdict().get('article') or ''}{ordinal(number)}{ending} "


def _king(match: re.Match[str]) -> str:
    """Say Ludwig XIV. as "der Vierzehnte"."""
    value = roman_value(match["roman"])
    if not 1 <= value <= 31:
        return match[0]
    stop = "" if match["after"].strip() else "."
    return f"{match['name']} der {ordinal(value).capitalize()}e{stop}"


def ordinals() -> list[Rule]:
    """Return the rules for ordinals before a month or a thing that is counted, and after a king's name."""
    return [
        (_STREET, "straße"),
        (_ROMAN_AFTER_ARTICLE, lambda match: f"{roman_value(match['roman'])}. "),
        (_RANGE, lambda match: f"{_said(match)}bis "),
        (_LISTED, _said),
        (_ORDINAL, _said),
        (_AFTER_ARTICLE, _said),
        (_KING, _king),
    ]
