"""How much of its 30 seconds whisper's encoder has to look at. Pure.

The encoder always computes over `audio_ctx` positions of 20 ms, 1500 by default, however short the audio: a spoken
command pays for half a minute. A smaller `audio_ctx` is known to damage the text. The reason is whisper.cpp's flash
attention, which rounds keys up to a multiple of 256 positions and does not mask what it adds: at 1500 that is 36
positions of zeros, at 300 it is 212, and after a run with another length they hold that run's audio. A multiple of 256
adds nothing, and the text stays as it was (scripts/wer). So a run takes the
multiple of 256 that holds its audio, up to 1024; longer windows, and those a short run has not heard well, take the
full context, in a state that holds nothing of shorter runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from slimvoice.backends.whisper_cpp import segments

POSITIONS_PER_S = 50
STEP = 256
LONGEST = 1024
"""The longest short context: the next would save a sixth of the work only."""
FULL = 0
"""Stands for all 1500 positions."""
MARGIN = 40
"""Positions of silence kept after the audio: without any, words are lost or said twice (0.8 s)."""

MIN_LOGPROB = -0.8
MIN_LOGPROB_OF_FOUR = -1.2
"""Four tokens in a row that are less likely: words made up where the audio ends, or a name worth another look."""
MAX_COMPRESSION = 2.4
MAX_TOKENS_PER_S = 12.0
REPEATED, LONG_REPEAT = 0.3, 24
"""A run of letters that comes twice is a repetition from this share of all letters on, or from this many letters."""


def audio_ctx(duration_s: float) -> int:
    """Return the positions for a window of `duration_s`, or FULL."""
    needed = math.ceil((math.ceil(duration_s * POSITIONS_PER_S) + MARGIN) / STEP) * STEP
    return needed if needed <= LONGEST else FULL


def max_tokens(duration_s: float) -> int:
    """Return how many tokens a window can hold at most; bounds what a decoder gone wild may cost.

    The densest real text of ../shared/speech has 7 tokens a second.
    """
    return 30 + round(20 * duration_s)


def repeats_itself(text: str) -> bool:
    """Return whether a good part of the text comes twice, whatever the case, the punctuation and what lies between.

    A short context writes a command twice, and likely enough to pass every other check. Some speakers do say a thing
    twice: the full context hears that as well.
    """
    letters = "".join(character for character in text.casefold() if character.isalnum())
    length = max(1, min(LONG_REPEAT, math.ceil(REPEATED * len(letters))))
    return any(letters[i : i + length] in letters[i + length :] for i in range(len(letters) - 2 * length + 1))


def trustworthy(text: str, logprobs: Sequence[float], duration_s: float) -> bool:
    """Return whether a short context's result can be trusted, by its text and its tokens' log-probabilities."""
    if not text.strip() or not logprobs or repeats_itself(text):
        return False
    fours = [fmean(logprobs[i : i + 4]) for i in range(max(1, len(logprobs) - 3))]
    return (
        fmean(logprobs) >= MIN_LOGPROB
        and min(fours) >= MIN_LOGPROB_OF_FOUR
        and len(logprobs) <= 4 + MAX_TOKENS_PER_S * duration_s
        and segments.compression_ratio(text) <= MAX_COMPRESSION
    )
