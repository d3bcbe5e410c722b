"""Models: pull, list, show, rm, voices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of
from slimvoice.errors import SlimvoiceError

if TYPE_CHECKING:
    from slimvoice.models.library import ModelLibrary
    from slimvoice.speech import Model, Voice

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str], typer.Argument(help="Names, as slimvoice list --all shows them.", metavar="MODEL")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pull")(pull)
    app.command("list")(list_models)
    app.command("ls", hidden=True)(list_models)
    app.command("show")(show)
    app.command("rm")(remove)
    app.command("voices")(voices)


def pull(
    context: typer.Context,
    models: Names,
    file: Annotated[str, typer.Option(help="With hf:OWNER/REPO: which of its files.")] = "",
    revision: Annotated[str, typer.Option(help="With hf:OWNER/REPO: which of its revisions.")] = "",
    as_: Annotated[str, typer.Option("--as", help="With hf:OWNER/REPO: the name it gets here.", metavar="NAME")] = "",
    again: Annotated[bool, typer.Option("--again", help="Ask whether files without a pin have changed.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Touch no network.")] = False,
    json: Json = False,
) -> None:
    """Bring models to this machine; a broken pull goes on where it stopped. `starters` are the two small ones."""
    from slimvoice.cli.progress import PullView
    from slimvoice.cli.progress import pull as pull_named
    from slimvoice.models.records import HubName

    if (file or revision or as_) and (len(models) != 1 or HubName.parse(models[0]) is None):
        raise typer.BadParameter("--file, --revision and --as go with one hf:OWNER/REPO")
    library = global_options_of(context).library(offline=True if offline else None)
    failed = False
    for name in library.expand(models):
        try:
            if file or revision or as_:
                with PullView(as_ or name) as view:
                    here = library.pull_from_hub(name, view.show, file=file, revision=revision, as_name=as_)
            else:
                here = pull_named(library, name, again=again)
        except SlimvoiceError as error:
            if len(models) == 1:
                raise
            output.error_about(name, error)
            failed = True
            continue
        if json:
            output.write_json({"model": here.model.name, "size_bytes": here.model.size_bytes, "files": here.files})
    if failed:
        raise typer.Exit(1)


def list_models(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also what could be pulled.")] = False,
    task: Annotated[str, typer.Option(help="Only stt or tts models.", metavar="stt|tts")] = "",
    json: Json = False,
) -> None:
    """List the models on this machine, or all there are."""
    tasks = {"": "", "stt": "speech-to-text", "tts": "text-to-speech"}
    if task not in tasks:
        raise typer.BadParameter("must be stt or tts", param_hint="--task")
    library = global_options_of(context).library()
    pulled = [installed.model for installed in library.installed()]
    here = {model.name: "yes" for model in pulled}
    damaged = library.damaged()
    here |= {model.name: "damaged" for model in damaged}
    models = library.models() if all_ else sorted([*pulled, *damaged], key=lambda model: model.name)
    models = [model for model in models if tasks[task] in {"", model.task.value}]
    if json:
        output.write_json(
            [
                _as_dict(model, pulled=here.get(model.name) == "yes") | {"damaged": here.get(model.name) == "damaged"}
                for model in models
            ]
        )
        return
    lacking = {model.name for model in pulled if library.runtimes.missing(model)}
    if not models:
        output.info(f"no models here yet: slimvoice pull {' '.join(library.starters)}, or slimvoice list --all")
        return
    output.table(
        ("NAME", "TASK", "SIZE", "HERE", "LANGUAGES", "LICENCE"),
        [_row(model, "no runtime" if model.name in lacking else here.get(model.name, "-")) for model in models],
    )
    if lacking:
        output.info(f"no runtime: it lacks what its backend needs; slimvoice pull {min(lacking)} brings it")
    if damaged:
        output.info(f"files are missing or cut: slimvoice pull {' '.join(model.name for model in damaged)}")


def show(context: typer.Context, model: Annotated[str, typer.Argument(metavar="MODEL")], json: Json = False) -> None:
    """Show what is known about a model."""
    library = global_options_of(context).library()
    found = library.find(model)
    fields = _as_dict(found, pulled=False) | _whereabouts(library, found)
    if json:
        output.write_json(fields)
        return
    fields["size"] = output.megabytes(found.size_bytes) if found.size_bytes else "unknown"
    fields["memory"] = _memory(library, found)
    fields["notes"] = "; ".join(f"{language}: {note}" for language, note in fields["notes"].items())
    for name in ("size_bytes", "memory_bytes", "measured_memory_bytes"):
        fields.pop(name)
    for name, value in fields.items():
        if value not in ("", None, [], {}):
            output.write(f"{name.replace('_', ' '):15} {_as_text(value)}\n")


def remove(context: typer.Context, models: Names) -> None:
    """Delete models from this machine."""
    library = global_options_of(context).library()
    failed = False
    for name in models:
        try:
            backend = next((model.backend for model in library.models() if model.name == name), "")
            freed = library.remove(name)
        except SlimvoiceError as error:
            if len(models) == 1:
                raise
            output.error_about(name, error)
            failed = True
        else:
            output.info(f"removed {name}, {output.megabytes(freed)} freed")
            _tell_of_runtime(library, backend)
    if failed:
        raise typer.Exit(1)


def _tell_of_runtime(library: ModelLibrary, backend: str) -> None:
    """Say that a runtime stays which no model here needs any more."""
    from slimvoice.cli.runtimes import models_with
    from slimvoice.models.runtimes import runtime_of

    spec = runtime_of(backend)
    if spec is not None and (found := library.runtimes.find(spec)) and not models_with(library, spec.name):
        output.info(
            f"runtime {spec.name} ({output.megabytes(found.size_bytes)}) stays: slimvoice runtimes rm {spec.name}"
        )


def voices(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Without it: all models on this machine.", metavar="MODEL")] = "",
    language: Annotated[str, typer.Option("--language", "-l", help="Only voices of it, e.g. en or pt-BR.")] = "",
    json: Json = False,
) -> None:
    """List the voices of text-to-speech models."""
    library = global_options_of(context).library()
    models = [library.find(model)] if model else [installed.model for installed in library.installed()]
    found = [(each, voice) for each in models for voice in each.voices if _speaks(voice, language)]
    if json:
        output.write_json([_voice(voice, each) for each, voice in found])
        return
    if not found:
        output.info("no voice fits; slimvoice list --all --task tts shows what slimvoice pull can bring")
        return
    output.table(
        ("VOICE", "LANGUAGE", "GENDER", "MODEL", "NOTE"),
        [(voice.id, voice.language, voice.gender, each.name, voice.note) for each, voice in found],
    )


def _voice(voice: Voice, model: Model) -> dict[str, str]:
    fields = {"id": voice.id, "name": voice.name, "language": voice.language, "gender": voice.gender}
    return {**fields, "model": model.name, "note": voice.note}


def _as_dict(model: Model, *, pulled: bool) -> dict[str, Any]:
    return {
        "name": model.name,
        "task": model.task.value,
        "backend": model.backend,
        "description": model.description,
        "licence": model.licence,
        "size_bytes": model.size_bytes,
        "memory_bytes": model.memory_bytes,
        "pulled": pulled,
        "aliases": list(model.aliases),
        "languages": list(model.languages),
        "notes": {voice.language: voice.note for voice in model.voices if voice.note},
        "voices": [voice.id for voice in model.voices],
        "default_voice": model.default_voice,
        "settings": model.settings,
    }


def _row(model: Model, here: str) -> tuple[str, ...]:
    languages = ",".join(model.languages[:3]) + (f",+{len(model.languages) - 3}" if len(model.languages) > 3 else "")
    size = output.megabytes(model.size_bytes) if model.size_bytes else "-"
    return model.name, model.task.value, size, here, languages, model.licence


def _whereabouts(library: ModelLibrary, model: Model) -> dict[str, Any]:
    installed = next((found for found in library.installed() if found.model.name == model.name), None)
    measured = library.measured_memory(model.name)
    return {
        "pulled": installed is not None,
        "files": installed.files if installed else {},
        "runtime": _runtime(library, model),
        "measured_memory_bytes": measured,
    }


def _runtime(library: ModelLibrary, model: Model) -> str:
    """Return what a model needs besides itself, and whether it is here; empty for nothing."""
    from slimvoice.models.runtimes import runtime_of

    spec = runtime_of(model.backend)
    if spec is None:
        return ""
    where = "installed by pip" if spec.installed_by_pip else "not here" if library.runtimes.missing(model) else "here"
    return f"{spec.name} {spec.version} ({where})"


def _memory(library: ModelLibrary, model: Model) -> str:
    if measured := library.measured_memory(model.name):
        return f"{output.megabytes(measured)} measured here"
    return f"about {output.megabytes(model.memory_bytes)}" if model.memory_bytes else "unknown"


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _speaks(voice: Voice, language: str) -> bool:
    wanted, own = language.casefold().replace("_", "-"), voice.language.casefold()
    return not wanted or own == wanted or own.startswith(wanted + "-")
