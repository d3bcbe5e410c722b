"""What whisper is told before a window: keywords, the client's prompt, and what was said so far."""

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
    """Keywords stay for every window; the client's prompt and then the transcript fill the rest, newest last."""

    def __init__(self, tokenizer: Tokenizer, prompt: str, keywords: Sequence[str], carry_text: bool) -> None:
        self._eot = tokenizer.eot
        self._carry_text = carry_text
        self._room = tokenizer.max_prompt_tokens
        listed = ", ".join(word.strip() for word in keywords if word.strip())
        self._keywords = tokenizer.tokenize(f" {listed}.")[: self._room // 2] if listed else ()
        self._history: list[int] = list(tokenizer.tokenize(f" {prompt.strip()}")) if prompt.strip() else []

    def tokens(self) -> tuple[int, ...]:
        """Return the tokens for the next window."""
        room = self._room - len(self._keywords)
        return self._keywords + tuple(self._history[-room:])

    def add(self, tokens: Sequence[int], temperature: float) -> None:
        """Remember what a window said; a wild guess makes everything forgotten."""
        if not self._carry_text or temperature > FORGET_ABOVE:
            self._history.clear()
            return
        self._history.extend(token for token in tokens if token != self._eot)
        del self._history[: -self._room]
