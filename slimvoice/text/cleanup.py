"""Cleans text for synthesis: strips markup, emoji and control characters. Pure."""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import html
import re
import unicodedata

from slimvoice.errors import InvalidRequest
from slimvoice.text.compatibility import compatible
from slimvoice.text.sentences import STARTERS

# Every repetition is bounded or stops at the next mark of its kind: hostile text costs no more than its length.
_MARKDOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.M), ""),  # fences; the code between them is read
    (re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.M), "\n"),  # rulers
    (re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+\"[^\"\n]{0,200}\")?\)"), r"\1"),  # links
    (re.compile(r"^[ \t]*#{1,6}[ \t]+([^\n]*?)[ \t#]*$", re.M), r"\n\1\n"),  # headings are paragraphs
    (re.compile(r"^[ \t]*>[ \t]?", re.M), ""),  # quotations
    (re.compile(r"^[ \t]*(?:[-*+·][ \t]+|[•‣▪●○◦]+[ \t]*)", re.M), "\n"),  # list items
    (re.compile(r"(\*\*\*|\*\*|__|~~|\*)(?=\S)([^\n]{1,300}?)(?<=\S)\1"), r"\2"),  # emphasis
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+)(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"`+([^`\n]+)`+"), r"\1"),
    (re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*\|?[ \t]*$", re.M), ""),  # table rules
    (re.compile(r"[ \t]*\|[ \t]*"), ", "),  # cells
    (re.compile(r"<(?:/?[A-Za-z][A-Za-z0-9]{0,30}(?:\s[^<>]*)?/?|!--[^<>]*--)>"), " "),  # tags
    (re.compile(r"(?<!\S)[:;=]'?-?[)(DPp|](?=\s|$)"), " "),  # emoticons
    (re.compile(r"\[\[|\]\]"), " "),  # Piper would take what is between for phonemes
)
_PUNCTUATION = str.maketrans({
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'",
    "…": "...", "―": "—", "‐": "-", "‑": "-", "⁄": "/", "∕": "/",
    "\u2028": "\n", "\u2029": "\n\n", "\u000b": "\n", "\u000c": "\n\n", "\u0085": "\n", "\t": " ",
})  # fmt: skip
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_KEPT_SYMBOLS = frozenset("−⁺⁻%‰&@#+=<>°§±×÷√∞~^|©®™№²³½¼¾≤≥≠≈→⇒")
"""Symbols that have a name; those of currencies have one too."""
_JOINERS = frozenset("\u200c\u200d")
"""Zero width non-joiner and joiner: between letters they are part of Persian and Indic spelling."""
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u061c\u180e\u2060\u2061\u2062\u2063\u2064\ufeff"))
"""Soft hyphens, word joiners and the like stand within words, which they must not part."""
_NO_SPACE_AFTER_STOP = re.compile(
    r"(?<!\S)(?P<before>[\"'(]*[^\W\d_][^\W\d_'-]*)(?P<mark>[.!?][\"')\]]?)(?P<after>[^\W\d_][^\W\d_'-]*)(?=[\s.,;:!?\"')]|$)"
)
_MULTIPLE_MARKS = re.compile(r"([!?.,;:])\1{3,}")
_SPACES = re.compile(r"[ \t]+")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def _kept(text: str) -> str:
    """Return `text` with a space for each character that is not read: emoji, control, private, unassigned."""
    out: list[str] = []
    after_letter = False
    for character in text:
        kind = unicodedata.category(character)[0]
        joins = character in _JOINERS and after_letter
        kept = joins or character == "\n" or _has_name(character) or kind in "LMNPZ"
        if 0xFE00 <= ord(character) <= 0xFE0F or (character in _JOINERS and not joins):
            continue  # variation selectors and joiners within emoji
        out.append(character if kept else " ")
        after_letter = kind in "LM"
    return "".join(out)


def _has_name(symbol: str) -> bool:
    return symbol in _KEPT_SYMBOLS or unicodedata.category(symbol) == "Sc"


def _parted(match: re.Match[str]) -> str:
    """Part two sentences that are written without a space; "example.Com" and "Console.WriteLine" are names."""
    before, mark, after = match.group("before", "mark", "after")
    begins = after[0].isupper() and (after[1:].islower() or after in {"I", "A"})
    if begins and (mark != "." or before.lstrip("\"'(").islower() or after.lower() in STARTERS):
        return f"{before}{mark} {after}"
    return match[0]


def clean(text: str) -> str:
    """Return `text` as it is to be read aloud: compatible, without markup, entities, emoji and control characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE).translate(_PUNCTUATION)
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    text = compatible(_ENTITY.sub(lambda match: html.unescape(match[0]).translate(_PUNCTUATION), text))
    text = _MULTIPLE_MARKS.sub(r"\1\1\1", _NO_SPACE_AFTER_STOP.sub(_parted, _kept(text)))
    return _BLANK_LINES.sub("\n\n", _SPACES.sub(" ", text)).strip()


def is_speakable(text: str) -> bool:
    """Tell whether anything in cleaned `text` can be heard: a letter, a digit or a symbol that has a name."""
    return any(character.isalnum() or _has_name(character) for character in text)


def clean_for_speech(text: str) -> str:
    """Return cleaned `text`, which is empty if there is no word in it; raises InvalidRequest(param="input") for none.

    Voice assistants send an answer line by line, and a line may be "---" or an emoji: that is a silence, not an error.
    """
    if not text.strip():
        raise InvalidRequest("the input is empty", hint="give at least one word", param="input")
    cleaned = clean(text)
    return cleaned if is_speakable(cleaned) else ""
