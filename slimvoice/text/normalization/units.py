"""Figures with a unit: 5 km, 10m, 5 GB/s, 12", 5'10", -5 °C."""
# ruff: noqa: RUF001 - signs of many kinds are the matter here

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from slimvoice.text.normalization.language import Language
from slimvoice.text.normalization.rule import Rule, any_of, ends_sentence, number

_ALIASES = {
    "L": "l", "mL": "ml", "m2": "m²", "km2": "km²", "cm2": "cm²", "m3": "m³", "cm3": "cm³", "μm": "µm", "μs": "µs",
    "μg": "µg", "km/hr": "km/h", "kmh": "km/h", "kph": "km/h", "KB": "kB", "Kbit": "kbit", "° C": "°C", "° F": "°F",
}  # fmt: skip
_OTHER_ALIASES = {
    "de": {"Std": "h", "Min": "min", "Sek": "s"},
    "fr": {"Go": "GB", "Mo": "MB", "Ko": "kB", "ko": "kB", "To": "TB"},
}
_ENGLISH_ALIASES = {
    "lbs": "lb", "hr": "h", "hrs": "h", "sec": "s", "secs": "s", "mins": "min", "yds": "yd", "ft2": "ft²",
    "sq ft": "ft²", "sq. ft": "ft²", "sqft": "ft²", "sq m": "m²", "sq km": "km²", "Mb": "Mbit", "Gb": "Gbit",
    "m/s2": "m/s²", "gals": "gal",
}  # fmt: skip
_ENGLISH_NAMES = {
    "tbsp": ("tablespoon", "tablespoons"), "tsp": ("teaspoon", "teaspoons"), "fl oz": ("fluid ounce", "fluid ounces"),
    "qt": ("quart", "quarts"), "mpg": ("mile per gallon", "miles per gallon"),
    "kbps": ("kilobit per second", "kilobits per second"), "Kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "rpm": ("revolution per minute", "revolutions per minute"), "fps": ("frame per second", "frames per second"),
    "bpm": ("beat per minute", "beats per minute"), "dB": ("decibel", "decibels"),
    "mAh": ("milliamp hour", "milliamp hours"),
    "hp": ("horsepower", "horsepower"),
    "m/s²": ("meter per second squared", "meters per second squared"), "mph": ("mile per hour", "miles per hour"),
}  # fmt: skip
_WORDS = {"en": {"in", "bar", "ha", "t", "K", "J", "Pa"}}
"""Units that are words or names of something else in that language."""
_OTHERS_WORDS = {"in", "mi", "bar", "K", "J", "cal"}
_ENGLISH_PER = {
    "d": "day", "day": "day", "wk": "week", "week": "week", "mo": "month", "month": "month", "yr": "year",
    "year": "year", "dL": "deciliter",
}  # fmt: skip
_ENGLISH_RATES = _ENGLISH_PER | {
    "s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "hour": "hour", "person": "person",
}  # fmt: skip
_STOPPED = frozenset(
    {
        "ft",
        "lb",
        "lbs",
        "oz",
        "hr",
        "hrs",
        "min",
        "mins",
        "sec",
        "secs",
        "yd",
        "yds",
        "gal",
        "gals",
        "tsp",
        "tbsp",
        "qt",
        "mi",
    }
)
"""Units that English writes with a full stop."""
_MANY = re.compile(r" (?:\w+ )?(?:people|users|views|followers|customers|downloads|subscribers|members|[a-z]{3,}s)\b")
_MULTIPLES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "B": "billion", "bn": "billion"}
_ONE_THING = re.compile(r"\b(?:an?|the|this|that|another|each|every) $", re.I)
_THING = re.compile(r" [a-z]+")
_NO_THING = re.compile(
    r" (?:a|above|after|ago|and|apart|are|as|at|away|back|before|below|but|by|deep|each|for|from|further|high|in|into"
    r"|is|later|left|long|of|off|on|onto|or|out|over|per|since|so|tall|than|that|then|through|thick|to|until|up|was|were"
    r"|when|which|while|wide|with|within)\b"
)


def names(language: Language) -> Mapping[str, tuple[str, str]]:
    """Return unit -> its name for one and for more, as units are written."""
    own = dict(language.units)
    for word in _WORDS.get(language.code, _OTHERS_WORDS):
        own.pop(word, None)
    aliases = _ALIASES | (_ENGLISH_ALIASES if language.code == "en" else _OTHER_ALIASES.get(language.code, {}))
    own |= _ENGLISH_NAMES if language.code == "en" else {}
    return own | {alias: own[unit] for alias, unit in aliases.items() if unit in own}


def rules(language: Language) -> list[Rule]:
    """Return the rules for units in `language`."""
    known = names(language)
    english = language.code == "en"
    fraction = r"(?:\d+ )?\d+/\d+"
    before, after = (r"A-Za-z\d", r"A-Za-z\d") if language.joins_figures else (r"\w", r"\w")
    count = rf"(?<![{before}.,/])(?P<count>{fraction}|{number(language.decimal)})"
    below = any_of([*known, *_ENGLISH_PER] if english else known)
    end = rf"(?![{after}°/²³']|[.,]\d)"
    per = rf"(?:/(?P<per>{below}){end}|(?P<ratio>/100 ?km)\b|{end})"
    link = r"(?P<link>[ \u202f-]?)" if english else r"(?P<link>[ \u202f]?)"
    dash = r"(?P<range>\s?[-–]\s?(?=\d))?"
    unit = re.compile(rf"{count}{link}(?P<unit>{any_of(known)}){per}(?:(?P<stop>\.)(?!\w))?{dash}")
    found: list[Rule] = [(unit, _saying(language, known))]
    squares = {unit: many for unit, (_, many) in known.items() if unit[-1] in "²³" and "{" not in many}
    found.append(
        (
            re.compile(rf"(?P<per>/)?(?<![\w°])(?P<unit>{any_of(squares)})(?!\w)"),
            lambda m: f" {language.signs['/']} {known[m['unit']][0]}" if m["per"] else squares[m["unit"]],
        )
    )
    if not english:
        found.insert(0, (re.compile(r"(?<=\d)( ?[kMG])bps\b"), r"\1bit/s"))
    if english:
        multiple = re.compile(
            rf"(?<![\w.,$£€-])(?P<count>{number('.')})(?P<unit>{any_of(_MULTIPLES)})(?=\+|\b)(?!['-])"
        )
        rate = re.compile(rf"(?<=[a-z]s)/(?P<per>{any_of(_ENGLISH_RATES)})(?!\w)")
        found = [(multiple, _multiple), *_LENGTHS, *found, (rate, lambda match: f" per {_ENGLISH_RATES[match['per']]}")]
    return found


def _multiple(match: re.Match[str]) -> str:
    """Say "5M users" with millions, but not "a 10m pool" or "a 10K run"."""
    if (
        match[0] == "3M"
        or not _MANY.match(match.string, match.end())
        or re.match(r" (?:across|less|pass|miles|seconds|feet|yards|this|always|plus)", match.string[match.end() :])
    ):
        return match[0]
    return f"{match['count']} {_MULTIPLES[match['unit']]}"


def _saying(language: Language, known: Mapping[str, tuple[str, str]]) -> Callable[[re.Match[str]], str]:
    """Return what replaces a figure and its unit."""

    def say(match: re.Match[str]) -> str:
        count, unit, link = match.group("count", "unit", "link")
        if language.code == "en" and _is_no_unit(match):
            return match[0]
        count = count.replace("\u202f", "")
        one, many = known[unit]
        single = count in {"1", f"1{language.decimal}0"} or re.fullmatch(r"\d+/\d+", count) is not None
        if language.code == "en" and not single:
            single = link == "-" or (" per " not in one and _is_attribute(match))
        name = one if single else many
        if match["per"]:
            below = (_ENGLISH_PER.get(match["per"], "") if language.code == "en" else "") or known[match["per"]][0]
            name += f" {language.signs['/']} {below}"
        if "{0}" in name:
            said = name.format(count)
        elif single and count == "1" and language.code != "en":
            said = language.single(name)
        else:
            said = f"{count}{'' if language.joins_figures else ' '}{name}"
        if match["ratio"]:
            said += f" {language.signs['/']} 100 {known['km'][1]}"
        if match["stop"] and match["range"] is None and _ends(match):
            said += "."
        return said + (f" {language.signs['range']} " if match["range"] else "")

    return say


def _ends(match: re.Match[str]) -> bool:
    """Tell whether the full stop after a unit ends the sentence; "5 ft. 10" and "5 lbs. of" have theirs in between."""
    figure_follows = re.match(r" ?\d", match.string[match.end() :]) is not None
    return ends_sentence(match) or (figure_follows and match["unit"] not in _STOPPED)


def _is_no_unit(match: re.Match[str]) -> bool:
    """Tell whether the English match is something else: "the 60s", a 4K film, and single letters after a hyphen."""
    count, unit, link = match.group("count", "unit", "link")
    if unit == "s" and not link and "." not in count:
        return True
    return link == "-" and (len(unit) < 2 or not re.match(r"[ ,]", match.string[match.end() :]))


def _is_attribute(match: re.Match[str]) -> bool:
    """Tell whether the measure stands before its thing: "a 10 m pool", and not "in the 10 m of"."""
    before, end = _ONE_THING.search(match.string, 0, match.start()), match.end()
    return bool(before and _THING.match(match.string, end) and not _NO_THING.match(match.string, end))


def _inches(match: re.Match[str]) -> str:
    if len(re.findall(r'(?<!\d)"', match.string[: match.start()])) % 2:
        return match[0]  # the quotation mark ends a quotation
    single = match["count"] == "1" or "/" in match["count"] or _is_attribute(match)
    return f"{match['count']} {'inch' if single else 'inches'}"


def _degrees(match: re.Match[str]) -> str:
    degrees, minutes, seconds, side = match.groups()
    parts = [f"{degrees} degrees", minutes and f"{minutes} minutes", seconds and f"{seconds} seconds"]
    sides = {"N": "north", "S": "south", "E": "east", "W": "west"}
    return " ".join(filter(None, (*parts, sides.get(side or "", ""))))


_LENGTHS: tuple[Rule, ...] = (
    (re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)°(?: ?(\d+)['′])?(?: ?(\d+(?:\.\d+)?)[\"″])? ?([NSEW])\b"), _degrees),
    (re.compile(r"(?<![\w.])(\d+)['′] ?(\d+(?:\.\d+)?)[\"″]"), r"\1 foot \2"),
    (re.compile(r"(?<![\w.'])(\d+)['′](?=-?\s?(?:tall|long|wide|high|deep|x|by)\b)"), r"\1 feet"),
    (re.compile(r"(?<![\w.\"])(?P<count>\d+(?:[./]\d+)?)[\"″](?!\w)"), _inches),
)
