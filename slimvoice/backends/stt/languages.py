"""The language of a recording: what the client calls it, or what whisper finds. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from slimvoice.errors import InvalidRequest, Unsupported
from slimvoice.text.languages import language_code

SURE = 0.5
"""Probability from which the language stays the same for the rest of a recording."""


def known_language(asked: str, known: Container[str]) -> str:
    """Return whisper's code of the language `asked` for: `en`, `English`, `en-US`, `zh_Hans_CN`.

    `known` holds the model's codes. Raises InvalidRequest: whisper.cpp itself would silently guess.
    """
    code = language_code(asked)
    if code is None or code not in known:
        raise InvalidRequest(
            f"the model does not know the language {asked!r}",
            hint="give an ISO 639-1 code such as en, de or ja, or leave it out to detect the language",
            param="language",
        )
    return code


def check_english_only(language: str | None, task: str, model: str) -> None:
    """Raise Unsupported for what an English-only model cannot do."""
    hint = f"use the multilingual model ({model.removesuffix('.en')})" if model.endswith(".en") else ""
    if task == "translate":
        raise Unsupported(f"{model} knows English only and cannot translate", hint=hint, param="model")
    if language not in (None, "en"):
        raise Unsupported(f"{model} knows English only", hint=hint, param="language")


@dataclass
class UsualLanguage:
    """What was last found: the best guess for the next recording, as guessing right saves a run of the encoder."""

    code: str = "en"


class SpokenLanguage:
    """The language of one recording: asked for, or found in the first window that leaves little doubt."""

    def __init__(self, asked: str | None, candidates: frozenset[str], usual: UsualLanguage) -> None:
        if asked is None and len(candidates) == 1:
            (asked,) = candidates
        self._settled = asked is not None
        self._candidates = candidates
        self._usual = usual
        guess = usual.code if not candidates or usual.code in candidates else min(candidates)
        self.code = asked or guess
        """What to assume for the next window."""
        self.found = asked or ""
        """What has been asked for or found so far; empty before anything was heard."""
        self.probability = 1.0 if asked else 0.0

    def settle(self, heard: Mapping[str, float]) -> bool:
        """Learn from the probabilities of a window; returns whether it must be heard again in another language."""
        if self._settled:
            return False
        allowed = {code: p for code, p in heard.items() if not self._candidates or code in self._candidates}
        best = max(allowed, key=lambda code: allowed[code])
        share = allowed[best] / (sum(allowed.values()) or 1.0)
        again = best != self.code
        self.code = best
        if share >= self.probability:
            self.found, self.probability = best, share
        self._settled = share >= SURE
        if self._settled:
            self._usual.code = best
        return again
