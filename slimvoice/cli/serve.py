"""The server: serve."""

from __future__ import annotations

from typing import Annotated

import typer

from slimvoice.cli.global_options import global_options_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to bind; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind; default 8000, 0 picks a free one.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or vulkan.")] = None,
    pull: Annotated[str | None, typer.Option(help="Models to pull meanwhile; starters: two small ones.")] = None,
    preload: Annotated[str | None, typer.Option(help="Models to load at once, and keep loaded.")] = None,
    keep_alive: Annotated[str | None, typer.Option(help="How long an idle model stays loaded.")] = None,
) -> None:
    """Serve the OpenAI Audio API; every other setting is `--set NAME=VALUE` before `serve`, or a variable."""
    options = global_options_of(context)
    configuration = options.configuration(
        host=host, port=port, device=device, pull=pull, preload=preload, keep_alive=keep_alive
    )
    from slimvoice.app import serve as run_server

    run_server(configuration.settings, notes=configuration.notes)
