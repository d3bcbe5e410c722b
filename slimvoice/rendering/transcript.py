"""Renders a transcription as OpenAI's responses: json, text, srt, vtt, verbose_json, or a stream. Pure."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Literal

import msgspec

from slimvoice.errors import Inference
from slimvoice.rendering.subtitles import srt, vtt
from slimvoice.speech import Segment, TokenLogprob, TranscribeEvent, TranscriptDone, Word, joined_text
from slimvoice.text.languages import language_name

AUDIO_TOKENS_PER_S = 10
"""OpenAI counts a token per 100 ms of input audio (https://platform.openai.com/docs/guides/realtime-costs)."""

Json = dict[str, Any]
Events = AsyncGenerator[TranscribeEvent, None]


class Transcript(msgspec.Struct, frozen=True):
    """A finished transcription."""

    segments: tuple[Segment, ...]
    done: TranscriptDone

    @property
    def text(self) -> str:
        """The whole text as one line."""
        return joined_text(self.segments)


async def collect(events: Events) -> Transcript:
    """Wait for the whole transcription and close `events`; raises Inference when it has no end."""
    segments: list[Segment] = []
    async with aclosing(events):
        async for item in events:
            if isinstance(item, Segment):
                segments.append(item)
            elif isinstance(item, TranscriptDone):
                return Transcript(tuple(segments), item)
    raise Inference("the transcription ended without a result")


class Extras(msgspec.Struct, frozen=True):
    """Optional fields that a request adds to `json` and to the stream's events."""

    logprobs: bool = False
    languages: bool = False


PLAIN = Extras()


def as_json(transcript: Transcript, extras: Extras = PLAIN) -> Json:
    """Return `json`."""
    body: Json = {"text": transcript.text}
    if extras.languages:
        body["languages"] = _languages(transcript.done)
    if extras.logprobs:
        body["logprobs"] = list(_logprobs(transcript.segments))
    return body | {"usage": duration_usage(transcript.done)}


def as_verbose_json(
    transcript: Transcript, task: Literal["transcribe", "translate"], *, words: bool = False, segments: bool = True
) -> Json:
    """Return `verbose_json`. A translation's language is English, as OpenAI says it."""
    done = transcript.done
    body: Json = {
        "task": task,
        "language": "english" if task == "translate" else language_name(done.language),
        "duration": float(done.duration_s),
        "text": transcript.text,
    }
    if words:
        body["words"] = [_word(word) for segment in transcript.segments for word in segment.words]
    if segments:
        body["segments"] = [_segment(segment) for segment in transcript.segments]
    return body | {
        "usage": duration_usage(done),
        "language_probability": done.language_probability,
        "speech_duration": float(done.speech_s),
    }


def as_text(transcript: Transcript, response_format: str) -> str:
    """Return `text`, `srt` or `vtt`."""
    if response_format == "srt":
        return "".join(srt(transcript.segments))
    if response_format == "vtt":
        return "".join(vtt(transcript.segments))
    return transcript.text + "\n"


async def deltas(events: Events, extras: Extras = PLAIN) -> AsyncGenerator[Json, None]:
    """Yield `transcript.text.delta` increments, which join to the text of `transcript.text.done`; closes `events`."""
    segments: list[Segment] = []
    trimmer = _Trimmer()
    async with aclosing(events):
        async for item in events:
            if isinstance(item, Segment):
                segments.append(item)
                if delta := trimmer.feed(item.text):
                    yield _event("transcript.text.delta", {"delta": delta}, (item,), extras)
            elif isinstance(item, TranscriptDone):
                done: Json = {"text": joined_text(segments), "usage": token_usage(item, segments)}
                if extras.languages:
                    done["languages"] = _languages(item)
                yield _event("transcript.text.done", done, segments, extras)
                return
    raise Inference("the transcription ended without a result")


def duration_usage(done: TranscriptDone) -> Json:
    """Return usage by duration, as OpenAI tells it for whisper-1."""
    return {"type": "duration", "seconds": float(done.duration_s)}


def token_usage(done: TranscriptDone, segments: Iterable[Segment]) -> Json:
    """Return usage by tokens: the only kind that the SDK's done event has."""
    audio = math.ceil(done.duration_s * AUDIO_TOKENS_PER_S)
    output = sum(len(segment.tokens) for segment in segments)
    return {
        "type": "tokens",
        "input_tokens": audio,
        "input_token_details": {"audio_tokens": audio, "text_tokens": 0},
        "output_tokens": output,
        "total_tokens": audio + output,
    }


class _Trimmer:
    """Holds trailing space back until more text comes, so that what was sent is a head of the stripped whole."""

    def __init__(self) -> None:
        self._held = ""
        self._started = False

    def feed(self, text: str) -> str:
        text = self._held + text
        if not self._started:
            text = text.lstrip()
        body = text.rstrip()
        self._held = text[len(body) :]
        self._started = self._started or bool(body)
        return body


def _event(kind: str, fields: Json, segments: Iterable[Segment], extras: Extras) -> Json:
    logprobs: Json = {"logprobs": list(_logprobs(segments))} if extras.logprobs else {}
    return {"type": kind, **fields, **logprobs}


def _languages(done: TranscriptDone) -> list[Json]:
    return [{"code": done.language}] if done.language else []


def _logprobs(segments: Iterable[Segment]) -> Iterator[Json]:
    for segment in segments:
        for item in segment.logprobs:
            yield _logprob(item)


def _logprob(item: TokenLogprob) -> Json:
    return {"token": item.token, "bytes": list(item.bytes), "logprob": item.logprob}


def _word(word: Word) -> Json:
    return {"word": word.text.strip(), "start": _seconds(word.start_s), "end": _seconds(word.end_s)}


def _segment(segment: Segment) -> Json:
    return {
        "id": segment.id,
        "seek": segment.seek,
        "start": _seconds(segment.start_s),
        "end": _seconds(segment.end_s),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _seconds(value: float) -> float:
    """Return milliseconds' precision, always a float in JSON."""
    return float(round(value, 3))
