"""What the server has loaded: ps, load, unload."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of

Server = Annotated[
    str, typer.Option(envvar="SLIMVOICE_SERVER", help="Default: by the settings host and port.", metavar="URL")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL")]

LOAD_TIMEOUT_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ps")(ps)
    app.command("load")(load)
    app.command("unload")(unload)
    app.command("stop", hidden=True)(unload)


def ps(context: typer.Context, server: Server = "", json: Json = False) -> None:
    """List the models that the server has loaded, with their memory and pace."""
    status = _call_server(context, server, "GET", "/system/audio/status")
    if json:
        output.write_json(status)
        return
    output.table(
        ("NAME", "SIZE", "DEVICE", "SLOTS", "STATE", "UNTIL", "RTF", "QUEUE", "RESTARTS"),
        [_row(worker) for worker in status["workers"]],
    )


def load(
    context: typer.Context,
    model: ModelName,
    keep_alive: Annotated[str | None, typer.Option(help="How long it stays when idle: 5m, 0, -1 for ever.")] = None,
    server: Server = "",
    json: Json = False,
) -> None:
    """Have the server load a model now; this also ends a failed model's cool-down."""
    body = {"keep_alive": keep_alive} if keep_alive is not None else {}
    worker = _call_server(context, server, "POST", f"/v1/audio/models/{quote(model)}/load", body)
    if json:
        output.write_json(worker)
        return
    output.info(f"loaded {worker['model']}: {output.megabytes(worker['memory_bytes'])} on {worker['device']}")


def unload(context: typer.Context, model: ModelName, server: Server = "") -> None:
    """Have the server unload a model once its running jobs are done; all its memory comes back."""
    answer = _call_server(context, server, "POST", f"/v1/audio/models/{quote(model)}/unload")
    output.info(f"unloaded {answer['model']}")


def _call_server(
    context: typer.Context, server: str, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    from slimvoice.cli.client import call_server, server_url

    base = server.rstrip("/").removesuffix("/v1") or server_url(global_options_of(context).settings())
    return call_server(base, method, path, body, timeout_s=LOAD_TIMEOUT_S if method == "POST" else 30)


def _row(worker: dict[str, Any]) -> tuple[str, ...]:
    memory = worker["memory_bytes"] + worker["gpu_memory_bytes"]
    pace = worker["realtime_factor"]
    busy = f"{worker['running']}/{worker['slots']}"
    state = worker["state"]
    moment = worker["retry_at"] if state == "failed" else worker["expires_at"]
    return (
        worker["model"],
        output.megabytes(memory) if memory else "-",
        f"{worker['device']} ({runtime})" if (runtime := worker.get("runtime")) else worker["device"],
        busy,
        state,
        output.until(moment) if moment else ("now" if worker["running"] else "for ever"),
        f"{pace:.2f}" if pace is not None else "-",
        str(worker["queued"]),
        str(worker["restarts"]),
    )
