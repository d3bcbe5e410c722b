"""The command `slimvoice`: its global options and its commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import slimvoice
from slimvoice.cli import archive, config, doctor, keys, models, ps, runtimes, say, serve, transcribe
from slimvoice.cli.global_options import GlobalOptions


class _Group(TyperGroup):
    """The root command, which ends quietly when nobody reads its output any more (`slimvoice list | head -1`)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail again
            raise typer.Exit(141) from None
        return result


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,  # boxes and colours cost 100 ms of imports
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="Speech to text and text to speech behind the OpenAI Audio API, on compiled runtimes.",
)
for part in (models, transcribe, say, serve, ps, runtimes, archive, keys, config, doctor):
    part.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"slimvoice {slimvoice.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.", metavar="FILE")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of models, keys and voices.", metavar="FOLDER")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, e.g. --set threads=2.", metavar="NAME=VALUE")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Touch no network.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show traces and debug logs.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep what the global options say for the command."""
    flags: dict[str, Any] = {"home": home, "offline": True if offline else None}
    for pair in set_ or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        flags[_known(name.strip())] = value
    context.obj = GlobalOptions(config, {key: value for key, value in flags.items() if value is not None}, debug=debug)


def _known(name: str) -> str:
    from slimvoice.config import Settings

    name = name.replace("-", "_")
    if name not in Settings.__struct_fields__:
        raise typer.BadParameter(f"no setting is named {name!r}; slimvoice config lists them", param_hint="--set")
    return name
