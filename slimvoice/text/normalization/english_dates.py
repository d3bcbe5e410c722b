"""English dates, times of day and years."""
# ruff: noqa: RUF001 - dashes of many kinds are the matter here

from __future__ import annotations

import re

from slimvoice.text.normalization.rule import Rule, ends_sentence
from slimvoice.text.normalization.tables import ENGLISH
from slimvoice.text.sentences import STARTERS

_MONTHS = {month[:3]: month for month in ENGLISH.months} | {"Sept": "September"}
_DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Weds": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_DECADES = (
    "hundreds", "tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties",
)  # fmt: skip
_MONTH = r"(?P<month>Sept|" + "|".join(month[:3] for month in ENGLISH.months) + ")"
_ANY_MONTH = "(?:" + "|".join(ENGLISH.months) + ")"
_DAY = "(?:" + "|".join(sorted(_DAYS, key=len, reverse=True)) + ")"
_FULL_RANGE = re.compile(
    r"\b(January|February|March|April|May|June|July|August|September|October|November|December|[A-Z][a-z]{2,5}day)"
    r"\s?[-–]\s?(?=(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|[A-Z][a-z]{2,5}day)\b)"
)
_NOON = re.compile(r"(?:(?<=[AP]M)|(?<=\d))[-–](?=(?:noon|midnight)\b)|(?<=\bnoon)[-–](?=\d)|(?<=\bmidnight)[-–](?=\d)")
_SLASHED_ISO_DATE = re.compile(r"\b((?:19|20)\d\d)/(\d{1,2})/(\d{1,2})\b(?!/)")
_DOTTED_DATE = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\w]|\.\d)")
_MONTH_AND_YEAR = re.compile(r"(?<![\w/.])(0?[1-9]|1[0-2])/((?:19|20)\d\d)(?![\w/])")
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?:(?P<time>[T ])(?=\d\d:\d\d)|(?![\w-]))")
_SLASHED_DATE = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b")
_SHORT_DATE = re.compile(r"(?<=\b[Oo]n )(\d{1,2})/(\d{1,2})(?![\d/])")
_DASHED_DATE = re.compile(rf"\b(\d{{1,2}})-{_MONTH}-(\d{{4}}|\d\d)\b")
_MONTH_BEFORE = re.compile(rf"\b{_MONTH}\b(?P<stop>\.)?(?=,? \d)")
_MONTH_BEHIND = re.compile(
    rf"(?<=\d )(?<!\d\d\d ){_MONTH}\b(?P<stop>\.)?(?!\w)|(?<=\d[a-z][a-z] ){_MONTH.replace('month', 'other')}\b\.?"
)
_MONTHS_RANGE = re.compile(rf"\b{_MONTH}\.?\s?[-–]\s?{_MONTH.replace('month', 'until')}\b(?P<stop>\.)?")
_DAYS_LISTED = re.compile(
    rf"\b{_DAY}\b(?:\.?(?:\s?[-–/&]\s?|, (?:and )?| and | to | or ){_DAY}\b)+(?P<stop>\.(?=\s?[a-z0-9,]))?"
)
_DAY_OF_DATE = re.compile(
    rf"\b(?P<day>{_DAY})\b\.?"
    rf"(?=,? (?:{_ANY_MONTH}|\d{{1,2}}(?:st|nd|rd|th)?\b(?! [a-z])|\d{{1,2}}(?::\d\d)?\s?[aApP]\.?[mM]))"
)
_TIMED = re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>[0-5]\d):(?P<second>[0-5]\d)(?:\.\d+)?Z?(?![\d:])")
_TIMES_RANGE = re.compile(
    r"(?:(?<=:\d\d)|(?<=[aApP][mM])|(?<=[aApP]\.[mM]\.))\s?[-–—]\s?(?=\d{1,2}(?::\d\d|\s?[aApP]\.?[mM]\b))"
)
_TIME = re.compile(
    r"(?<![\d:])\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?!:?\d)"
    r"(?:\s?(?P<half>[aApP])(?P<dot>\.)?\s?[mM]\b(?P<stop>\.)?)?"
)
_HOUR = re.compile(r"\b(?P<hour>1[0-2]|[1-9])\s?(?P<half>[aApP])(?P<dot>\.)?[mM]\b(?P<stop>\.)?")
_RATIO = re.compile(r"(?<![\d:.])(\d+) ?: ?([1-9]\d*)(?![\d:–-]|\.\d)(?! ?[aApP]\.?[mM]\b)")
_BOOKS = (
    "Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Judges|Samuel|Kings|Psalms?|Proverbs|Isaiah|Jeremiah|Ezekiel|Daniel"
    "|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians|Philippians|Colossians|Hebrews|James|Peter"
    "|Revelation|Surah|Quran"
)
_YEAR = re.compile(
    r"(?<![\w.,/])(?<![^a-z]-)(?<!^-)(1[1-9](?=\d\d)|20(?=[1-9]\d))(\d\d)((?<=0)s)?(?![\w%°$€£-]|[.,]\d"
    r"| (?:dollars?|pounds?|euros?|rupees|yen|thousand|million|billion|people|users|times|words|items|steps|points"
    r"|square|cubic|[a-z]*(?:meter|gram|liter|byte|watt|hertz|calorie)s?|miles?|feet|foot|inch(?:es)?|ounces?|degrees"
    r"|minutes?|hours?|days?|weeks?|months?|years|by \d+)\b)"
)
_DECADE = re.compile(r"(?:(?<=\b[Tt]he )|(?<=\b[Mm]id[- ])|(?<=arly )|(?<=\blate ))'?([2-9])0s\b|(?<!\w)'([2-9])0s\b")


def _date(year: str, month: int, day: int, *, british: bool) -> str:
    """Say a date; empty if there is no such."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return ""
    ending = "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    name = ENGLISH.months[month - 1]
    if not year:
        return f"{day}{ending} of {name}" if british else f"{name} {day}{ending}"
    full_year = ("19" if int(year) > 69 else "20") + year if len(year) == 2 else year
    return f"{day}{ending} of {name} {full_year}" if british else f"{name} {day}{ending}, {full_year}"


def _slashed_date(match: re.Match[str], *, british: bool) -> str:
    first, second = int(match[1]), int(match[2])
    year = match[3] if match.re is _SLASHED_DATE else ""
    ways = ((second, first), (first, second)) if british else ((first, second), (second, first))
    said = (_date(year, month, day, british=british) for month, day in ways)
    return next(filter(None, said), match[0])


def _iso_date(match: re.Match[str], *, british: bool) -> str:
    said = _date(match[1], int(match[2]), int(match[3]), british=british) or match[0]
    return said + (" at " if match["time"] is not None else "")


def _month(match: re.Match[str]) -> str:
    """Write a month in full; its full stop stays where it ends the sentence too."""
    short = match["month"] or match["other"]
    stopped = match[0].endswith(".") and ends_sentence(match)
    return _MONTHS[short] + ("." if stopped else "")


def _days(match: re.Match[str]) -> str:
    said = re.sub(rf"\b({_DAY})\b\.?", lambda day: _DAYS[day[1]], match[0])
    return re.sub(r"\s?[/&]\s?", " and ", re.sub(r"\s?[-–]\s?", " to ", said))


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


def _timed(match: re.Match[str]) -> str:
    """Say 1:02:03 as a duration, and as a time of day where "at" or a half of the day tells so."""
    hour, minute, second = (str(int(match[name])) for name in ("hour", "minute", "second"))
    of_day = re.search(r"\b(?:at|since|until|by|till) $", match.string[: match.start()]) and 0 < int(hour) < 24
    if of_day or re.match(r"\s?[aApP]\.?[mM]\b", match.string[match.end() :]):
        clock = f"{hour} oh {minute}" if len(minute) == 1 else f"{hour} {minute}"
        return f"{clock} and {_counted(second, 'second')}"
    parts = [_counted(hour, "hour"), _counted(minute, "minute"), _counted(second, "second")]
    return " ".join(part for part in parts if part[0] != "0") or "0 seconds"


def _is_duration(match: re.Match[str]) -> bool:
    """Tell minutes and seconds, and chapter and verse, from a ratio."""
    verse = re.search(rf"\b(?:{_BOOKS}) $", match.string[: match.start()]) is not None
    return verse or (int(match[1]) > 23 and len(match[2]) == 2 and int(match[2]) < 60)


def _counted(count: str, name: str) -> str:
    return f"{count} {name}{'' if count == '1' else 's'}"


def _year(match: re.Match[str]) -> str:
    """Say 1984 as nineteen eighty-four."""
    high, low, decade = match.groups()
    if decade:
        return f"{high} {_DECADES[int(low[0])]}"
    if low == "00":
        return f"{high} hundred"
    return f"{high} oh {low[1]}" if low[0] == "0" else f"{high} {low}"


def dates(*, british: bool) -> list[Rule]:
    """Return the rules for dates; `british` reads 3/4 as the third of April."""
    return [
        (_ISO_DATE, lambda match: _iso_date(match, british=british)),
        (_SLASHED_ISO_DATE, lambda match: _date(match[1], int(match[2]), int(match[3]), british=british) or match[0]),
        (_DOTTED_DATE, lambda match: _date(match[3], int(match[2]), int(match[1]), british=british) or match[0]),
        (_MONTH_AND_YEAR, lambda match: f"{ENGLISH.months[int(match[1]) - 1]} {match[2]}"),
        (_FULL_RANGE, r"\1 to "),
        (_SLASHED_DATE, lambda match: _slashed_date(match, british=british)),
        (_SHORT_DATE, lambda match: _slashed_date(match, british=british)),
        (_DASHED_DATE, lambda match: f"{match[1]} {_MONTHS[match['month']]} {match[3]}"),
        (_MONTHS_RANGE, lambda m: f"{_MONTHS[m['month']]} to {_MONTHS[m['until']]}" + (m["stop"] or "")),
        (_MONTH_BEFORE, lambda match: _MONTHS[match["month"]]),
        (_MONTH_BEHIND, _month),
        (_DAYS_LISTED, _days),
        (_DAY_OF_DATE, lambda match: _DAYS[match["day"]]),
    ]


TIMES: tuple[Rule, ...] = (
    (re.compile(r"\b([A-Z][a-z]+\.? \d{1,3}):(\d{1,3})\s?[-–]\s?(\d{1,3})(?![:\d]| ?[aApP]\.?[mM])"), r"\1, \2 to \3"),
    (_TIMES_RANGE, " to "),
    (re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d{1,2}\s?[aApP]\.?[mM]\b)"), " to "),
    (_TIMED, _timed),
    (_TIME, _time),
    (_HOUR, _hour),
    (_NOON, " to "),
    (re.compile(r"(?<=second)(s?) ([aApP])\.?[mM]\b\.?"), lambda match: f"{match[1]} {match[2].upper()}M"),
    (_RATIO, lambda match: f"{match[1]} {match[2]}" if _is_duration(match) else f"{match[1]} to {match[2]}"),
)
YEARS: tuple[Rule, ...] = (
    (_DECADE, lambda match: _DECADES[int(match[1] or match[2])]),
    (_YEAR, _year),
)
