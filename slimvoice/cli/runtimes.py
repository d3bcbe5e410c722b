"""The runtimes of the volume: what backends need besides slimvoice, pulled with their first model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of

if TYPE_CHECKING:
    from slimvoice.backends.runtime import RuntimeSpec
    from slimvoice.models.library import ModelLibrary
    from slimvoice.models.runtimes import RuntimeManifest
    from slimvoice.speech import Model

_HERE = {"pulled": "yes", "pip": "by pip", "missing": "-", "unsupported": "not for this machine"}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    runtimes = typer.Typer(invoke_without_command=True, help="What backends need besides slimvoice: list, remove.")
    runtimes.callback()(list_runtimes)
    runtimes.command("rm")(remove)
    app.add_typer(runtimes, name="runtimes")


def list_runtimes(context: typer.Context, json: Json = False) -> None:
    """List the runtimes: those that backends name, and what lies in the volume. `slimvoice pull MODEL` brings them."""
    if context.invoked_subcommand is not None:
        return
    rows = _rows(global_options_of(context).library())
    if json:
        output.write_json(rows)
        return
    if not rows:
        output.info("no backend here has a runtime that is pulled; slimvoice doctor shows what pip has installed")
        return
    output.table(
        ("RUNTIME", "VERSION", "SIZE", "HERE", "BACKENDS", "MODELS", "LICENCE"),
        [
            (
                row["name"],
                row["version"],
                output.megabytes(row["size_bytes"]) if row["size_bytes"] else "-",
                _HERE[row["state"]],
                ",".join(row["backends"]) or "-",
                ",".join(row["models"]) or "-",
                row["licence"],
            )
            for row in rows
        ],
    )


def remove(
    context: typer.Context,
    runtimes: Annotated[
        list[str], typer.Argument(help="Names, as slimvoice runtimes shows them, or NAME==VERSION.", metavar="RUNTIME")
    ],
) -> None:
    """Delete runtimes from this machine; models that need one say so, and pulling them brings it back."""
    library = global_options_of(context).library()
    failed = False
    for asked in runtimes:
        name, _, version = asked.partition("==")
        freed = library.runtimes.remove(name, version)
        if freed is None:
            output.error(f"runtime {asked} is not on this machine", "slimvoice runtimes")
            failed = True
            continue
        output.info(f"removed runtime {asked}, {output.megabytes(freed)} freed")
        if models := [model.name for model in models_with(library, name) if library.runtimes.missing(model)]:
            output.info(f"still needed by {', '.join(models)}: slimvoice pull {models[0]} brings it back")
    if failed:
        raise typer.Exit(1)


def models_with(library: ModelLibrary, runtime: str) -> list[Model]:
    """Return the models of the volume that need a runtime."""
    from slimvoice.models.runtimes import runtime_of

    models = [installed.model for installed in library.installed()]
    return [model for model in models if (spec := runtime_of(model.backend)) is not None and spec.name == runtime]


def _rows(library: ModelLibrary) -> list[dict[str, Any]]:
    """Return what there is of each runtime; versions in the volume that no backend asks for have no backends."""
    from slimvoice.models.runtimes import all_runtimes

    rows, asked_for = [], set()
    for spec, backends in all_runtimes().values():
        found = library.runtimes.find(spec)
        asked_for.add(found.key if found is not None else "")
        rows.append(
            {
                "name": spec.name,
                "version": spec.version,
                "kind": spec.kind,
                "state": "pulled" if found is not None else _state_elsewhere(spec),
                "size_bytes": found.size_bytes if found is not None else 0,
                "backends": list(backends),
                "models": [model.name for model in models_with(library, spec.name)],
                "licence": spec.licence,
            }
        )
    return rows + [_left_over(each) for each in library.runtimes.installed() if each.key not in asked_for]


def _state_elsewhere(spec: RuntimeSpec) -> str:
    """Return how it is with a runtime that is not in the volume."""
    from slimvoice.models.wheels import fits

    return "pip" if spec.installed_by_pip else "missing" if fits(spec) else "unsupported"


def _left_over(manifest: RuntimeManifest) -> dict[str, Any]:
    own = {"name": manifest.name, "version": manifest.version, "size_bytes": manifest.size_bytes}
    return {**own, "kind": "", "state": "pulled", "backends": [], "models": [], "licence": manifest.licence}
