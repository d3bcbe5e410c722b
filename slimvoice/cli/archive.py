"""Models for machines without a network: export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of
from slimvoice.cli.models import Names

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    context: typer.Context,
    models: Names,
    output_: Annotated[Path, typer.Option("--output", "-o", help="The tar to write.", metavar="FILE.tar")],
    json: Json = False,
) -> None:
    """Write models into a tar, in parts below 4 GB, with their checksums."""
    from slimvoice.cli.progress import PullView
    from slimvoice.cli.saving import is_stream

    if is_stream(output_):
        raise typer.BadParameter(
            f"{output_} is no file, and an export has parts and a list of checksums", param_hint="--output"
        )
    library = global_options_of(context).library()
    with PullView(str(output_)) as view:
        parts = library.export(models, output_, view.show)
    if json:
        output.write_json([str(part) for part in parts])
    else:
        output.info(f"wrote {', '.join(map(str, parts))}; check with sha256sum -c {output_.name}.sha256")


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The tar, or the first of its parts.", metavar="FILE")],
    json: Json = False,
) -> None:
    """Take the models of an export in; nothing appears that is not whole."""
    from slimvoice.cli.progress import PullView

    with PullView(str(file)) as view:
        models = global_options_of(context).library().import_(file, view.show)
    if json:
        output.write_json(models)
    else:
        output.info(f"imported {', '.join(models)}")
