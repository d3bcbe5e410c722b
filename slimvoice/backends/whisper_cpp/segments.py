"""Converts whisper's tokens into text, words and log-probabilities. Pure; times are hundredths of a second."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from slimvoice.speech import TokenLogprob, Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue", "bo", "km"})
"""Languages written without spaces: each character is a word (OpenAI's rule, whisper/tokenizer.py)."""
LEAST_S = 0.02
"""Shortest word and segment: whisper's own step of time."""
_NOTES = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪")
_OPENING = frozenset("\"'“¿([{-«‹„「『（【")  # noqa: RUF001
_CLOSING = frozenset("\"'.。,，!！?？:：;；”’)]}、»›」』）】%")  # noqa: RUF001


@dataclass(frozen=True)
class Token:
    """One text token; `start` and `end` are hundredths of a second in the window."""

    id: int
    data: bytes
    probability: float
    logprob: float
    start: int
    end: int


@dataclass
class _Unit:
    """Tokens that make whole characters together."""

    data: bytes = b""
    tokens: list[Token] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


def joined(tokens: Iterable[Token]) -> str:
    """Return the text of tokens; characters may be spread over several of them."""
    return b"".join(token.data for token in tokens).decode(errors="replace")


def has_words(text: str) -> bool:
    """Return whether text is more than blank, or a note such as `[BLANK_AUDIO]`, `(music)`, `*sighs*`, `♪`."""
    return bool(_NOTES.sub("", text).strip(" .♪-–"))  # noqa: RUF001


def compression_ratio(text: str) -> float:
    """Return how well text compresses (OpenAI's measure): above 2.4 it repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def mean_logprob(tokens: Sequence[Token]) -> float:
    """Return the mean natural-log probability of tokens."""
    return sum(token.logprob for token in tokens) / len(tokens) if tokens else 0.0


def logprobs(tokens: Iterable[Token]) -> tuple[TokenLogprob, ...]:
    """Return what OpenAI's `include[]=logprobs` shows."""
    return tuple(
        TokenLogprob(token=token.data.decode(errors="replace"), bytes=token.data, logprob=token.logprob)
        for token in tokens
    )


def words(
    tokens: Sequence[Token],
    language: str,
    to_file_s: Callable[[int, int], tuple[float, float]],
    bounds_s: tuple[float, float] = (0.0, math.inf),
) -> tuple[Word, ...]:
    """Merge tokens into words, which follow one another within `bounds_s` and last `LEAST_S` each.

    `to_file_s(start, end)` translates hundredths of a second in the window to seconds of the file. Words begin at a
    space, or at each character where the language has none; punctuation goes with its neighbour.
    """
    units = [unit for unit in _merged(_characters(tokens), unspaced=language in UNSPACED) if unit.text.strip()]
    spans = [to_file_s(min(t.start for t in unit.tokens), max(t.end for t in unit.tokens)) for unit in units]
    return tuple(
        Word(
            text=unit.text.strip(),
            start_s=start_s,
            end_s=end_s,
            probability=sum(token.probability for token in unit.tokens) / len(unit.tokens),
        )
        for unit, (start_s, end_s) in zip(units, lasting(spans, bounds_s), strict=True)
    )


def lasting(spans: Sequence[tuple[float, float]], bounds_s: tuple[float, float]) -> list[tuple[float, float]]:
    """Return spans (seconds) that follow one another, each `LEAST_S` long at least: whisper gives some no time at all.

    They stay within `bounds_s` where these have room for all; else they share what room there is.
    """
    first_s, last_s = bounds_s
    least_s = min(LEAST_S, max(0.001, (last_s - first_s) / max(1, len(spans))))
    forward: list[tuple[float, float]] = []
    at_s = first_s
    for start_s, end_s in spans:
        begin_s = max(start_s, at_s)
        at_s = max(end_s, begin_s + least_s)
        forward.append((begin_s, at_s))
    backward: list[tuple[float, float]] = []
    at_s = max(last_s, first_s + least_s * len(spans))
    for start_s, end_s in reversed(forward):
        stop_s = min(end_s, at_s)
        at_s = min(start_s, stop_s - least_s)
        backward.append((round(at_s, 3), round(stop_s, 3)))
    return backward[::-1]


def _characters(tokens: Iterable[Token]) -> list[_Unit]:
    """Join tokens that hold parts of one UTF-8 character."""
    units: list[_Unit] = []
    whole = True
    for token in tokens:
        if whole:
            units.append(_Unit())
        unit = units[-1]
        unit.data += token.data
        unit.tokens.append(token)
        try:
            unit.data.decode()
            whole = True
        except UnicodeDecodeError as error:
            whole = error.reason != "unexpected end of data"
    return units


def _merged(units: Iterable[_Unit], *, unspaced: bool) -> list[_Unit]:
    merged: list[_Unit] = []
    opening = False
    for unit in units:
        text = unit.text.strip()
        closing = bool(text) and all(character in _CLOSING for character in text) and not unit.data.startswith(b" ")
        begins = unit.data.startswith(b" ") or (unspaced and not (merged and _same_latin_word(merged[-1], unit)))
        if not merged or (begins and not closing and not opening):
            merged.append(_Unit())
        merged[-1].data += unit.data
        merged[-1].tokens.extend(unit.tokens)
        opening = bool(text) and all(character in _OPENING for character in text) and (begins or len(merged) == 1)
    return merged


def _same_latin_word(before: _Unit, unit: _Unit) -> bool:
    return before.data[-1:].isalnum() and unit.data[:1].isalnum()
