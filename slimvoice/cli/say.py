"""Text to speech: say."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of
from slimvoice.errors import InvalidRequest

if TYPE_CHECKING:
    from slimvoice.config import Settings
    from slimvoice.service import SpeechService
    from slimvoice.speech import SynthesizeEvent, SynthesizeRequest, Waveform

BY_EXTENSION = {
    ".mp3": "mp3",
    ".opus": "opus",
    ".ogg": "opus",
    ".oga": "opus",
    ".aac": "aac",
    ".flac": "flac",
    ".wav": "wav",
    ".pcm": "pcm",
    ".raw": "pcm",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("say")(say)


def say(
    context: typer.Context,
    text: Annotated[list[str] | None, typer.Argument(help="What to say; - or nothing: stdin.", metavar="TEXT")] = None,
    file: Annotated[Path | None, typer.Option(help="Read the text from a file.", metavar="FILE")] = None,
    output_: Annotated[Path | None, typer.Option("--output", "-o", help="File, or - for stdout.")] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", help="mp3, opus, aac, flac, wav or pcm; default: by extension, else wav.")
    ] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="Default: the setting default_tts.")] = "",
    voice: Annotated[str, typer.Option("--voice", "-v", help="A voice or a mix: af_bella(2)+af_sky(1).")] = "",
    language: Annotated[str | None, typer.Option("--language", "-l", help="Default: the voice's own.")] = None,
    speed: Annotated[float, typer.Option(min=0.25, max=4, help="Times the normal pace.")] = 1.0,
) -> None:
    """Say a text into a file: slimvoice say "Hello" -o hello.mp3."""
    from slimvoice.speech import SynthesizeRequest

    if output_ is None and sys.stdout.isatty():
        raise typer.BadParameter("a terminal cannot play sound: give -o FILE", param_hint="--output")
    path = None if output_ is None or str(output_) == "-" else output_
    form = _format(format_, path)
    request = partial(SynthesizeRequest, text=_text(text or [], file), voice=voice, language=language, speed=speed)
    options = global_options_of(context)
    options.show_logs()
    _speak(options.settings(), model, request, (form, path))


def _format(asked: str, path: Path | None) -> str:
    """Return the format to write: the one asked for, else by the extension; raises for what cannot be written."""
    from slimvoice.audio.encode import FORMATS
    from slimvoice.cli.saving import check, is_stream

    if asked and asked not in FORMATS:
        raise typer.BadParameter(f"use one of {', '.join(FORMATS)}", param_hint="--format")
    if path is None:
        return asked or "wav"
    if path.is_dir():
        raise typer.BadParameter(
            f"{path} is a folder: name a file, such as {path / 'speech.mp3'}", param_hint="--output"
        )
    form = asked or BY_EXTENSION.get(path.suffix.casefold(), "wav" if is_stream(path) else "")
    if not form:
        said = f"the extension {path.suffix} means no format here" if path.suffix else f"{path} has no extension"
        raise typer.BadParameter(
            f"{said}: use {', '.join(sorted(BY_EXTENSION))}, or say which by --format", param_hint="--output"
        )
    check(path)
    return form


def _text(words: list[str], file: Path | None) -> str:
    """Return what is to be said: from a file, the arguments, or stdin."""
    if file is not None and words:
        raise typer.BadParameter("give either a text or --file")
    try:
        if file is not None:
            text = file.read_text(encoding="utf-8")
        elif words and words != ["-"]:
            text = output.letters(" ".join(words))
        elif sys.stdin.isatty() and not words:
            raise typer.BadParameter('give a text, as in: slimvoice say "Hello" -o hello.mp3')
        else:
            text = sys.stdin.buffer.read().decode("utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("the text is not UTF-8") from error
    if not text.strip():
        raise InvalidRequest("there is nothing to say")
    return text


def _speak(settings: Settings, name: str, request: partial[SynthesizeRequest], target: tuple[str, Path | None]) -> None:
    from slimvoice.cli.local import NO_DEADLINE_S, run
    from slimvoice.speech import RequestContext, Task

    form, path = target

    async def work(service: SpeechService) -> None:
        model = await service.resolve(name, Task.TEXT_TO_SPEECH)
        events = service.synthesize(request(model=model, context=RequestContext(timeout_s=NO_DEADLINE_S)))
        if path is None:
            await _to_stdout(events, form)
        else:
            duration_s = await _to_file(events, form, path)
            output.info(f"wrote {path}: {duration_s:.1f} s of {form}, said by {model.name}")

    run(settings, work)


async def _to_stdout(events: AsyncGenerator[SynthesizeEvent, None], form: str) -> None:
    """Write speech as it is made."""
    from slimvoice.audio.encode import Encoder

    encoder: Encoder | None = None
    async for waveform in _speech(events):
        encoder = encoder or Encoder(form, waveform.sample_rate)
        _put(encoder.feed(waveform.pcm))
    if encoder is not None:
        _put(encoder.finish())


async def _to_file(events: AsyncGenerator[SynthesizeEvent, None], form: str, path: Path) -> float:
    """Write speech in one go, its header stating its length, or nothing at all; returns the seconds of speech."""
    from slimvoice.audio.encode import encode
    from slimvoice.cli.saving import save
    from slimvoice.daemon_thread import in_thread
    from slimvoice.speech import Waveform

    chunks = [waveform async for waveform in _speech(events)]
    if not chunks:
        raise InvalidRequest("there is nothing to say in that text")
    whole = Waveform(pcm=b"".join(chunk.pcm for chunk in chunks), sample_rate=chunks[0].sample_rate)
    await in_thread(lambda: save(path, encode(whole, form)))
    return whole.duration_s


async def _speech(events: AsyncGenerator[SynthesizeEvent, None]) -> AsyncGenerator[Waveform, None]:
    from slimvoice.speech import AudioChunk

    async with aclosing(events):
        async for event in events:
            if isinstance(event, AudioChunk):
                yield event.waveform


def _put(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
