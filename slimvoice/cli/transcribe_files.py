"""Transcribing files with the local engine, and writing what comes to stdout or to files."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import typer

from slimvoice.audio.decode import decode
from slimvoice.cli import output
from slimvoice.cli.global_options import library_of
from slimvoice.cli.local import NO_DEADLINE_S, in_thread, model_for, run
from slimvoice.cli.progress import TranscribeView
from slimvoice.cli.saving import check, save
from slimvoice.config import Settings
from slimvoice.errors import Inference, InvalidRequest, SlimvoiceError, Unsupported
from slimvoice.rendering.subtitles import VTT_HEADER, srt_cue, vtt_cue
from slimvoice.rendering.transcript import Transcript, as_json, as_text, as_verbose_json
from slimvoice.speech import (
    Progress,
    RequestContext,
    Segment,
    SpeechProvider,
    Task,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    Waveform,
)

_EXTENSIONS = {"text": "txt", "json": "json", "srt": "srt", "vtt": "vtt", "verbose_json": "json"}


class Target:
    """Where transcripts go, and in which format; raises BadParameter for what cannot be."""

    def __init__(self, form: str, path: Path | None, files: list[str]) -> None:
        self.form = form
        self.files = files
        self._path = path
        self._folder = path is not None and (path.is_dir() or str(path).endswith("/") or len(files) > 1)
        if path is None and len(files) > 1 and form in {"srt", "vtt"}:
            raise typer.BadParameter("several files as subtitles need -o FOLDER", param_hint="--output")
        if self._folder and path is not None and path.exists() and not path.is_dir():
            kind = "a file" if path.is_file() else "no folder"
            raise typer.BadParameter(f"{path} is {kind}, and there are several inputs", param_hint="--output")
        self._paths = self._path_by_file()

    @property
    def to_stdout(self) -> bool:
        """Whether transcripts are printed."""
        return self._path is None or str(self._path) == "-"

    def write(self, file: str, body: bytes) -> None:
        """Write the transcript of `file`, whole or not at all; a folder is made where it is missing."""
        path = self._paths[file]
        if self._folder:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidRequest(f"cannot write {path}: {error.strerror or error}") from error
        save(path, body)
        output.info(f"wrote {path}")

    def _path_by_file(self) -> dict[str, Path]:
        """Return the file that each transcript goes to; raises for one that none can go to."""
        if self._path is None or self.to_stdout:
            return {}
        if self._folder:
            names = distinct_names(self.files)
            paths = {file: self._path / f"{name}.{_EXTENSIONS[self.form]}" for file, name in names.items()}
        else:
            check(self._path)
            paths = {self.files[0]: self._path}
        _check_inputs_stay(self.files, paths.values())
        return paths


def distinct_names(files: list[str]) -> dict[str, str]:
    """Return input -> name of its transcript: no more of its path than tells it from the others.

    talk.mp3 is `talk`, beside talk.wav `talk.mp3`, beside b/talk.mp3 `a-talk.mp3`. Raises BadParameter for an input
    that stands twice. Pure, but for the current folder.
    """
    choices = {file: _names(file) for file in files}
    if len(choices) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise typer.BadParameter(f"{twice} stands twice among the inputs", param_hint="FILE")
    chosen = dict.fromkeys(files, 0)
    while clashing := _clashing({file: choices[file][place] for file, place in chosen.items()}):
        longer = [file for file in clashing if chosen[file] + 1 < len(choices[file])]
        if not longer:
            raise typer.BadParameter(f"{' and '.join(clashing)} are the same input", param_hint="FILE")
        for file in longer:
            chosen[file] += 1
    return {file: choices[file][place] for file, place in chosen.items()}


def _names(file: str) -> list[str]:
    """Return the names that a transcript may have, shortest first."""
    if file == "-":
        return ["stdin"]
    parts = Path(os.path.abspath(file)).parts[1:]  # noqa: PTH100 - a link's own name is the one that was given
    return [Path(file).stem, *("-".join(parts[-count:]) for count in range(1, len(parts) + 1))]


def _clashing(names: dict[str, str]) -> list[str]:
    """Return the inputs that share the first name that more than one has."""
    counts = Counter(names.values())
    name = next((name for name, count in counts.items() if count > 1), None)
    return [file for file, other in names.items() if other == name]


def _check_inputs_stay(files: Iterable[str], paths: Iterable[Path]) -> None:
    """Raise BadParameter for a transcript that would replace one of the files that are read."""
    there = {(stat.st_dev, stat.st_ino) for path in paths if path.is_file() for stat in [path.stat()]}
    for file in files:
        if file != "-" and Path(file).is_file() and (Path(file).stat().st_dev, Path(file).stat().st_ino) in there:
            raise typer.BadParameter(f"the transcript would be written over the input {file}", param_hint="--output")


def transcribe_files(settings: Settings, name: str, request: partial[TranscribeRequest], target: Target) -> int:
    """Transcribe every file; returns how many failed. With one file its error is raised instead."""
    library = library_of(settings)
    model = model_for(library, settings, name, Task.SPEECH_TO_TEXT)
    request = partial(request, model=model, context=RequestContext(timeout_s=NO_DEADLINE_S))

    async def work(engine: SpeechProvider) -> int:
        _check(request(waveform=Waveform(pcm=b"")))
        failures = 0
        for file in target.files:
            try:
                waveform = await in_thread(lambda file=file: _decoded(file, settings))  # type: ignore[misc]
                await _transcribe(engine, request(waveform=waveform), target, file)
            except SlimvoiceError as error:
                if len(target.files) == 1:
                    raise
                output.error_about(file, error)
                failures += 1
        return failures

    return run(settings, library, work)


def _check(request: TranscribeRequest) -> None:
    """Refuse what the model cannot do before any audio is read."""
    model, capabilities = request.model, request.model.capabilities
    if request.task == "translate" and not capabilities.translate:
        raise Unsupported(f"model {model.name} does not translate")
    if request.word_timestamps and not capabilities.word_timestamps:
        raise Unsupported(f"model {model.name} has no times of words")
    if request.language and model.languages and request.language not in model.languages:
        raise Unsupported(f"model {model.name} does not know the language {request.language!r}")


def _decoded(file: str, settings: Settings) -> Waveform:
    if file == "-":
        return decode(BytesIO(sys.stdin.buffer.read()), max_duration_s=settings.max_audio_s)
    try:
        with Path(file).open("rb") as stream:
            return decode(stream, max_duration_s=settings.max_audio_s)
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror or error}") from error


async def _transcribe(engine: SpeechProvider, request: TranscribeRequest, target: Target, file: str) -> None:
    printer = _Printer(target) if target.to_stdout else None
    segments: list[Segment] = []
    with TranscribeView(file, request.waveform.duration_s, quiet=printer is not None and printer.live) as view:
        async with aclosing(engine.transcribe(request)) as events:
            async for segment in _segments(events, view):
                if isinstance(segment, TranscriptDone):
                    done = segment
                    break
                segments.append(segment)
                if printer is not None:
                    printer.segment(segment)
            else:
                raise Inference("the transcription ended without a result")
    transcript = Transcript(tuple(segments), done)
    if printer is not None:
        printer.end(transcript, request, file)
    else:
        body = _body(transcript, request, target.form)
        await in_thread(lambda: target.write(file, body))


async def _segments(
    events: AsyncGenerator[TranscribeEvent, None], view: TranscribeView
) -> AsyncGenerator[Segment | TranscriptDone, None]:
    async for event in events:
        if isinstance(event, Progress):
            view.show(event.done_s)
        else:
            yield event


class _Printer:
    """Prints one transcript to stdout: text and subtitles piece by piece, JSON when it is whole."""

    def __init__(self, target: Target) -> None:
        self._form = target.form
        self._several = len(target.files) > 1
        self._number = 0
        self.live = self._form in {"text", "srt", "vtt"} and sys.stdout.isatty()
        if self._form == "vtt":
            output.write(VTT_HEADER)

    def segment(self, segment: Segment) -> None:
        """Print a segment if the format allows it."""
        text = segment.text.strip()
        if not text:
            return
        self._number += 1
        if self._form == "text" and not self._several:
            output.write(text + "\n")
        elif self._form == "srt":
            output.write(srt_cue(segment, self._number))
        elif self._form == "vtt":
            output.write(vtt_cue(segment))

    def end(self, transcript: Transcript, request: TranscribeRequest, file: str) -> None:
        """Print what had to wait; of several files each gets one line, with its name."""
        if self._form == "text" and self._several:
            output.write(f"{output.letters(file, 'replace')}: {transcript.text}\n")
        elif self._form in {"json", "verbose_json"}:
            body = _as_dict(transcript, request, self._form)
            if self._several:
                output.write_json({"file": output.letters(file, "replace"), **body}, indented=False)
            else:
                output.write_json(body)


def _as_dict(transcript: Transcript, request: TranscribeRequest, form: str) -> dict[str, Any]:
    if form == "json":
        return as_json(transcript)
    return as_verbose_json(transcript, request.task, words=request.word_timestamps)


def _body(transcript: Transcript, request: TranscribeRequest, form: str) -> bytes:
    if form in {"json", "verbose_json"}:
        return msgspec.json.format(msgspec.json.encode(_as_dict(transcript, request, form)), indent=2) + b"\n"
    return as_text(transcript, form).encode()
