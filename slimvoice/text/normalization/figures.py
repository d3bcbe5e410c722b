"""Figures in general: thousands, minus, ranges, fractions, telephone and other numbers that are read digit by digit."""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re

from slimvoice.text.compatibility import GROUP
from slimvoice.text.normalization.language import Language
from slimvoice.text.normalization.rule import Rule, any_of, number
from slimvoice.text.normalization.units import names

_INTERNATIONAL = r"\+\d{1,3}(?:[ .\u202f-]?\(\d{1,5}\)\d{0,7}|[ .\u202f-]\d{1,7}){1,6}|\+\d{8,15}"
_AMERICAN = (
    r"(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}|\d{3} \d{3} \d{4}|1-\d{3}-\d{3}-\d{4}|\d{3}-\d{4}"
    r"|0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{4} \d{6}|\d{3}-\d{2}-\d{4}"
)
_CARD = r"(?!(?:(?:19|20)\d\d[ -]?){4})\d{4}(?:[ -]\d{4}){3}|\d{4} \d{6} \d{5}|\d{5}-\d{4}"
_SPACED = r"(?<![\d.,+/-])(?<!\d )(?P<figure>\d{1,3}(?: \d{3})+)(?![\d/-]|[.,]\d| \d)"
_FRACTION = r"(?<![\d/.,])(?:(?P<whole>\d+)[ \u202f])?(?P<part>\d+)/(?P<of>\d+)(?:rds?|ths?|nds?)?(?![\w/]|[.,]\d)"
_ENGLISH_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 16: "sixteenth"}


def groups(language: Language) -> list[Rule]:
    """Return the rules that write thousands as espeak-ng reads them: 10 000 as 10,000."""
    mark = {",": "", ".": ","}[language.decimal]
    followed = any_of([*names(language), *language.money, *(one for one, _ in language.units.values() if len(one) > 3)])
    spaced = re.compile(rf"{_SPACED}(?:(?<= 000)|(?= ?{followed}))")
    return [
        (spaced, lambda match: str(match["figure"]).replace(" ", GROUP)),
        (re.compile(rf"(?<=\d){GROUP}(?=\d{{3}})"), mark),
    ]


def digits(match: re.Match[str]) -> str:
    """Say a telephone number digit by digit, with a pause between its groups."""
    found: list[str] = re.findall(r"\d+", match[0])
    return ", ".join(" ".join(group) for group in found)


def _american(match: re.Match[str]) -> str:
    """Say an American number, and its extension, digit by digit."""
    extension = match["extension"]
    if extension is None:
        return digits(match)
    found: list[str] = re.findall(r"\d+", match[0])[:-1]
    return ", ".join(" ".join(group) for group in found) + f" extension {' '.join(extension)}"


def telephone(language: Language) -> list[Rule]:
    """Return the rules for telephone, card and other numbers; they count as such only if long enough."""

    def international(match: re.Match[str]) -> str:
        if not 7 <= sum(character.isdigit() for character in match[0]) <= 15:
            return match[0]
        return f"{language.signs['+']} {digits(match)}"

    found: list[Rule] = [
        (re.compile(rf"(?<![\w.+-])(?:{_INTERNATIONAL})(?![\w-])"), international),
        (re.compile(rf"(?<![\w.,+-])(?<!\d )(?:{_CARD})(?![\w-]| \d{{4}})"), digits),
    ]
    if language.code == "en":
        found += [
            (re.compile(rf"(?<![\w.-])(?:{_AMERICAN})(?![\w-])(?: ?x ?(?P<extension>\d{{1,5}})\b)?"), _american),
            (re.compile(r"\b1-(8\d\d)-(?=[A-Z])"), lambda match: f"1, {' '.join(match[1])}, "),
            (re.compile(r"(?<![\w.,-])\d{10,16}(?![\w-]|[.,]\d)"), digits),
            (re.compile(r"(?<=#)(\d+)-(\d+)(?![\w-])"), r"\1 dash \2"),
        ]
    return found


def minus(language: Language) -> Rule:
    """Return the rule for a minus: it stands before a figure and after no word."""
    if language.joins_figures:
        return re.compile(r"(?<![A-Za-z\d)%°$€£.,-])-(?=\d)"), language.signs["-"]
    return re.compile(r"(?<![\w)%°$€£.,-])(?<!\d )-(?=[.,]?\d)"), language.signs["-"] + " "


def ranges(language: Language) -> list[Rule]:
    """Return the rules for a dash between two figures."""
    plain = number(language.decimal)
    word = language.signs["range"]
    between = word if language.joins_figures else f" {word} "
    beside = r"A-Za-z\d" if language.joins_figures else r"\w"
    two = rf"(?P<first>{plain})(?P<sign>[%°‰]?)(?P<dash>\s?[-–—]\s?)(?P<second>{plain})"

    def say(match: re.Match[str]) -> str:
        first, second = match.group("first", "second")
        if first == second:
            return f"{first}{match['sign']}{'' if language.joins_figures else ' '}{second}"
        if match["dash"].strip() == "-" and first.isdigit() and second.isdigit() and not _rises(first, second):
            if match["dash"] == " - ":
                return f"{first} {language.signs['-']} {second}"
            if len(first) >= 4:
                return f"{first}, {second}"  # a code
        return f"{first}{match['sign']}{between}{second}"

    return [
        (re.compile(r"(?<=\d)\s?(?:--|– ?-)(?=\d)"), f"{between}{language.signs['-']} "),
        (re.compile(r"(?<=\d) ?- ?(?=\d+ ?=)"), f" {language.signs['-']} "),
        (re.compile(r"(?<=\d)\s?[~〜～]\s?(?=\d)"), between),
        (re.compile(rf"(?<![{beside}.,/:-]){two}(?![{beside}/:-]|[.,]\d)"), say),
    ]


def _rises(first: str, second: str) -> bool:
    """Tell whether the second figure is larger, or the last figures of a larger one: 1990-95."""
    return int(second) > int(first) or (len(first) == 4 and len(second) == 2 and int(second) > int(first[2:]))


def fractions(language: Language) -> list[Rule]:
    """Return the rules for 1/2, 2 3/4 and, in English, 5/8."""
    if not language.fractions:
        return []

    def say(match: re.Match[str]) -> str:
        whole, part = match["whole"], f"{match['part']}/{match['of']}"
        said = language.fractions.get(part) or (
            _english_fraction(int(match["part"]), int(match["of"])) if language.code == "en" else ""
        )
        if not said:
            return match[0]
        if not whole:
            return said
        if language.code == "hi" and part == "1/2":
            return {"1": "डेढ़", "2": "ढाई"}.get(whole, f"साढ़े {whole}")
        said = language.mixed.get(part, said)
        return (
            f"{whole}{language.signs['and']}{said}"
            if language.joins_figures
            else f"{whole} {language.signs['and']} {said}"
        )

    fraction = _FRACTION.replace(r"[\w/]", r"[A-Za-z\d/]") if language.joins_figures else _FRACTION
    return [(re.compile(fraction), say)]


def _english_fraction(part: int, of: int) -> str:
    if part == 1 and of in {10, 100}:
        return f"one {'tenth' if of == 10 else 'hundredth'}"
    if of in {10, 100} and part <= of:
        return f"{part} out of {of}"
    if not 0 < part < of or of not in _ENGLISH_PARTS:
        return ""
    return f"{'one' if part == 1 else part} {_ENGLISH_PARTS[of]}{'s' if part > 1 else ''}"
