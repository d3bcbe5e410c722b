"""Text normalization: writes out numbers, dates, times and signs that espeak-ng would read wrongly. Pure.

espeak-ng reads plain numbers, years, ordinals and most abbreviations well. It does not know that $1,234.56 is dollars
and cents, that 3/4/2025 is a date or 555-1234 a telephone number, and takes the full stop of "Dr." for the end of a
sentence. Only English has such rules so far; other languages are left to espeak-ng's own.
"""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from slimvoice.text.sentences import STARTERS

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¥": ("yen", "yen", "", ""),
}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"), "ml": ("milliliter", "milliliters"),
    "ft": ("foot", "feet"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "kW": ("kilowatt", "kilowatts"), "ms": ("millisecond", "milliseconds"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
}  # fmt: skip
_FRACTIONS = {
    "1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters",
}  # fmt: skip
_DECADES = (
    "hundreds", "tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties",
)  # fmt: skip
_ABBREVIATIONS = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Gen": "General",
    "Capt": "Captain", "Sgt": "Sergeant", "Lt": "Lieutenant", "Col": "Colonel", "Sen": "Senator", "Gov": "Governor",
    "Rev": "Reverend", "Mt": "Mount", "St": "Saint", "vs": "versus", "approx": "approximately", "e.g": "for example",
    "i.e": "that is", "Dept": "Department", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation",
    "Jr": "Junior", "Sr": "Senior",
}  # fmt: skip
_ADDRESS_SIGNS = {
    "@": "at", ".": "dot", "/": "slash", "_": "underscore", "-": "dash", "?": "question mark", "=": "equals",
    "&": "and", "#": "hash", ":": "colon", "%": "percent", "~": "tilde", "+": "plus",
}  # fmt: skip

_WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s,;]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|ai|gov|edu|de)\b(?:/[^\s,;]*)?"
)
_MONEY = re.compile(
    rf"(?P<minus>(?<!\w)-)?(?:\b(?:US|A|C|NZ|HK))?(?P<sign>[$£€₹¥])\s?(?P<whole>{_WHOLE})(?:\.(?P<part>\d+))?"
    r"(?:\s?(?P<scale>thousand|million|billion|trillion|[kKmMbB]n?)\b)?"
)
_MONEY_BEHIND = re.compile(
    rf"(?P<minus>(?<!\w)-)?\b(?P<whole>{_WHOLE})(?:\.(?P<part>\d+))?(?P<scale>)\s?(?P<sign>[€£])"
)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_SLASHED_DATE = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b")
_TIME = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?!:?\d)(?:\s?(?P<half>[aApP])(?P<dot>\.)?\s?[mM]\b(?P<stop>\.)?)?"
)
_HOUR = re.compile(r"\b(?P<hour>1[0-2]|[1-9])\s?(?P<half>[aApP])(?P<dot>\.)?[mM]\b(?P<stop>\.)?")
_TELEPHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\w-])|(?<![\w.-])\d{3}-\d{4}(?![\w-])"
)
_UNIT = re.compile(
    rf"(?<![\w.,])(?P<count>{_WHOLE}(?:\.\d+)?) ?(?P<unit>"
    + "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
    + r")(?![\w°/])"
)
_YEAR = re.compile(
    r"(?<![\w.,/-])(1[1-9](?=\d\d)|20(?=[1-9]\d))(\d\d)((?<=0)s)?(?![\w%-]|[.,]\d"
    r"| (?:dollars|pounds|euros|rupees|yen|thousand|million|billion)\b)"
)
_RANGE = re.compile(r"(?<![\w.-])(\d+)\s?[-–]\s?(\d+)(?![\w-])")
_FRACTION = re.compile(r"(?<![\d/])[123]/[234](?![\d/])")
_ABBREVIATION = re.compile(
    r"\b(?P<word>" + "|".join(re.escape(word) for word in _ABBREVIATIONS) + r")\.(?P<after>,|\s+\w+|(?=\s))", re.I
)
_ACRONYM = re.compile(r"\b((?:[A-Z]\.){2,})(?=\s+([A-Z]\w*))")
_SIGNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<!\S)-(?=\d)"), "minus "),
    (re.compile(r"\b[Nn]o\. ?(?=\d)|(?<!\w)#(?=\d)"), "number "),
    (re.compile(r"(?<!\w)~(?=\d)"), "about "),
    (re.compile(r"\betc\.(?=,|\s+[a-z])"), "et cetera"),
    (re.compile(r"\betc\."), "et cetera."),
    (re.compile(r"(?<=\d) ?[×x] ?(?=\d)"), " by "),
    (re.compile(r" = "), " equals "),
    (re.compile(r" < "), " is less than "),
    (re.compile(r" > "), " is greater than "),
    (re.compile(r"\band/or\b"), "and or"),
    (re.compile(r"\bw/o\b"), "without"),
    (re.compile(r"\bw/ "), "with "),
)
_PAUSES = re.compile(r"\.{3,}(?=\s+[^\W\d_])")
"""espeak-ng makes no pause at an ellipsis."""


_MARKS = str.maketrans({
    "。": ". ", "．": ". ", "｡": ". ", "，": ", ", "、": ", ", "！": "! ", "？": "? ", "；": "; ", "：": ": ",
    "।": ". ", "॥": ". ", "؟": "? ", "،": ", ", "؛": "; ", "۔": ". ",
})  # fmt: skip
"""espeak-ng makes no pause at these either."""


def _counted(count: str, one: str, many: str) -> str:
    return f"{count} {one if count == '1' else many}"


def _money(match: re.Match[str]) -> str:
    minus, sign, whole, part, scale = match.group("minus", "sign", "whole", "part", "scale")
    one, many, small_one, small_many = _CURRENCIES[sign]
    said = "minus " if minus else ""
    if scale:
        return f"{said}{whole}{'.' + part if part else ''} {_SCALES.get(scale.lower(), scale)} {many}"
    if part is None or len(part) != 2 or not small_one:
        return said + (f"{whole}.{part} {many}" if part else _counted(whole, one, many))
    small = "" if part == "00" else _counted(part.lstrip("0"), small_one, small_many)
    large = "" if small and not whole.strip("0") else _counted(whole, one, many)
    return said + " and ".join(filter(None, (large, small)))


def _date(year: str, month: int, day: int, *, british: bool) -> str:
    """Say a date; empty if there is no such."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return ""
    ending = "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    full_year = ("19" if int(year) > 69 else "20") + year if len(year) == 2 else year
    name = _MONTHS[month - 1]
    return f"{day}{ending} of {name} {full_year}" if british else f"{name} {day}{ending}, {full_year}"


def _slashed_date(match: re.Match[str], *, british: bool) -> str:
    first, second = int(match[1]), int(match[2])
    ways = ((second, first), (first, second)) if british else ((first, second), (second, first))
    said = (_date(match[3], month, day, british=british) for month, day in ways)
    return next(filter(None, said), match[0])


def _half_of_day(match: re.Match[str]) -> str:
    """Say a.m. or p.m. without a full stop in it, and keep the one that may end the sentence."""
    following = match.string[match.end() :].split()
    begins = not following or (following[0][:1].isupper() and following[0].lower().strip(",") in STARTERS)
    ends = match["stop"] and (begins or not match["dot"])
    return f" {match['half'].upper()}M" + ("." if ends else "")


def _time(match: re.Match[str]) -> str:
    hour, minute = match["hour"].lstrip("0") or "0", match["minute"]
    said = f" oh {minute[1]}" if minute[0] == "0" else f" {minute}"
    if match["half"]:
        return hour + ("" if minute == "00" else said) + _half_of_day(match)
    return hour + ((" hundred" if int(hour) > 12 else " o'clock") if minute == "00" else said)


def _hour(match: re.Match[str]) -> str:
    return match["hour"] + _half_of_day(match)


def _year(match: re.Match[str]) -> str:
    """Say 1984 as nineteen eighty-four."""
    high, low, decade = match.groups()
    if decade:
        return f"{high} {_DECADES[int(low[0])]}"
    if low == "00":
        return f"{high} hundred"
    return f"{high} oh {low[1]}" if low[0] == "0" else f"{high} {low}"


def _telephone(match: re.Match[str]) -> str:
    groups: list[str] = re.findall(r"\d+", match[0])
    return ("plus " if match[0][0] == "+" else "") + ", ".join(" ".join(group) for group in groups)


def _address(match: re.Match[str]) -> str:
    whole = match[0].rstrip(".:!?)")
    said = re.sub(r"^(?:https?://)?(?:www\.)?", "", whole).rstrip("/")
    return re.sub(r"[^\w\s]", lambda sign: f" {_ADDRESS_SIGNS.get(sign[0], '')} ", said) + match[0][len(whole) :]


def _abbreviation(match: re.Match[str]) -> str:
    word, after = match["word"], match["after"]
    said = next(said for short, said in _ABBREVIATIONS.items() if short.lower() == word.lower())
    if (
        word.lower() in {"inc", "ltd", "corp", "jr", "sr"}
        and after.strip().lower() in STARTERS
        and after != after.lower()
    ):
        said += "."  # "... and Sons Ltd. The ..."
    if word.lower() == "st" and not after.strip()[:1].isupper():
        said = "Street"
    return (said[0].upper() if word[0].isupper() else said[0].lower()) + said[1:] + after


def _acronym(match: re.Match[str]) -> str:
    """Keep "the U.S. Senate" one sentence; "... in the U.S. Then ..." stays two."""
    return match[0] if match[2].lower() in STARTERS else match[1].replace(".", " ").strip()


Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rules(*, british: bool) -> Iterable[Rule]:
    return (
        (_ADDRESS, _address),
        (_MONEY, _money),
        (_MONEY_BEHIND, _money),
        (_ISO_DATE, lambda m: _date(m[1], int(m[2]), int(m[3]), british=british) or str(m[0])),
        (_SLASHED_DATE, lambda m: _slashed_date(m, british=british)),
        (_TIME, _time),
        (_HOUR, _hour),
        (_TELEPHONE, _telephone),
        (_FRACTION, lambda m: _FRACTIONS.get(m[0], m[0])),
        (_RANGE, r"\1 to \2"),
        (_YEAR, _year),
        (_UNIT, lambda m: _counted(m["count"], *_UNITS[m["unit"]])),
        (_ABBREVIATION, _abbreviation),
        (_ACRONYM, _acronym),
        *_SIGNS,
    )


_AMERICAN, _BRITISH = tuple(_rules(british=False)), tuple(_rules(british=True))


def normalize(text: str, language: str) -> str:
    """Return `text` normalized, as it is said in `language` (espeak-ng's name or a BCP 47 tag)."""
    language = language.lower()
    rules: Iterable[Rule] = ()
    if language.split("-")[0] == "en":
        rules = _AMERICAN if language in {"en", "en-us"} else _BRITISH
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return _PAUSES.sub(";", text).translate(_MARKS)
