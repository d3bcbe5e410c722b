"""English abbreviations, acronyms, Roman numerals and addresses of the net."""
# ruff: noqa: RUF001, SIM905 - signs of many kinds are the matter here

from __future__ import annotations

import re

from slimvoice.text.normalization.rule import Rule, any_of, ends_sentence
from slimvoice.text.sentences import STARTERS

_ABBREVIATIONS = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Gen": "General",
    "Capt": "Captain", "Sgt": "Sergeant", "Lt": "Lieutenant", "Col": "Colonel", "Sen": "Senator", "Gov": "Governor",
    "Rev": "Reverend", "Mt": "Mount", "St": "Saint", "vs": "versus", "approx": "approximately", "e.g": "for example",
    "i.e": "that is", "Dept": "Department", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation",
    "Jr": "Junior", "Sr": "Senior", "Maj": "Major", "Cpl": "Corporal", "Cmdr": "Commander", "Pres": "President",
    "Rep": "Representative", "Hon": "Honorable", "Supt": "Superintendent", "Pvt": "Private", "Blvd": "Boulevard",
    "Ave": "Avenue", "Rd": "Road", "Bros": "Brothers", "Govt": "Government", "viz": "namely", "cf": "compare",
    "a.k.a": "also known as", "Assn": "Association", "Univ": "University", "appt": "appointment", "Messrs": "Messers",
    "Co": "Company", "Ft": "Fort",
}  # fmt: skip
_ENDING = frozenset(("inc ltd corp co jr sr bros blvd ave rd assn univ appt").split())
_BEFORE_FIGURE = {
    "p": "page", "pp": "pages", "pg": "page", "pgs": "pages", "fig": "figure", "figs": "figures", "vol": "volume",
    "vols": "volumes", "ch": "chapter", "chap": "chapter", "sec": "section", "eq": "equation", "ext": "extension",
    "art": "article", "para": "paragraph", "ver": "version", "tel": "telephone", "max": "maximum", "min": "minimum",
    "ca": "circa", "c": "circa", "nos": "numbers", "apt": "apartment", "fl": "floor", "rm": "room", "ste": "suite",
    "lvl": "level", "avg": "average", "temp": "temperature", "ep": "episode", "pt": "part",
}  # fmt: skip
_ABBREVIATION = re.compile(rf"\b(?P<word>{any_of(_ABBREVIATIONS)})\.(?=(?P<after>,|\s+\w+|\s))", re.I)
_FIGURE_FOLLOWS = re.compile(rf"(?<![\w./])(?P<word>{any_of(_BEFORE_FIGURE)})\. ?(?=\d)", re.I)
_DEGREE = re.compile(
    r"\b(?P<degree>Ph\.\s?D|M\.D|Ed\.D|J\.D|[BM]\.\s?(?:A|S|Sc|Ed|Eng|B\.A)|D\.Phil)\b(?:(?P<stop>\.)(?!\w))?"
)
_ACRONYM = re.compile(r"\b((?:[A-Z]\.){2,})(?=\s+([A-Z]\w*))")

_ORDER = (
    "War|Chapter|Part|Section|Volume|Vol\\.|Book|Act|Scene|Type|Phase|Stage|Class|Grade|Level|Tier|Appendix|Figure|Table"
    "|Article|Bowl|Title|Step|Group|Category|Schedule|Division|Mark|Model|Unit|Lesson|Canto|Psalm|Sonata|Symphony|No\\.|Apollo"
    "|Episode|Season|Generation|Gen|Round|Factor|Panel|Annex|Amendment|Corps"
)
_MAY_BE_SAID = frozenset(
    {"Chapter", "Part", "Section", "Figure", "Table", "Step", "Article", "Unit", "Appendix", "Book"}
)
"""After these an "I" may be the pronoun: "in Section I show"."""
_KINGS = frozenset(
    (
        "louis henry charles george edward william james elizabeth richard philip philippe ferdinand frederick "
        "friedrich catherine peter paul john pius benedict gregory innocent clement leo alexander alexandre nicholas "
        "ivan napoleon wilhelm otto leopold mary ramses ramesses thutmose amenhotep ptolemy darius xerxes constantine "
        "felipe juan carlos alfonso isabella francis francois françois franz haakon harald gustav adolf christian "
        "olaf olav margaret margrethe boniface urban sixtus celestine hadrian adrian stephen sigismund rudolf "
        "maximilian joseph josef pedro manuel afonso umberto emanuele emmanuel emanuel victor albert baudouin robert "
        "david malcolm donald kenneth mehmed murad selim suleiman abdulhamid mohammed muhammad hassan hussein "
        "abdullah rama rainier theodore theodosius justinian basil antiochus seleucus artaxerxes cyrus cambyses seti "
        "psamtik tiberius julius calixtus callixtus eugene honorius martin menelik tewodros kamehameha bhumibol "
        "ladislaus casimir bela béla andrew mircea carol umberto amadeus sancho henri karl ludwig heinrich pepin "
        "lothair conrad duncan llywelyn vladimir feodor anne jean jr sr"
    ).split()
)
_ROMAN = r"(?P<roman>[IVX]{2,6}|[IVX])"
_ORDERED = re.compile(rf"\b(?P<name>(?:{_ORDER})) (?P<roman>[IVXLC]{{2,9}}|[IVX])\b(?!['’](?:m|ve|d|ll)\b|-\w)")
_LOWER = re.compile(
    r"\b(?P<name>[Cc]hapter|[Pp]art|[Pp]ages?|[Vv]olume|[Ss]ection|[Aa]ct|[Ss]cene|[Bb]ook|[Cc]h\.|[Vv]ol\.|[Pp]p?\.)"
    r" (?P<roman>[ivxl]{2,7})\b(?!['’-]\w)"
)
_NAMED = re.compile(rf"\b(?P<name>[^\W\d_a-z][^\W\d_A-Z]+) {_ROMAN}\b(?!['’](?:m|ve|d|ll)\b|-[IVX])")
_NUMBERED_LINE = re.compile(r"^(?P<roman>[IVX]{2,6}|[VX])\.(?= [A-Z])")
_BRACKETED = re.compile(r"\((?P<roman>i{2,3}|iv|vi{1,3}|ix|xi{1,3})\)")
_AFTER_ONE = re.compile(
    r"[.,;:!?)]|$| (?:[A-Z]|(?:and|of|the|in|to|is|was|begins?|began|ended|ends|ruled|reigned|died|who|had|has|at|on|by"
    r"|with|for|from|became|as|or|starts?|started|broke)\b)"
)
_INFUSION = re.compile(r" (?:fluids?|drip|line|bag|infusion|therapy|antibiotics|pole|pump|push|catheter|drugs?)\b")
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ADDRESS_SIGNS = {
    "@": "at", ".": "dot", "/": "slash", "_": "underscore", "-": "dash", "?": "question mark", "=": "equals",
    "&": "and", "#": "hash", ":": "colon", "%": "percent", "~": "tilde", "+": "plus",
}  # fmt: skip
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s,;]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|ai|gov|edu|de)\b(?:/[^\s,;]*)?"
)


def roman_value(numeral: str) -> int:
    """Return the value of a Roman numeral up to 399, 0 if it is none."""
    match = re.fullmatch(r"(C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})", numeral.upper())
    if match is None:
        return 0
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
    figures = [values[letter] for letter in numeral.upper()]
    return sum(-one if one < following else one for one, following in zip(figures, [*figures[1:], 0], strict=True))


def _ordered(match: re.Match[str]) -> str:
    """Say the numeral after "Chapter" as a number; "Part I read" is a pronoun."""
    value, roman = roman_value(match["roman"]), match["roman"]
    is_word = roman == "I" and match["name"] in _MAY_BE_SAID and not _AFTER_ONE.match(match.string, match.end())
    return f"{match['name']} {value}" if value and not is_word else match[0]


def _named(match: re.Match[str]) -> str:
    """Say Louis XIV as the fourteenth, Rocky II as two."""
    name, roman = match.group("name", "roman")
    value = roman_value(roman)
    is_king = name.lower() in _KINGS
    rest = _AFTER_ONE.match(match.string, match.end())
    if not value or (len(roman) == 1 and (not is_king or (roman != "V" and not rest) or match[0] == "Malcolm X")):
        return match[0]
    if roman == "IV" and _INFUSION.match(match.string, match.end()):
        return f"{name} I V"
    if is_king and value <= len(_ORDINALS):
        return f"{name} the {_ORDINALS[value - 1]}"
    return f"{name} {value}"


def _address(match: re.Match[str]) -> str:
    whole = match[0].rstrip(".:!?)")
    said = re.sub(r"^(?:https?://)?(?:www\.)?", "", whole).rstrip("/")
    return re.sub(r"[^\w\s]", lambda sign: f" {_ADDRESS_SIGNS.get(sign[0], '')} ", said) + match[0][len(whole) :]


def _cased(said: str, like: str) -> str:
    return (said[0].upper() if like[0].isupper() else said[0].lower()) + said[1:]


def _abbreviation(match: re.Match[str]) -> str:
    word, after = match["word"], match["after"]
    if word in {"co", "ft"}:
        return match[0]
    said = next(said for short, said in _ABBREVIATIONS.items() if short.lower() == word.lower())
    if word.lower() in _ENDING and after.strip().lower() in STARTERS and after != after.lower():
        said += "."  # "... and Sons Ltd. The ..."
    if word.lower() == "st" and _is_street(match):
        said = "Street" + ("." if after.strip().lower() in STARTERS and after != after.lower() else "")
    return _cased(said, word)


def _is_street(match: re.Match[str]) -> bool:
    """Tell the street of an address from a saint."""
    after = match["after"]
    numbered = re.search(r"\d \w+ $", match.string[: match.start()]) is not None
    return numbered or "\n" in after or not after.strip()[:1].isupper() or after.strip().lower() in STARTERS


def _established(match: re.Match[str]) -> str:
    return (
        f"{_cased('established', match[0])} "
        if re.match(r"1[5-9]\d\d\b|20\d\d\b", match["after"])
        else f"{_cased('estimated', match[0])} "
    )


def _acronym(match: re.Match[str]) -> str:
    """Keep "the U.S. Senate" one sentence; "... in the U.S. Then ..." stays two."""
    return match[0] if match[2].lower() in STARTERS else match[1].replace(".", " ").strip()


def _degree(match: re.Match[str]) -> str:
    """Say Ph.D. letter by letter."""
    letters = re.sub(r"[.\s]+", " ", match["degree"].replace("Ph", "P H").replace("Phil", "Phil"))
    return letters + ("." if match["stop"] and ends_sentence(match, STARTERS) else "")


ADDRESSES: tuple[Rule, ...] = ((_ADDRESS, _address),)
WORDS: tuple[Rule, ...] = (
    (_NUMBERED_LINE, lambda match: f"{roman_value(match['roman']) or match['roman']}."),
    (_BRACKETED, lambda match: f"({roman_value(match['roman'])})"),
    (re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St)\.(?=[A-Z])"), r"\1. "),
    (_LOWER, _ordered),
    (_ORDERED, _ordered),
    (_NAMED, _named),
    (re.compile(r"\b[Ee]st\. (?=(?P<after>\d{4}|\d+|[$£€]))"), _established),
    (_FIGURE_FOLLOWS, lambda match: f"{_cased(_BEFORE_FIGURE[match['word'].lower()], match['word'])} "),
    (_DEGREE, _degree),
    (_ABBREVIATION, _abbreviation),
    (re.compile(r"(?<=\w )vs?(?:\.|(?= ))(?= \w)"), lambda match: "versus" if match[0] != "v" else "v"),
    (_ACRONYM, _acronym),
)
SIGNS: tuple[Rule, ...] = (
    (re.compile(r"\b[Nn]o\. ?(?=\d)|(?<!\w)#(?=\d)"), "number "),
    (re.compile(r"(?<![\w~])~ ?(?=[\d$£€])"), "about "),
    (re.compile(r"\betc\.(?=,|\s+[a-z])"), "et cetera"),
    (re.compile(r"\betc\."), "et cetera."),
    (re.compile(r"(?<!\S)<(?=[\d$£€])"), "less than "),
    (re.compile(r"(?<!\S)>(?=[\d$£€])"), "more than "),
    (re.compile(r"(?<=\d) ?x ?(?=\d)"), " by "),
    (
        re.compile(
            r"(?<=\d)×(?=\d)"
            r"|(?<=\d) × (?=\d+(?:\.\d+)? ?(?:[mck]?m|in|ft|px|[a-z]*meters?|inch(?:es)?|feet|pixels?|yards?)\b)"
        ),
        " by ",
    ),
    (re.compile(r"\b24/7\b"), "24 7"),
    (re.compile(r"\b9/11\b"), "9 11"),
    (re.compile(r"\b50/50\b"), "50 50"),
    (re.compile(r"\band/or\b"), "and or"),
    (re.compile(r"\bw/o\b"), "without"),
    (re.compile(r"\bw/ "), "with "),
    (re.compile(r"(?<=\d)(?<!\d[.]) ?§ ?(?=\d)|§ ?(?=\d)"), "section "),
    (re.compile(r"(?<![\w.,])(?=\.\d)"), "0"),
)
