"""Converts whisper's tokens into text, words and log-probabilities. Pure; times are hundredths of a second."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from slimvoice.speech import TokenLogprob, Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue", "bo", "km"})
"""Languages written without spaces: each character is a word (OpenAI's rule, whisper/tokenizer.py)."""
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
    tokens: Sequence[Token], language: str, to_file_s: Callable[[int, int], tuple[float, float]]
) -> tuple[Word, ...]:
    """Merge tokens into words.

    `to_file_s(start, end)` translates hundredths of a second in the window to seconds of the file. Words begin at a
    space, or at each character where the language has none; punctuation goes with its neighbour.
    """
    found: list[Word] = []
    for unit in _merged(_characters(tokens), unspaced=language in UNSPACED):
        text = unit.text.strip()
        if not text:
            continue
        start_s, end_s = to_file_s(min(token.start for token in unit.tokens), max(token.end for token in unit.tokens))
        if found:
            start_s = max(start_s, found[-1].end_s)
        probability = sum(token.probability for token in unit.tokens) / len(unit.tokens)
        found.append(Word(text=text, start_s=start_s, end_s=max(start_s, end_s), probability=probability))
    return tuple(found)


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
