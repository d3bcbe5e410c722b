"""Speech to text: the options of transcribe and translate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slimvoice.cli.global_options import global_options_of

if TYPE_CHECKING:
    from slimvoice.speech import TranscribeRequest

Format = Literal["text", "json", "srt", "vtt", "verbose_json"]
BY_EXTENSION: dict[str, Format] = {".txt": "text", ".json": "json", ".srt": "srt", ".vtt": "vtt"}

Files = Annotated[list[str], typer.Argument(help="Audio or video files; - is stdin.", metavar="FILE")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="Default: the setting default_stt.")]
LanguageOption = Annotated[
    str, typer.Option("--language", "-l", help="What is spoken, as en or English; default: found out.")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", "-f", help="Default: by the extension of -o, else text.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="File, or folder for a file per input; default: stdout.")
]
PromptOption = Annotated[str, typer.Option(help="Text that comes before, or words to expect.")]
TemperatureOption = Annotated[float, typer.Option(min=0, max=1, help="0 decodes greedily.")]
VadOption = Annotated[bool, typer.Option("--vad/--no-vad", help="Leave out what is not speech.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("transcribe")(transcribe)
    app.command("translate")(translate)


def transcribe(
    context: typer.Context,
    files: Files,
    model: ModelOption = "",
    language: LanguageOption = "",
    format_: FormatOption = None,
    output: OutputOption = None,
    words: Annotated[bool, typer.Option("--words", help="Times of words too, with -f verbose_json.")] = False,
    prompt: PromptOption = "",
    temperature: TemperatureOption = 0.0,
    vad: VadOption = True,
) -> None:
    """Write down what is said in audio files; text comes as it is heard."""
    form = format_ or (BY_EXTENSION.get(output.suffix.casefold(), "text") if output else "text")
    if words and form != "verbose_json":
        raise typer.BadParameter("goes with -f verbose_json", param_hint="--words")
    request = _request(language, prompt=prompt, temperature=temperature, vad=vad, words=words)
    _run(context, model, request, form=form, path=output, files=files)


def translate(
    context: typer.Context,
    files: Files,
    model: ModelOption = "",
    language: LanguageOption = "",
    format_: FormatOption = None,
    output: OutputOption = None,
    prompt: PromptOption = "",
    temperature: TemperatureOption = 0.0,
    vad: VadOption = True,
) -> None:
    """Write down in English what is said in another language."""
    form = format_ or (BY_EXTENSION.get(output.suffix.casefold(), "text") if output else "text")
    request = _request(language, prompt=prompt, temperature=temperature, vad=vad, task="translate")
    _run(context, model, request, form=form, path=output, files=files)


def _request(
    language: str,
    *,
    prompt: str,
    temperature: float,
    vad: bool,
    words: bool = False,
    task: Literal["transcribe", "translate"] = "transcribe",
) -> partial[TranscribeRequest]:
    """Return the request of every file, but for model and audio."""
    from slimvoice.speech import TranscribeRequest, VoiceDetection
    from slimvoice.text.languages import language_code

    code = None if language.casefold() in {"", "auto"} else language_code(language)
    if language.casefold() not in {"", "auto"} and code is None:
        raise typer.BadParameter(f"unknown language {language!r}; use a code such as en", param_hint="--language")
    return partial(
        TranscribeRequest,
        task=task,
        language=code,
        prompt=prompt,
        temperature=temperature,
        word_timestamps=words,
        voice_detection=VoiceDetection(enabled=vad),
    )


def _run(context: typer.Context, model: str, request: partial[TranscribeRequest], **target: Any) -> None:
    from slimvoice.cli.transcribe_files import Target, transcribe_files

    to = Target(**target)
    options = global_options_of(context)
    options.show_logs()
    failures = transcribe_files(options.settings(), model, request, to)
    if failures:
        raise typer.Exit(1)
