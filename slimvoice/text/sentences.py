"""Cut text into sentences while it streams in. Pure, and in time linear in the text.

Own code: of the 24 texts in tests/unit/test_text_sentences.py sentence-stream 1.3.0 cuts 14 right and pysbd 0.3.4
cuts 13, and both slow down with the square of the text. Speech needs no offsets and no care for quotations, but must
never cut a number, an address or "Dr. Smith".
"""
# ruff: noqa: RUF001, SIM905 - the marks and words of many languages are the matter here

from __future__ import annotations

import re
from collections.abc import Iterator

WIDE_ENDERS = "。！？｡"
CLOSERS = "\"')]}*_’”»」』）》】〉"

_END = re.compile(
    rf"[.!?…؟۔।॥{WIDE_ENDERS}]+[{re.escape(CLOSERS)}]*"  # a mark and what closes after it
    r"|\n\s*\n"  # a blank line
    r"|\n(?=[ \t]*(?:[-*•–]|\d{1,3}[.)])[ \t])"  # a list item begins
)
_WORD_BEFORE = re.compile(r"[^\s\"'(\[{“‘«*_—–-]+$")
_WORD_AFTER = re.compile(r"[^\w]*(\w+)(?=\W)")
_DOTTED = re.compile(r"(?:\w\.)+\w")
_SHORT_WORD_AFTER = re.compile(r"\s?[^\W\d_]{1,2}\.")
_SHORT_MONTH = re.compile(r"\s?(?:Jan|Feb|Mär|Apr|Jun|Jul|Aug|Sept?|Okt|Nov|Dez)\.")
_ROMAN = re.compile(r"[ivxl]{2,7}|[IVXL]+")
_ORDINAL_AFTER_ARTICLE = re.compile(r"\b(?:der|die|das|den|dem|des|im|zum|zur|vom|beim) \d{1,2}$")
_LOOK_BACK = 32
_LOOK_AHEAD = 24

_TITLES = frozenset(
    "adm ave brig capt cdr cmdr col cpl dept dr drs gen gov hon lt maj messrs mlle mme mr mrs ms mt pres prof rep rev "
    "sen sgt st supt vs ca approx apt e.g i.e cf bzw evtl ggf inkl vgl zzgl z.b d.h u.a hr hrn geb sra srta sr dott "
    "avv sig p.ej ud uds av blvd rd mio mrd tsd sto sta dña dra profa prof.ssa dott.ssa sig.ra ct डॉ डा प्रो".split()
)
"""Words whose full stop never ends a sentence: something always follows."""
_BEFORE_NUMBER = frozenset("no nos nr núm fig figs vol vols p pp pg pág art abs ch sec eq op".split())
"""Words whose full stop is theirs when a number follows ("No. 5")."""
_ALSO_BEFORE_NUMBER = frozenset(
    "pgs págs pag pagg chap cap est ext tel tél para ver max min ca c n s rs रु abb kap bd apt ep pt aufl janv févr avr "
    "juil sept oct nov déc ene abr ago dic gen mag giu lug set ott fev out dez okt".split()
)
"""The same, but before a small letter they are abbreviations too ("5 min. of it", "10 de ene. de 2020")."""
_BEFORE_CAPITAL = frozenset(
    "inc ltd co corp jr bros univ assn jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur "
    "thurs fri sat sun ph.d m.d".split()
)
"""Abbreviations that a sentence may end with; the word after them tells."""
STARTERS = frozenset(
    "a after all also although an and another any are as at because before both but by can did do does during each "
    "even every few finally first for from had has have he hence her here his how however i if in is it its just last "
    "later let many maybe meanwhile more most my no nobody not nothing now of often on once one only or our perhaps "
    "please she should since so some sometimes soon still such that the their then there these they this those though "
    "thus to today tomorrow two under unless until we well were what when where which while who why will with yes yet "
    "you your".split()
)
"""Words that begin a sentence far oftener than a name."""


_MEASURES = frozenset({"tbsp", "mins", "secs"})
_AFTER_ORDINAL = frozenset(
    "januar februar märz april mai juni juli august september oktober november dezember jahrhundert jahrhunderts platz "
    "weltkrieg weltkriegs stock etage klasse geburtstag lebensjahr auflage bundesliga spieltag".split()
)
"""What German counts by an ordinal in figures: "am 3. Mai", "im 20. Jahrhundert"."""


def _stop_is_part_of_word(word: str, after: str) -> bool:
    """Tell whether the full stop after `word` is an abbreviation's and the sentence goes on with `after`."""
    low = word.lower()
    match = _WORD_AFTER.match(after)
    following = match.group(1) if match else after.strip()
    if low in _TITLES or word == "Ft" or low.endswith("str") or (low in {"v", "n"} and following == "Chr"):
        return True
    if len(low) <= 2 and _SHORT_WORD_AFTER.match(after):
        return True  # "z. B.", "EE. UU."
    if low.isdigit() and len(low) <= 2:
        names_what = following.lower() in _AFTER_ORDINAL and following[:1].isupper()
        if names_what or _SHORT_MONTH.match(after):
            return True
    counted = following[:1].isdigit() or _ROMAN.fullmatch(following) is not None
    if low in _BEFORE_NUMBER or (counted and low in _ALSO_BEFORE_NUMBER):
        return counted
    if low in _BEFORE_CAPITAL or _DOTTED.fullmatch(low) or (len(word) == 1 and word.isupper() and word != "I"):
        ends_with_starter = following[:1].isupper() and following.lower() in STARTERS
        return not ends_with_starter and not (low in {"a.m", "p.m"} and following[:1].isupper())
    # An unknown short word before a small letter is rather an abbreviation than the end of a sentence.
    return (len(word) <= 3 or low in _MEASURES) and following[:1].islower()


def is_end(before: str, mark: str, after: str) -> bool:
    """Tell whether `mark`, between `before` and `after` of the same sentence, ends the sentence."""
    if mark[0] == "\n" or any(character in WIDE_ENDERS for character in mark):
        return True
    if after and not after[0].isspace():
        return ord(after[0]) > 0x2E7F  # 3.14, example.com, v1.2; Chinese and Japanese follow without a space
    following = after.lstrip()[:1]
    closed = mark[-1] in CLOSERS
    if mark.rstrip(CLOSERS) in {"...", "…", "...."} or closed:
        return not following.islower()  # "Well... maybe", and: "Why?" he asked
    if mark != ".":
        return True
    match = _WORD_BEFORE.search(before)
    word = match.group() if match else ""
    if word.isdigit() and len(word) <= 3 and before.strip() == word:
        return False  # "1. First" keeps its number
    return not _stop_is_part_of_word(word, after) and _ORDINAL_AFTER_ARTICLE.search(before) is None


class SentenceSplitter:
    """Cuts a stream of text into sentences; `feed` returns those that no later text can change."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, text: str) -> Iterator[str]:
        """Take more text, yield the sentences that are complete."""
        self._text += text
        yield from self._take(final=False)

    def finish(self) -> Iterator[str]:
        """Yield what is left."""
        yield from self._take(final=True)
        if rest := self._text.strip():
            yield rest
        self._text = ""

    def _take(self, *, final: bool) -> Iterator[str]:
        text, start = self._text, 0
        for match in _END.finditer(text):
            after = text[match.end() : match.end() + _LOOK_AHEAD]
            if not final and not _WORD_AFTER.match(after) and len(after) < _LOOK_AHEAD:
                break  # the next word decides and is not here yet
            before = text[max(start, match.start() - _LOOK_BACK) : match.start()]
            if is_end(before, match.group(), after):
                if sentence := text[start : match.end()].strip():
                    yield sentence
                start = match.end()
        self._text = text[start:]


def sentences(text: str) -> list[str]:
    """Cut `text` into sentences, none of them empty."""
    splitter = SentenceSplitter()
    return [*splitter.feed(text), *splitter.finish()]
