"""How much of its 30 seconds whisper's encoder has to look at. Pure.

The encoder always computes over `audio_ctx` positions of 20 ms, 1500 by default, however short the audio: a spoken
command pays for half a minute. A smaller `audio_ctx` alone damages the text: the silence that is cut off took most of
attention's weight, in the encoder and in the decoder.

So our build of whisper.cpp (docker/steps/whisper.patch) encodes half a minute of silence once and keeps the keys and
values of every fourth position. A window computes the positions that hold its audio, in steps of 32, and attends to
those of silence too, each with the weight of four. 60 English clips under 9 s in whisper.cpp (q8_0, tiny in 16 bits;
Zen 3, 2026-11-27): words wrong in percent, (texts unlike the full context's), CPU to the full context's:

           full context    with silence       multiples of 256, doubtful texts heard again
  tiny     5.2             4.7 (4), 0.26      4.7 (6), 0.63: 25 heard again
  base     2.4             3.1 (5), 0.19      2.3 (2), 0.26: 3 heard again
  base.en  2.4             2.3 (1), 0.18      3.2 (9), 0.26: 3 heard again

With silence no text ran on, none was said twice and none was doubtful. What differs are words on the brink ("the letter
used", "the letter U's"), as a mere change of gain makes others differ (../shared/SILENCE.md): base's 0.65 points are
four words of 619. The clips that differ are the same with twice the margin and, on base, with a gain that brings each
clip to the level of the silence; every position of silence in place of a fourth does not mend the worst of them. Other
languages, base, 18 clips in eight of them, cut in mid-sentence after 2 to 3 s: 12.2 % of characters unlike the full
context's, 3.2 after 7 doubtful texts were heard again (multiples of 256: 15.0, and 5.8 after 8). Under Home Assistant's
prompt, clips under 4 s: base.en, 41 clips, 2.8 % of words wrong, as with the full context, and the same texts; base, 36
clips, 4.2 against 2.5, two texts differ ("one 2 3" for "123"), and none is said twice (multiples of 256: 6.7 and 89,
checked 2.8 and 3.8 by hearing 55 of the 77 again; with silence 8). So all models and languages, prompted or not, hear
this way windows of up to 11 s, and what is not trustworthy again with the full context. Hardly measured: windows of 9
to 11 s (tiny, eight clips: 4.8 against 4.3 %, multiples of 256 4.8). Not at all: larger models, and windows of 11 to
20 s, which stay with multiples of 256 therefore.

The wheel has no such silence. Its flash attention rounds keys up to a multiple of 256 positions and does not mask what
it adds, so only multiples of 256 are used, up to 1024, where that was measured to cost no words, and their text is
checked in the same way (`trustworthy`, `outlasts`). Words wrong in 30 English clips under 3 s, full context against a
short one so checked (benchmarks/RESULTS.md): base 3.7 against 3.2 %, a sixth of the work; base.en 3.7 against 7.4.
Under Home Assistant's prompt base has 18.6 % unchecked, and 3.7 checked by hearing more than half of the clips twice,
so whoever is told a prompt hears a short clip with the full context at once. Hence SHORTEST_S.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from slimvoice.backends.whisper_cpp import segments

POSITIONS_PER_S = 50
STEP = 256
SHORTEST_S = 3.0
"""Shorter windows are heard with the full context by English-only models, and by all that are told a prompt."""
LONGEST = 1024
"""The longest short context: the next would save a sixth of the work only."""
FULL = 0
"""Stands for all 1500 positions."""
MARGIN = 40
"""Positions of silence kept after the audio: without any, words are lost or said twice (0.8 s)."""
STEP_IN_SILENCE, SHORTEST_IN_SILENCE = 32, 64
"""With silence to attend to, nothing has to be a multiple of 256."""
LONGEST_IN_SILENCE_S = 11.0
"""The longest windows that were judged by their words; what is longer takes multiples of 256, as before."""
MARGIN_IN_SILENCE = 20
"""0.4 s; with twice as much the same texts differ from the full context's."""

MIN_LOGPROB, MIN_LOGPROB_TRANSLATED = -0.8, -1.5
"""Right translations of spoken commands have a mean of -1.1, wrong ones -2.1 (whisper:base); so whisper.cpp's own
threshold for a fallback is no higher."""
MIN_LOGPROB_OF_FOUR, MIN_LOGPROB_OF_FOUR_TRANSLATED = -1.2, -1.9
"""Four tokens in a row that are less likely: words made up where the audio ends, or a name worth another look."""
MAX_COMPRESSION = 2.4
MAX_TOKENS_PER_S = 12.0
REPEATED, LONG_REPEAT = 0.3, 24
"""A run of letters that comes twice is a repetition from this share of all letters on, or from this many letters."""

OVERRUN_S = 1.0
"""How much later than the audio the last segment may end. Times are rounded up to seconds; of 358 English runs with the
full context none ended later, of 174 of tiny's with a short one 121, and hearing those again saves words."""


def audio_ctx(duration_s: float, *, multilingual: bool, prompted: bool) -> int:
    """Return the positions for a window of `duration_s`, or FULL."""
    if duration_s < SHORTEST_S and (prompted or not multilingual):
        return FULL
    needed = math.ceil((math.ceil(duration_s * POSITIONS_PER_S) + MARGIN) / STEP) * STEP
    return needed if needed <= LONGEST else FULL


def audio_ctx_in_silence(duration_s: float) -> int:
    """Return the positions for a window of `duration_s` that attends to silence beside them; FULL: it is too long."""
    if duration_s > LONGEST_IN_SILENCE_S:
        return FULL
    positions = math.ceil(duration_s * POSITIONS_PER_S) + MARGIN_IN_SILENCE
    needed = math.ceil(positions / STEP_IN_SILENCE) * STEP_IN_SILENCE
    return max(SHORTEST_IN_SILENCE, needed)


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


def outlasts(end_s: float, duration_s: float) -> bool:
    """Return whether text that ends at `end_s` of its window goes on after the audio."""
    return end_s > duration_s + OVERRUN_S


def trustworthy(text: str, logprobs: Sequence[float], duration_s: float, *, translated: bool = False) -> bool:
    """Return whether a short context's result can be trusted, by its text and its tokens' log-probabilities."""
    if not text.strip() or not logprobs or repeats_itself(text):
        return False
    fours = [fmean(logprobs[i : i + 4]) for i in range(max(1, len(logprobs) - 3))]
    return (
        fmean(logprobs) >= (MIN_LOGPROB_TRANSLATED if translated else MIN_LOGPROB)
        and min(fours) >= (MIN_LOGPROB_OF_FOUR_TRANSLATED if translated else MIN_LOGPROB_OF_FOUR)
        and len(logprobs) <= 4 + MAX_TOKENS_PER_S * duration_s
        and segments.compression_ratio(text) <= MAX_COMPRESSION
    )
