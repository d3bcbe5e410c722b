"""`slimvoice config`: the settings in force, and where each came from."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(config)


def config(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    all_: Annotated[bool, typer.Option("--all/--changed", help="All settings, or those that were set.")] = True,
) -> None:
    """Print every setting in force and where its value came from."""
    from slimvoice.config import described

    configuration = global_options_of(context).configuration()
    for note in configuration.notes:
        output.info(f"note: {note}")
    rows = [
        {
            "name": name,
            "value": _shown(getattr(configuration.settings, name)),
            "origin": configuration.origin(name),
            "variable": f"SLIMVOICE_{name.upper()}",
            "description": description,
        }
        for name, description in described().items()
        if all_ or name in configuration.origins
    ]
    if json:
        output.write_json(rows)
    else:
        output.table(
            ("SETTING", "VALUE", "FROM"), [(str(row["name"]), str(row["value"]), str(row["origin"])) for row in rows]
        )


def _shown(value: Any) -> Any:
    """Return a value as it may be shown: a URL without its password."""
    if not isinstance(value, str) or "@" not in value:
        return value if isinstance(value, str | int | float | bool) else str(value)
    parts = urlsplit(value)
    if not parts.password:
        return value
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))
