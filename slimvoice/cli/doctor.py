"""`slimvoice doctor`: what this machine has, what is missing, what to do."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
