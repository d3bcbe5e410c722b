"""The prompt tokens of a window: keywords, the client's prompt, and the transcript so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

FORGET_ABOVE = 0.5
"""Text decoded at a higher temperature is no guide for what follows (OpenAI's transcribe.py)."""


class Tokenizer(Protocol):
    """The part of WhisperContext a prompt needs."""

    @property
    def max_prompt_tokens(self) -> int:
        """Tokens a prompt may have."""
        ...

    @property
    def eot(self) -> int:
        """First token that is not text."""
        ...

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return text tokens."""
        ...


class Prompt:
    """The client's prompt and keywords stay for every window; the end of what was said follows them.

    `carried` is how many tokens of what was said are told: a few keep sentences whole over a cut, many make whisper
    slow and let one mistake breed the next.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: str, keywords: Sequence[str], carried: int) -> None:
        self._eot = tokenizer.eot
        self._carried = carried
        self._room = tokenizer.max_prompt_tokens
        listed = ", ".join(word.strip() for word in keywords if word.strip())
        said = [f" {prompt.strip()}"] if prompt.strip() else []
        said += [f" {listed}."] if listed else []
        self._asked: tuple[int, ...] = tuple(token for text in said for token in tokenizer.tokenize(text))
        self._said: tuple[int, ...] = ()

    def tokens(self) -> tuple[int, ...]:
        """Return the tokens for the next window; of an overlong prompt the end counts, as in whisper."""
        return self._asked[-(self._room - len(self._said)) :] + self._said

    def add(self, tokens: Sequence[int], temperature: float) -> None:
        """Remember what a window said, unless it was a wild guess."""
        text = tuple(token for token in tokens if token < self._eot)
        self._said = text[-self._carried :] if self._carried and temperature <= FORGET_ABOVE else ()
