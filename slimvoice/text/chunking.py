"""Cuts text into chunks that are synthesized one at a time: the first short, for low latency.

A chunk is a sentence, several very short ones, or a part of a long one, cut where a reader would breathe.
"""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from slimvoice.text.sentences import sentences

Boundary = Literal["end", "paragraph", "sentence", "clause", "word"]
"""What follows a chunk, and so how long the pause after it is."""

CHUNK_LIMITS = (90, 160, 240)
"""Longest first, second and any later chunk in letters: each plays while the next, longer one is made.

240 letters are some 15 seconds; that bounds how long a step may keep other jobs waiting.
"""
SHORTEST = 40
"""Shorter sentences join their neighbour: voices speak very short chunks unsteadily."""

_PARAGRAPH = re.compile(r"\n\s*\n")
_CLAUSE = re.compile(r"[,;:،؛]\s+|\s+[—–-]\s+|—|[，、；：]|[.!?…][\"')\]’”»]*\s+")
_CONJUNCTION = re.compile(
    r"\s+(?=(?:and|but|or|so|because|which|who|that|while|when|where|if|although|though|unless|until|before|after|"
    r"with|without|for|from|in|on|at|to|und|oder|aber|weil|dass|wenn|et|ou|mais|que|qui|y|o|pero|porque|e|ma|che|"
    r"mas|и|но|что)\s)"
)
_SPACE = re.compile(r"\s+")
_LOOK_AHEAD = 16


class TextChunk(msgspec.Struct, frozen=True):
    """Text to synthesize in one go, and the boundary that follows it."""

    text: str
    boundary: Boundary


def letter_count(text: str) -> int:
    """Return the length of `text` in letters; an ideograph or kana takes the time of about three."""
    return sum(3 if ord(character) > 0x2E7F else 1 for character in text)


def cut(sentence: str, limit: int) -> tuple[str, str, Boundary]:
    """Cut a part of at most about `limit` letters off `sentence`; the rest is empty if it fits.

    The last clause boundary within the limit is taken, else a conjunction or preposition, else a space, and
    within a run without spaces the limit itself.
    """
    characters = _fitting(sentence, limit)
    if characters == len(sentence):
        return sentence, "", "sentence"
    window = sentence[: characters + _LOOK_AHEAD]
    floor = max(1, characters // 4)
    choices: tuple[tuple[re.Pattern[str], Boundary], ...] = (
        (_CLAUSE, "clause"),
        (_CONJUNCTION, "word"),
        (_SPACE, "word"),
    )
    for pattern, boundary in choices:
        positions = [match.end() for match in pattern.finditer(window) if floor <= match.end() <= characters]
        if positions and len(sentence) - positions[-1] > 1:
            return sentence[: positions[-1]].strip(), sentence[positions[-1] :].strip(), boundary
    return sentence[:characters], sentence[characters:], "word"


def _fitting(text: str, limit: int) -> int:
    """Return how many characters of `text` are at most `limit` letters long; one at least."""
    length = 0
    for count, character in enumerate(text):
        length += letter_count(character)
        if length > limit:
            return max(1, count)
    return len(text)


def _joined(paragraph: str) -> Iterator[str]:
    """Yield the sentences of a paragraph, very short ones joined with what follows them."""
    held = ""
    for sentence in sentences(paragraph):
        held = f"{held} {sentence}" if held else sentence
        if letter_count(held) >= SHORTEST:
            yield held
            held = ""
    if held:
        yield held


def chunk_text(text: str, limits: Sequence[int] = CHUNK_LIMITS) -> Iterator[TextChunk]:
    """Yield the chunks of `text` in order; the last one's boundary is `end`.

    `limits` are the longest lengths of the first chunks in letters, the last of them that of all others.
    """
    early = list(limits[:-1])
    held: TextChunk | None = None
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _joined(paragraph):
            rest = _SPACE.sub(" ", sentence)
            while rest:
                if held is not None:
                    yield held
                part, rest, boundary = cut(rest, early.pop(0) if early else limits[-1])
                held = TextChunk(part, boundary if rest else "sentence")
        if held is not None:
            held = TextChunk(held.text, "paragraph")
    if held is not None:
        yield TextChunk(held.text, "end")
