"""Word timestamps of synthesized speech, from the duration the model gave every phoneme. Pure.

espeak-ng runs words together ("of the" is one) and says figures as several, so the words' own phonemes are aligned
with the phonemes that were spoken, by edit distance.
"""

from __future__ import annotations

from collections.abc import Sequence

from slimvoice.speech import Word

_NO_SOUND = frozenset("ˈˌːʲ_^$ ")
"""Stress and length differ between a word alone and in its sentence."""


def _sounds(phonemes: Sequence[str]) -> list[int]:
    """Return the indices of phonemes that are sounds, not punctuation or stress."""
    return [index for index, phoneme in enumerate(phonemes) if phoneme not in _NO_SOUND and phoneme.isalpha()]


def word_times(
    words: Sequence[tuple[str, Sequence[str]]], model_phonemes: Sequence[str], edges_s: Sequence[float]
) -> tuple[Word, ...]:
    """Return `words` (text, phonemes) on the clock of `edges_s`, phoneme i lasting from edge i to i+1.

    A word without a sound of its own ("—") has no entry.
    """
    sounding = _sounds(model_phonemes)
    expected = [(number, phonemes[i]) for number, (_, phonemes) in enumerate(words) for i in _sounds(phonemes)]
    pairs = _aligned([phoneme for _, phoneme in expected], [model_phonemes[index] for index in sounding])
    spans: dict[int, tuple[int, int]] = {}
    for left, right in pairs:
        number, position = expected[left][0], sounding[right]
        first, _ = spans.get(number, (position, position))
        spans[number] = (first, position)
    return tuple(
        Word(text=text, start_s=edges_s[spans[number][0]], end_s=edges_s[spans[number][1] + 1])
        for number, (text, _) in enumerate(words)
        if number in spans
    )


def _aligned(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Return index pairs of the cheapest alignment (Levenshtein), equal and substituted phonemes alike."""
    rows = [list(range(len(right) + 1))]
    for i, phoneme in enumerate(left, 1):
        above, row = rows[-1], [i]
        for j, other in enumerate(right):
            change = above[j] + (phoneme != other)
            row.append(min(change, above[j + 1] + 1, row[j] + 1))
        rows.append(row)
    pairs: list[tuple[int, int]] = []
    i, j = len(left), len(right)
    while i and j:
        if rows[i][j] == rows[i - 1][j - 1] + (left[i - 1] != right[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
