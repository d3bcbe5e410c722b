"""The language of a recording: requested by the client, or detected by whisper. Pure."""

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
class LikelyLanguage:
    """The language last detected: the first guess for the next recording, as a right guess saves an encoder run."""

    code: str = "en"


class RecordingLanguage:
    """The language of one recording: requested, or detected in the first window with enough confidence."""

    def __init__(self, asked: str | None, candidates: frozenset[str], likely: LikelyLanguage) -> None:
        if asked is None and len(candidates) == 1:
            (asked,) = candidates
        self._settled = asked is not None
        self._candidates = candidates
        self._likely = likely
        guess = likely.code if not candidates or likely.code in candidates else min(candidates)
        self.code = asked or guess
        """What to assume for the next window."""
        self.found = asked or ""
        """What has been asked for or found so far; empty before anything was heard."""
        self.probability = 1.0 if asked else 0.0

    def update(self, probabilities: Mapping[str, float]) -> bool:
        """Take in a window's language probabilities; returns whether it must be decoded again in another language."""
        if self._settled:
            return False
        allowed = {code: p for code, p in probabilities.items() if not self._candidates or code in self._candidates}
        best = max(allowed, key=lambda code: allowed[code])
        share = allowed[best] / (sum(allowed.values()) or 1.0)
        again = best != self.code
        self.code = best
        if share >= self.probability:
            self.found, self.probability = best, share
        self._settled = share >= SURE
        if self._settled:
            self._likely.code = best
        return again
