"""Amounts of money: $1,234.56, 5 €, $1-2 million, $.99, $20/month."""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re
from collections.abc import Callable

from slimvoice.text.normalization.language import Language
from slimvoice.text.normalization.rule import Rule, any_of, whole_number

_ENGLISH_PERIODS = {
    "h": "hour", "hr": "hour", "hour": "hour", "d": "day", "day": "day", "wk": "week", "week": "week", "mo": "month",
    "month": "month", "yr": "year", "year": "year", "night": "night", "person": "person", "user": "user",
    "kg": "kilogram", "lb": "pound", "oz": "ounce", "gal": "gallon", "unit": "unit", "min": "minute",
}  # fmt: skip
_COUNTRY = r"(?:\b(?:US|AU|CA|NZ|HK|SG|[AC]))?"
_ONE_THING = re.compile(r"\b(?:an?|another|each|every|one) $", re.I)
_THING = re.compile(r" (?!(?:a|an|and|at|by|each|every|for|from|in|is|of|on|or|per|than|to|was|were|with)\b)[a-z]")


def rules(language: Language) -> list[Rule]:
    """Return the rules for money in `language`."""
    decimal, whole = re.escape(language.decimal), whole_number(language.decimal)
    amount = rf"(?:{whole}(?:{decimal}\d+)?|(?<![\d.,]){decimal}\d\d?(?!\d))"
    if language.code == "en":
        amount = rf"(?:\d+,\d\d(?!\d|,\d)|{amount})"  # 5,50 as in Europe
    scales, space = any_of(language.scales), "[ \u202f]?"
    scale = rf"(?:{space}(?P<scale>{scales})(?!\w))?"
    signs = any_of(sign for sign in language.money if not sign[0].isalpha() or sign[-1] == "$")
    words = any_of(sign for sign in language.money if sign[0].isalpha() and sign[-1] != "$")
    until = rf"(?:\s?[-–—]\s?(?:{signs})?(?P<until>{amount}))?"
    period = rf"{any_of(_ENGLISH_PERIODS)}\b" if language.code == "en" else r"[^\s\d/.,;:!?()]{2,}"
    per = "(?P<per>)" if language.joins_figures else rf"(?:\s?/\s?(?P<per>{period}))?"
    minus = r"(?P<minus>(?<![\w)])-)?"
    before = rf"(?P<sign>{signs}|(?<!\w){words}(?=[ \u202f\d]|\. ?\d))(?:(?:(?<=Rs)|(?<=रु))\.)?"
    behind = rf"(?P<sign>(?:{signs}|{words}(?!\w)))"
    beside = r"A-Za-z\d" if language.joins_figures else r"\w"
    said = _saying(language)
    found = [
        (re.compile(rf"{minus}{_COUNTRY}{before}{space}(?P<amount>{amount}){until}{scale}(?P<plus>\+)?{per}"), said),
        (
            re.compile(rf"{minus}(?<![{beside}.,])(?P<amount>{amount}){until}{scale}{space}{behind}(?P<plus>\b)?{per}"),
            said,
        ),
    ]
    return list(found)


def _saying(language: Language) -> Callable[[re.Match[str]], str]:
    """Return what replaces a match of one of the rules."""

    def say(match: re.Match[str]) -> str:
        names = language.money[match["sign"]]
        scale = language.scales.get(match["scale"] or "", "")
        amount, until = match["amount"].replace("\u202f", ""), (match["until"] or "").replace("\u202f", "")
        if amount.startswith(language.decimal) and len(names) < 4:
            amount = "0" + amount
        if scale or until:
            span = f"{amount} {language.signs['range']} {until}" if until else amount
            said = " ".join(filter(None, (span, scale, names[1]))).replace(
                " de euro", " d'euro" if language.code == "fr" else " de euro"
            )
        else:
            said = _amount(language, amount, names)
        if language.code == "en" and _ONE_THING.search(match.string, 0, match.start()):
            said = _as_adjective(said, names, match)
        if match["plus"] == "+":
            said += f" {language.signs['+']}"
        if match["per"]:
            period = _ENGLISH_PERIODS[match["per"]] if language.code == "en" else match["per"]
            said += f" {language.signs['/']} {period}"
        if not language.joins_figures and match.string[match.end() : match.end() + 1].isalpha():
            said += " "
        return f"{language.signs['-']} {said}" if match["minus"] else said

    return say


def _as_adjective(said: str, names: tuple[str, ...], match: re.Match[str]) -> str:
    """Say "a 5 dollar bill", not "a 5 dollars bill"."""
    plain = said.removesuffix(names[1])
    return plain + names[0] if plain != said and _THING.match(match.string, match.end()) else said


def _amount(language: Language, amount: str, names: tuple[str, ...]) -> str:
    """Say an amount with its hundredths, if the currency has them."""
    whole, _, part = amount.partition(language.decimal)
    if part and (len(part) != 2 or len(names) < 4):
        return f"{amount} {names[1]}"
    small = _counted(language, part.lstrip("0"), names[2:]) if part.strip("0") else ""
    large = "" if small and not whole.strip("0") else _counted(language, whole, names)
    joint = "" if language.joins_figures else f" {language.signs['and']} "
    return joint.join(filter(None, (large, small)))


def _counted(language: Language, count: str, names: tuple[str, ...]) -> str:
    if language.joins_figures:
        return f"{count}{names[0]}"
    if count == "1":
        return language.single(names[0])
    return f"{count} {names[1]}"
