"""Dates, times, abbreviations and Roman numerals in the languages besides English."""
# ruff: noqa: RUF001, SIM905 - words of many languages are the matter here

from __future__ import annotations

import re
from collections.abc import Mapping

from slimvoice.text.normalization.english_words import roman_value
from slimvoice.text.normalization.german import ordinals
from slimvoice.text.normalization.language import Language
from slimvoice.text.normalization.rule import Rule, any_of

_ROMAN = r"(?P<roman>[IVX]{2,6}|[IVX])"
_ORDERED = {
    "es": "siglos?|capítulos?|tomo|volumen|acto|parte|título|artículo|anexo|sección|libro|fase|tipo|Mundial|clase",
    "fr": "chapitre|tome|volume|acte|partie|titre|article|annexe|section|livre|phase|type|scène|mondiale|classe",
    "de": "Kapitel|Band|Akt|Teil|Titel|Artikel|Anhang|Abschnitt|Buch|Phase|Typ|Klasse|Szene|Weltkrieg",
}
_SPANISH_ORDINALS = ("primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo").split()
_FRENCH_ORDINALS = (
    "deuxième", "troisième", "quatrième", "cinquième", "sixième", "septième", "huitième", "neuvième", "dixième",
    "onzième", "douzième", "treizième", "quatorzième", "quinzième", "seizième", "dix-septième", "dix-huitième",
    "dix-neuvième", "vingtième", "vingt et unième", "vingt-deuxième", "vingt-troisième", "vingt-quatrième",
    "vingt-cinquième", "vingt-sixième", "vingt-septième", "vingt-huitième", "vingt-neuvième", "trentième",
)  # fmt: skip
_CHINESE_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")


def dates(language: Language) -> list[Rule]:
    """Return the rules for dates in figures, day first, and for times of day."""
    to = language.signs["range"]
    between = to if language.joins_figures else f" {to} "
    found: list[Rule] = [
        (re.compile(r"(?:(?<=:\d\d)|(?<=\dh)|(?<=h\d\d))\s?[-–]\s?(?=\d{1,2}[:h])"), between),
        (re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d):([0-5]\d)(?![\d:])"), lambda match: _duration(language, match)),
        (re.compile(r"(?<=\d )((?:de )?)([^\W\d_]{3,5})\.(?=[ ,;]|$)"), lambda match: _month(language, match)),
        (re.compile(r"(?<=\der )()([^\W\d_]{3,5})\.(?=[ ,;]|$)"), lambda match: _month(language, match)),
        (re.compile(r"(?<=\d\. )()([^\W\d_]{3,5})\.(?=[ ,;]|$)"), lambda match: _month(language, match)),
    ]
    if language.days:
        day = any_of(language.days)
        listed = re.compile(rf"\b({day})\.?\s?[-–]\s?({day})\b\.?", re.I if language.code != "de" else 0)
        found.append((listed, lambda match: between.join(_day(language, short) for short in match.groups())))

    def say(match: re.Match[str]) -> str:
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return match[0]
        year = match["year"]
        full = ("19" if int(year) > 69 else "20") + year if len(year) == 2 else year
        first = language.first_day if day == 1 else str(day)
        return language.date.format(day=first, month=language.months[month - 1], year=full)

    found += [
        (re.compile(r"(?<![A-Za-z\d.])(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?![A-Za-z\d-])"), say),
        (
            re.compile(
                r"(?<![\w./])(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4}|\d\d)(?![\w/]|\.\d)"
            ),
            say,
        ),
    ]
    if language.joins_figures:
        found.insert(
            0, (re.compile(r"(?<![A-Za-z\d./])(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\d/])"), say)
        )
    if language.time:
        found.append((_time_pattern(language), lambda match: _time(language, match)))
    return found


def _day(language: Language, short: str) -> str:
    return language.days.get(short) or language.days[short.lower()]


def _month(language: Language, match: re.Match[str]) -> str:
    """Write a month in full where its beginning is that of one month only: 5. Nov., 10 de ene."""
    months = [month for month in language.months if month.lower().startswith(match[2].lower())]
    stop = "" if match.string[match.end() :].strip() else "."
    return f"{match[1]}{months[0]}{stop}" if len(months) == 1 and months[0] != match[2] else match[0]


def _duration(language: Language, match: re.Match[str]) -> str:
    """Say 1:02:03 as hours, minutes and seconds."""
    space = "" if language.joins_figures else " "
    parts: list[str] = []
    for figure, unit in zip(match.groups(), ("h", "min", "s"), strict=True):
        one, many = language.units[unit]
        if count := int(figure):
            single = count == 1 and not language.joins_figures
            parts.append(language.single(one) if single else f"{count}{space}{many}")
    return space.join(parts) or f"0{space}{language.units['s'][1]}"


def _time_pattern(language: Language) -> re.Pattern[str]:
    mark = {"fr": "(?: ?h ?|:)", "pt": "(?:h|:)", "de": "(?::|\\.(?=\\d\\d Uhr))"}.get(language.code, ":")
    behind = {"de": r"(?: ?Uhr\b)?", "hi": "(?: ?बजे)?"}.get(language.code, "")
    return re.compile(rf"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]){mark}(?P<minute>[0-5]\d)(?![\d:]){behind}")


def _time(language: Language, match: re.Match[str]) -> str:
    hour, minute = match["hour"].lstrip("0") or "0", match["minute"]
    said = (language.full_hour if minute == "00" else language.time).format(hour=hour, minute=int(minute))
    return said.replace("1 heures", "une heure") if hour == "1" else said


def words(language: Language) -> list[Rule]:
    """Return the rules for abbreviations and Roman numerals."""
    found: list[Rule] = []
    if language.code == "zh":
        found += [
            (re.compile(r"(?<!\d)\d{4}(?=年)"), lambda match: match[0].translate(_CHINESE_DIGITS)),
            (re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"), lambda match: match[0].translate(_CHINESE_DIGITS)),
            (re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?%"), r"百分之\1"),
            (re.compile(r"(?<![\d.])(\d+(?:\.\d+)?) ?‰"), r"千分之\1"),
        ]
    if numerals := _ORDERED.get(language.code):
        found.append((re.compile(rf"\b(?P<name>{numerals}) {_ROMAN}\b(?!['’-]\w)", re.I), _ordered))
    if language.code == "de":
        found += ordinals()
    if language.code == "es":
        found.append(
            (
                re.compile(r"\b(?P<name>[^\W\d_a-z][^\W\d_A-Z]+) (?P<roman>[IVX]{2,6}|[IVX](?=[\s.,;:]|$))\b"),
                _spanish_king,
            )
        )
    if language.code == "fr":
        found += [
            (re.compile(r"\bS(te?)-(?=[^\W\d_a-z])"), lambda match: "Sainte-" if match[1] == "te" else "Saint-"),
            (re.compile(r"\b(?P<roman>[IVX]{1,6}|\d{1,2})(?P<ending>er|re|e|ème|eme|nd|nde)\b"), _french_ordinal),
            (re.compile(r"\b(?P<name>[^\W\d_a-z][^\W\d_A-Z]+) (?P<roman>[IVX]{2,6})\b(?!['’-]\w)"), _ordered),
        ]
    if language.before_number:
        found.append(
            (
                _before(language.before_number, r" ?(?=\d)", 0 if language.code == "de" else re.I),
                lambda match: f"{_before_number(language, match['word'])} ",
            )
        )
    if language.abbreviations:
        found.append((_before(language.abbreviations, ""), lambda match: _abbreviation(language, match)))
    return found


def _before(table: Mapping[str, str], behind: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?P<word>{any_of(table)})(?!\w){behind}", flags)


def _before_number(language: Language, word: str) -> str:
    said = language.before_number.get(word) or language.before_number[word.lower()]
    return said.capitalize() if word[0].isupper() else said


def _abbreviation(language: Language, match: re.Match[str]) -> str:
    """Write an abbreviation in full; a title stands before a name, and a full stop may end its sentence too."""
    word, said = match["word"], language.abbreviations[match["word"]]
    rest = match.string[match.end() :]
    if len(word) == 2 and re.search(r"\w [^\W\d_a-z][^\W\d_A-Z]+ $", match.string[: match.start()]):
        return match[0]  # an initial
    is_title = word[0].isupper() and not word[1].isupper() and language.code != "de"
    if is_title and not re.match(r" ?[^\W\d_a-z]", rest):
        return match[0]
    if word == "Fr." and language.code == "de" and not re.match(r" [^\W\d_a-z]", rest):
        return match[0]
    ends = word.endswith(".") and not rest.strip(" \"')")
    return said + ("." if ends else "")


def _ordered(match: re.Match[str]) -> str:
    value = roman_value(match["roman"])
    return f"{match['name']} {value}" if value else match[0]


def _spanish_king(match: re.Match[str]) -> str:
    """Say Felipe VI as sexto, Isabel II as segunda, Alfonso XIII as trece."""
    name, value = match["name"], roman_value(match["roman"])
    if not value or (len(match["roman"]) == 1 and name.lower() not in _SPANISH_KINGS):
        return match[0]
    if value > 10:
        return f"{name} {value}"
    ordinal = _SPANISH_ORDINALS[value - 1]
    return f"{name} {ordinal[:-1] + 'a' if name.endswith('a') or name == 'Isabel' else ordinal}"


_SPANISH_KINGS = frozenset(
    (
        "felipe carlos juan pedro alfonso fernando isabel luis enrique sancho jaime francisco pablo benedicto pío león"
    ).split()
)


def _french_ordinal(match: re.Match[str]) -> str:
    """Say XIXe as dix-neuvième, François Ier as premier."""
    value = int(match["roman"]) if match["roman"].isdigit() else roman_value(match["roman"])
    if value == 1:
        return "première" if match["ending"] == "re" else "premier"
    if match["ending"] in {"nd", "nde"}:
        return "second" + match["ending"][2:]
    return _FRENCH_ORDINALS[value - 2] if 2 <= value <= len(_FRENCH_ORDINALS) + 1 else match[0]
