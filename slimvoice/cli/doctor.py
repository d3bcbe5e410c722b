"""`slimvoice doctor`: what this machine has, what is missing, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import GlobalOptions, global_options_of
from slimvoice.errors import SlimvoiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slimvoice.backends.info import Finding

_MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this machine and say what is missing; exits with 1 when something would not work."""
    findings = []
    for finding in _findings(global_options_of(context)):
        findings.append(finding)
        if not json:
            output.write(f"{_MARKS[finding.state]}  {finding.name:11}  {finding.message}\n")
            if finding.hint:
                output.write(f"{'':19}-> {finding.hint}\n")
    if json:
        import msgspec

        output.write_json(msgspec.to_builtins(findings))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _findings(options: GlobalOptions) -> Iterator[Finding]:
    """Run the checks one by one, so that a slow one does not hold back what is known already."""
    from slimvoice.backends.info import Finding
    from slimvoice.cli import checks
    from slimvoice.config import Settings

    yield from checks.machine()
    try:
        configuration = options.configuration()
    except SlimvoiceError as error:
        yield Finding("config", "fail", error.message, error.hint)
        settings = Settings()
    else:
        settings = configuration.settings
        changed = len(configuration.origins)
        yield Finding("config", "ok", f"{changed} settings differ from their defaults" if changed else "defaults")
    yield from checks.runtimes()
    yield from checks.variants(settings)
    yield checks.gpu(settings)
    yield from checks.volume(settings)
    yield from checks.sources(settings)
    yield checks.port(settings)
