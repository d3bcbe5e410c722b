"""Marks as espeak-ng pauses at them: dashes, ellipses, ends of lines and the marks of other scripts."""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import re

from slimvoice.text.normalization.rule import Rule

RULES: tuple[Rule, ...] = (
    (re.compile(r"(^|\n)(\d{1,3}|[A-Za-z])\)[ \t]+"), r"\1\2. "),
    (re.compile(r"(?<=\w)\s+[•·|](?=\s|$)\s*"), ", "),
    (re.compile(r"([.,!?;:…。！？；，、।؟][\"')\]]*)[ \t]*\n\s*"), r"\1 "),
    (re.compile(r"\s*\n\s*"), ". "),
    (re.compile(r"[.,;:]?\s*(?:—|(?<=\w)--+(?=\w)|(?<=\s)--+(?=\s))\s*"), " — "),
    (re.compile(r"(?<=[^\W\d_]) - (?=[^\W\d_])"), " — "),
    (re.compile(r"\s*(?:-{1,3}>|=>|→|⇒)\s*"), ", "),
    (re.compile(r"\.{3,}\s*(?=[^\W\d_])"), "; "),
    (re.compile(r"(?<=\d)\.{2,}(?=\d)"), " — "),
    (re.compile(r"(?<=[^\W\d_])([,;])(?=[^\W\d_])"), r"\1 "),
)
MARKS = str.maketrans({
    "。": ". ", "．": ". ", "｡": ". ", "，": ", ", "、": ", ", "！": "! ", "？": "? ", "；": "; ", "：": ": ",
    "।": ". ", "॥": ". ", "؟": "? ", "،": ", ", "؛": "; ", "۔": ". ", "−": "-",
})  # fmt: skip
"""espeak-ng makes no pause at these."""
