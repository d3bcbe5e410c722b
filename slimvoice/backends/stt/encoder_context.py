"""How much of its 30 seconds whisper's encoder has to look at. Pure.

The encoder always computes over `audio_ctx` positions of 20 ms, 1500 by default, however short the audio: a spoken
command pays for half a minute. A smaller `audio_ctx` is known to damage the text. The reason is whisper.cpp's flash
attention, which rounds keys up to a multiple of 256 positions and does not mask what it adds: at 1500 that is 36
positions of zeros, at 300 it is 212, and after a run with another length they hold that run's audio. A multiple of 256
adds nothing, and the text stays as it was: measured in docs of scripts/wer. So windows are at most 1280 positions
(25.6 s), and every run takes the multiple of 256 that holds its audio.
"""

from __future__ import annotations

import math

from slimvoice.backends.stt import segments

POSITIONS_PER_S = 50
STEP = 256
LONGEST = 1280
"""The largest multiple of 256 below whisper's 1500."""
MARGIN = 40
"""Positions of silence kept after the audio: without any, words are lost or said twice (0.8 s)."""
LONGEST_S = (LONGEST - MARGIN) / POSITIONS_PER_S
"""Seconds of audio that fit (24.8)."""

MIN_LOGPROB = -0.8
MAX_COMPRESSION = 2.4
MAX_TOKENS_PER_S = 12.0


def audio_ctx(duration_s: float) -> int:
    """Return the positions for a window of `duration_s`."""
    needed = math.ceil(duration_s * POSITIONS_PER_S) + MARGIN
    return min(LONGEST, math.ceil(needed / STEP) * STEP)


def max_tokens(duration_s: float) -> int:
    """Return how many tokens a window can hold at most; bounds what a decoder gone wild may cost.

    The densest real text of ../shared/speech has 7 tokens a second.
    """
    return 30 + round(20 * duration_s)


def trustworthy(text: str, n_tokens: int, mean_logprob: float, duration_s: float) -> bool:
    """Return whether what a short context heard may stand, or has to be heard again with the longest."""
    return (
        bool(text.strip())
        and mean_logprob >= MIN_LOGPROB
        and n_tokens <= 4 + MAX_TOKENS_PER_S * duration_s
        and segments.compression_ratio(text) <= MAX_COMPRESSION
    )
