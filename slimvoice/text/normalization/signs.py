"""Signs that are lost or read by their name: = ≤ ² № and marks that belong to no word."""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re
import unicodedata

from slimvoice.text.normalization.language import Language
from slimvoice.text.normalization.rule import Rule

LOOSE_MARKS: tuple[Rule, ...] = (
    (re.compile(r"([(\[{])[!?.,;:\s]+([)\]}])"), " "),
    (re.compile(r"(?:^|(?<=[.!?;:,] ))\s*([\"'(\[{]*)[!?.,;:]+(?=[\s)\]}\"']|$)\s*"), r"\1"),
    (re.compile(r"(?:^|(?<=[\s(\"']))\.{2,}(?=\w)"), ""),
)
"""espeak-ng reads a mark that follows no word by its name."""
_COMPARISONS = (("<=", "≤"), (">=", "≥"), ("!=", "≠"), ("==", "="), ("≅", "≈"), ("≃", "≈"))


def rules(language: Language) -> list[Rule]:
    """Return the rules for signs between and beside figures in `language`."""
    words = language.signs
    space = "" if language.joins_figures else " "
    found: list[Rule] = [(re.compile(r"\s?−\s?"), f"{space}{words['-']}{space}")]
    found += [(re.compile(rf"(?<!\S){re.escape(old)}(?!\S)"), new) for old, new in _COMPARISONS]
    for sign in "≤≥≠≈±":
        found.append((re.compile(rf"\s?{sign}\s?"), f"{space}{words[sign]}{space}"))
    found += [(re.compile(rf" {sign} "), f"{space}{words[sign]}{space}") for sign in "=<>"]
    if language.joins_figures:
        found += [(re.compile(rf"(?<=[\d)]) ?{re.escape(sign)} ?(?=[\d(])"), words[sign]) for sign in "=+<>÷"]
    for sign in "+÷":
        found.append((re.compile(rf"(?<=[\w)%.]) {re.escape(sign)} (?=[\w(-])"), f"{space}{words[sign]}{space}"))
    found += [
        (re.compile(r"(?<=\d) ?[×*] ?(?=\d)"), f"{space}{words['×']}{space}"),
        (re.compile(r"√ ?(?=\d)"), f"{words['√']}{space}"),
        (re.compile(r"(?<=\d) ?‰"), f"{space}{words['‰']}"),
        (re.compile(r"№ ?(?=\d)"), f"{words['№']}{space}"),
    ]
    found += powers(language)
    return found


def powers(language: Language) -> list[Rule]:
    """Return the rules for ² and ³: a power after a figure or a short symbol, else the number of a footnote."""
    space = "" if language.joins_figures else " "

    def say(match: re.Match[str]) -> str:
        symbol = " ".join(match["symbol"]) if match["symbol"].isalpha() else match["symbol"]
        return f"{symbol}{space}{language.signs[match['power']]}"

    def power(match: re.Match[str]) -> str:
        exponent = unicodedata.normalize("NFKC", match[0]).replace("−", "-").lstrip("^")
        figure = exponent.replace("-", f"{language.signs['-']} ")
        return space + language.signs["^"].format(figure)

    return [
        (re.compile(r"(?P<symbol>\d|\)|(?<![^\W_])[^\W\d_]{1,2}) ?(?P<power>[²³])(?![\d²³])"), say),
        (re.compile(r"(?<=\d)[⁰¹²³⁴-⁹⁻]+|(?<=[\d)])\^-?\d+"), power),
        (re.compile(r"(?<=[\w.,;!?)\"'])[¹²³⁰⁴-⁹]+"), ""),
    ]
