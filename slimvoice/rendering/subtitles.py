"""Renders segments as subtitles, cue by cue: SubRip (srt) and WebVTT (vtt)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimvoice.speech import Segment

VTT_HEADER = "WEBVTT\n\n"


def srt(segments: Iterable[Segment]) -> Iterator[str]:
    """Yield an SRT file piece by piece; no segments: nothing."""
    for number, segment in enumerate(_with_words(segments), start=1):
        yield srt_cue(segment, number)


def vtt(segments: Iterable[Segment]) -> Iterator[str]:
    """Yield a WebVTT file piece by piece; no segments: its header alone, which is a valid file."""
    yield VTT_HEADER
    for segment in _with_words(segments):
        yield vtt_cue(segment)


def srt_cue(segment: Segment, number: int) -> str:
    """Return one SRT cue; `number` counts from 1."""
    return f"{number}\n{_span(segment, ',')}\n{_one_line(segment.text)}\n\n"


def vtt_cue(segment: Segment) -> str:
    """Return one WebVTT cue, with the characters escaped that would be read as markup (https://www.w3.org/TR/webvtt1/)."""
    text = _one_line(segment.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{_span(segment, '.')}\n{text}\n\n"


def timestamp(seconds: float, decimal_mark: str) -> str:
    """Return `HH:MM:SS,mmm`; hours grow past two digits when they must."""
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{decimal_mark}{milliseconds % 1000:03}"


def _span(segment: Segment, decimal_mark: str) -> str:
    end_s = max(segment.end_s, segment.start_s)
    return f"{timestamp(segment.start_s, decimal_mark)} --> {timestamp(end_s, decimal_mark)}"


def _with_words(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Leave out segments without words: a cue without text ends some players' parsing."""
    return (segment for segment in segments if segment.text.strip())


def _one_line(text: str) -> str:
    """Join the text's lines and spaces: an empty line would end the cue."""
    return " ".join(text.split())
