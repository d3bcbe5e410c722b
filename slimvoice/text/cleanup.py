"""Cleans text for synthesis: strips markup, emoji and control characters. Pure."""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import re
import unicodedata

from slimvoice.errors import InvalidRequest

# Every repetition is bounded or stops at the next mark of its kind: hostile text costs no more than its length.
_MARKDOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.M), ""),  # fences; the code between them is read
    (re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.M), "\n"),  # rulers
    (re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+\"[^\"\n]{0,200}\")?\)"), r"\1"),  # links
    (re.compile(r"^[ \t]*#{1,6}[ \t]+([^\n]*?)[ \t#]*$", re.M), r"\n\1\n"),  # headings are paragraphs
    (re.compile(r"^[ \t]*>[ \t]?", re.M), ""),  # quotations
    (re.compile(r"^[ \t]*[-*+•·‣][ \t]+", re.M), "\n"),  # list items
    (re.compile(r"(\*\*\*|\*\*|__|~~|\*)(?=\S)([^\n]{1,300}?)(?<=\S)\1"), r"\2"),  # emphasis
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+)(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"`+([^`\n]+)`+"), r"\1"),
    (re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*\|?[ \t]*$", re.M), ""),  # table rules
    (re.compile(r"[ \t]*\|[ \t]*"), ", "),  # cells
    (re.compile(r"<(?:/?[A-Za-z][A-Za-z0-9]{0,30}(?:\s[^<>]*)?/?|!--[^<>]*--)>"), " "),  # tags
    (re.compile(r"\[\[|\]\]"), " "),  # Piper would take what is between for phonemes
)
_PUNCTUATION = str.maketrans({
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'",
    "…": "...", "―": "—", "−": "-", "‐": "-", "‑": "-", "⁄": "/", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    "\u2028": "\n", "\u2029": "\n\n", "\u000b": "\n", "\u000c": "\n\n", "\u0085": "\n", "\t": " ",
})  # fmt: skip
_KEPT_SYMBOLS = frozenset("$€£¥¢₹₽₩%‰&@#+=<>°§±×÷√∞~^|©®™№²³½¼¾")
_JOINERS = frozenset("\u200c\u200d")
"""Zero width non-joiner and joiner: between letters they are part of Persian and Indic spelling."""
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
        kept = joins or character == "\n" or character in _KEPT_SYMBOLS or kind in "LMNPZ"
        if 0xFE00 <= ord(character) <= 0xFE0F or (character in _JOINERS and not joins):
            continue  # variation selectors and joiners within emoji
        out.append(character if kept else " ")
        after_letter = kind in "LM"
    return "".join(out)


def clean(text: str) -> str:
    """Return `text` as it is to be read aloud: NFC, without markup, emoji and control characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_PUNCTUATION)
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    text = _MULTIPLE_MARKS.sub(r"\1\1\1", _kept(text))
    return _BLANK_LINES.sub("\n\n", _SPACES.sub(" ", text)).strip()


def is_speakable(text: str) -> bool:
    """Tell whether anything in cleaned `text` can be heard: a letter, a digit or a symbol that has a name."""
    return any(character.isalnum() or character in _KEPT_SYMBOLS for character in text)


def clean_for_speech(text: str) -> str:
    """Return cleaned `text`; raises InvalidRequest(param="input") when nothing in it can be spoken."""
    cleaned = clean(text)
    if not is_speakable(cleaned):
        raise InvalidRequest(
            "the input has nothing that can be spoken" if text.strip() else "the input is empty",
            hint="give at least one word",
            param="input",
        )
    return cleaned
