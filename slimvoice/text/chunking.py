"""Cuts text into chunks that are synthesized one at a time: the first short, for low latency.

A chunk is a sentence, several very short ones, or a part of a long one, cut where a reader would breathe.
"""
# ruff: noqa: RUF001 - the marks of many scripts are the matter here

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from slimvoice.text.lines import lines
from slimvoice.text.scripts import script_of
from slimvoice.text.sentences import is_end, sentences

Boundary = Literal["end", "paragraph", "sentence", "clause", "word"]
"""What follows a chunk, and so how long the pause after it is."""

CHUNK_LIMITS = (90, 160, 240)
"""Longest first, second and any later chunk in letters: each plays while the next, longer one is made.

240 letters are some 15 seconds; that bounds how long a step may keep other jobs waiting.
"""
SHORTEST = 40
"""Shorter sentences join their neighbour: voices speak very short chunks unsteadily."""

FIRST_SHORTEST = 10
"""Letters of a first sentence that may go alone, so that the first audio need not wait for the second sentence."""
BREATH = 8
"""Letters that could be spoken in the pause after a sentence: so much later the next chunk may come unnoticed."""
USUAL_PACE = 0.4
"""Seconds of work for a second of speech where nothing was measured yet: 82 million weights on two or three cores."""

_PARAGRAPH = re.compile(r"\n\s*\n")
_CLAUSE = re.compile(r"\n|[,;:،؛]\s+|\s+[—–-]\s+|—|[，、；：]|[.!?…][\"')\]’”»]*\s+")
_CONJUNCTION = re.compile(
    r"\s+(?=(?:and|but|or|so|because|which|who|that|while|when|where|if|although|though|unless|until|before|after|"
    r"with|without|for|from|in|on|at|to|und|oder|aber|weil|dass|wenn|et|ou|mais|que|qui|y|o|pero|porque|e|ma|che|"
    r"mas|и|но|что)\s)"
)
_SPACE = re.compile(r"\s+")
_SPACE_IN_LINE = re.compile(r"[^\S\n]+|\n(?=\n)")
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
        positions = [match.end() for match in pattern.finditer(window) if _may_cut(window, match, floor, characters)]
        if positions and len(sentence) - positions[-1] > 1:
            return sentence[: positions[-1]].strip(), sentence[positions[-1] :].strip(), boundary
    return sentence[:characters], sentence[characters:], "word"


def _may_cut(window: str, match: re.Match[str], floor: int, characters: int) -> bool:
    """Tell whether to cut after `match`: not after the full stop of an abbreviation."""
    if not floor <= match.end() <= characters:
        return False
    mark = match[0].rstrip()
    return (
        not mark or mark[0] not in ".!?…" or is_end(window[: match.start()], mark, window[match.start() + len(mark) :])
    )


def _fitting(text: str, limit: int) -> int:
    """Return how many characters of `text` are at most `limit` letters long; one at least."""
    length = 0
    for count, character in enumerate(text):
        length += letter_count(character)
        if length > limit:
            return max(1, count)
    return len(text)


def _joined(paragraph: str, pace: Callable[[], float], *, may_start: bool) -> Iterator[str]:
    """Yield the sentences of a paragraph, very short ones joined with what follows them; lines stay lines.

    With `may_start` the first may go alone if it is long enough to play while the next is made.
    """
    found = [
        (sentence, "\n" if place == 0 else " ")
        for line in lines(paragraph)
        for place, sentence in enumerate(sentences(line))
    ]
    held = ""
    for (sentence, link), (following, next_link) in zip(found, [*found[1:], ("", "")], strict=False):
        held = f"{held}{link}{sentence}" if held else sentence
        length = letter_count(held)
        starts = may_start and length >= FIRST_SHORTEST and letter_count(following) <= length / max(pace(), 0.01)
        scripts = {script_of(held), script_of(following)} - {""}  # another voice may read the next sentence
        ends_line = next_link == "\n" and length >= FIRST_SHORTEST  # its pause is longer than a mark alone makes
        if length >= SHORTEST or ends_line or len(scripts) > 1 or (starts and following):
            yield held
            held, may_start = "", False
    if held:
        yield held


def _longest_next(limit: int, pace: float, first: int, total: int) -> int:
    """Return how long the next chunk may be so that it is ready before what was made has been played.

    `first` and `total` are the letters of the first chunk, while which nothing was played, and of all so far.
    """
    ahead = total - pace * (total - first) + BREATH
    return limit if not total else max(SHORTEST, min(limit, int(ahead / max(pace, 0.01))))


def usual_pace() -> float:
    """Return the pace to plan with before any is measured."""
    return USUAL_PACE


def chunk_text(
    text: str, limits: Sequence[int] = CHUNK_LIMITS, pace: Callable[[], float] = usual_pace
) -> Iterator[TextChunk]:
    """Yield the chunks of `text` in order; the last one's boundary is `end`.

    `limits` are the longest lengths of the first chunks in letters, the last of them that of all others; `pace` is
    asked before each chunk for the seconds of work that a second of speech takes.
    """
    early = list(limits[:-1])
    held: TextChunk | None = None
    first = total = 0
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _joined(paragraph, pace, may_start=not total):
            rest = _SPACE_IN_LINE.sub(" ", sentence)
            while rest:
                if held is not None:
                    yield held
                limit = _longest_next(early.pop(0) if early else limits[-1], pace(), first, total)
                part, rest, boundary = cut(rest, limit)
                total += letter_count(part)
                first = first or total
                held = TextChunk(part, boundary if rest else "sentence")
        if held is not None:
            held = TextChunk(held.text, "paragraph")
    if held is not None:
        yield TextChunk(held.text, "end")
