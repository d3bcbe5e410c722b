"""Subtitles: timestamps, numbering, escaping, empty transcripts."""

import pytest

from slimvoice.rendering.subtitles import srt, timestamp, vtt
from slimvoice.speech import Segment


def segment(text: str, start_s: float = 0.0, end_s: float = 1.0) -> Segment:
    return Segment(id=0, seek=0, start_s=start_s, end_s=end_s, text=text)


def test_srt_numbers_cues_from_one_and_uses_a_comma():
    cues = "".join(srt([segment(" Hello.", 0.0, 1.5), segment(" You there?", 3661.25, 3662.0)]))
    assert cues == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n"
        "2\n01:01:01,250 --> 01:01:02,000\nYou there?\n\n"
    )  # fmt: skip


def test_vtt_starts_with_its_header_and_uses_a_point():
    assert "".join(vtt([segment(" Hello.", 0.0, 1.5)])) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n\n"


def test_empty_transcript_is_a_valid_file():
    assert "".join(srt([])) == ""
    assert "".join(vtt([])) == "WEBVTT\n\n"


def test_vtt_escapes_markup_and_arrows():
    assert "a &lt;b&gt; &amp; c --&gt; d" in "".join(vtt([segment("a <b> & c --> d")]))


def test_srt_leaves_markup_alone():
    assert "a <b> & c" in "".join(srt([segment("a <b> & c")]))


@pytest.mark.parametrize("render", [srt, vtt])
def test_line_breaks_in_text_do_not_end_the_cue(render):
    cues = "".join(render([segment("one\n\n2\n00:00:00.000 --> 00:00:09.000\nforged")]))
    assert cues.count("\n\n") == (2 if render is vtt else 1)
    assert "one 2 00:00" in cues


@pytest.mark.parametrize("render", [srt, vtt])
def test_segments_without_words_make_no_cue_and_take_no_number(render):
    cues = "".join(render([segment("  "), segment(" one")]))
    assert cues.count("-->") == 1
    if render is srt:
        assert cues.startswith("1\n")


def test_cues_come_one_by_one_as_segments_do():
    def endless():
        while True:
            yield segment(" again")

    cues = srt(endless())
    assert next(cues).startswith("1\n")
    assert next(cues).startswith("2\n")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "00:00:00,000"),
        (-0.2, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (0.0004, "00:00:00,000"),
        (360_000.001, "100:00:00,001"),
    ],
)
def test_timestamp_rounds_to_milliseconds_and_carries(seconds, expected):
    assert timestamp(seconds, ",") == expected


def test_cue_never_ends_before_it_starts():
    assert "00:00:02,000 --> 00:00:02,000" in "".join(srt([segment("x", 2.0, 1.0)]))
