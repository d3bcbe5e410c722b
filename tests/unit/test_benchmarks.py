"""The arithmetic of scripts/bench."""

from __future__ import annotations

import pytest

from benchmarks import judged
from benchmarks.figures import Figures, percentile, shown

PART = "speech to text"


def figures(**samples):
    filled = Figures()
    for subject, values in samples.items():
        for value in values:
            filled.add(PART, "11 s: wall", value, "s", subject.replace("_", "-"))
    return filled


def test_ratio_of_paired_samples_is_their_median_ratio():
    measure = figures(slimvoice=[1, 10, 3], faster_whisper=[2, 10, 2]).find(PART, "11 s: wall")
    assert measure.ratio("faster-whisper") == 1.0  # of medians it would be 1.5


def test_ratio_of_unequal_numbers_of_samples_is_that_of_medians():
    measure = figures(slimvoice=[1, 2, 3], faster_whisper=[4, 4]).find(PART, "11 s: wall")
    assert measure.ratio("faster-whisper") == 0.5


@pytest.mark.parametrize("peer", ["never-measured", "idle"])
def test_no_ratio_to_what_took_nothing(peer):
    assert figures(slimvoice=[1], idle=[0]).find(PART, "11 s: wall").ratio(peer) is None


def test_table_has_medians_and_shares_and_leaves_gaps_empty():
    filled = figures(slimvoice=[1, 2, 3], faster_whisper=[4, 4, 4])
    filled.add(PART, "3 s: wall", 0.5, "s")
    assert filled.markdown(PART).splitlines()[2:] == [
        "| measure | unit | slimvoice | faster-whisper | to faster-whisper |",
        "| --- | --- | --- | --- | --- |",
        "| 11 s: wall | s | 2 | 4 | 0.50 |",
        "| 3 s: wall | s | 0.50 |  |  |",
    ]


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (1, 1)])
def test_percentile_is_the_nearest_rank(percent, expected):
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_p99_of_few_is_the_worst():
    assert percentile([1.0, 9.0, 2.0], 99) == 9.0


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (3.0, "3"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_are_shown_with_three_digits(value, text):
    assert shown(value) == text


def test_targets_tell_what_was_reached_missed_and_not_measured():
    filled = figures(slimvoice=[1], faster_whisper=[2])
    rows = {row[0]: row for row in (target.row(filled) for target in judged.TARGETS)}
    assert rows["whisper base, 11 s: wall, to faster-whisper int8"][1:] == ["at most 1", "0.50", "yes"]
    assert rows["whisper base, 60 s: wall, to faster-whisper int8"][2:] == ["not measured", ""]
    slow = figures(slimvoice=[4], faster_whisper=[2])
    assert judged.TARGETS[0].row(slow)[2:] == ["2", "**no**"]
