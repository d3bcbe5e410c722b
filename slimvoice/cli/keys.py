"""API keys: create, list, revoke."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slimvoice.cli import output
from slimvoice.cli.global_options import global_options_of

if TYPE_CHECKING:
    from slimvoice.keys import Key, KeyStore

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(no_args_is_help=True, help="API keys of the server: create, list, revoke.")
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="keys")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who or what will use it.", metavar="NAME")],
    scope: Annotated[list[str] | None, typer.Option(help="use, manage or metrics; may be repeated.")] = None,
    expires: Annotated[str | None, typer.Option(help="For how long it is valid, e.g. 90d.", metavar="TIME")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1)] = None,
    audio_seconds_per_minute: Annotated[int | None, typer.Option(min=1)] = None,
    json: Json = False,
) -> None:
    """Make a key and print it, this once."""
    key, token = _store(context).create(
        name,
        tuple(scope or ("use",)),
        expires_at=_moment(expires),
        requests_per_minute=requests_per_minute,
        audio_seconds_per_minute=audio_seconds_per_minute,
    )
    if json:
        output.write_json({**_as_dict(key), "key": token})
        return
    output.write(token + "\n")
    output.info(f"key {key.name!r} may {', '.join(key.scopes)}; it is not shown again")


def list_keys(context: typer.Context, json: Json = False) -> None:
    """List the keys; none is ever shown."""
    keys = _store(context).keys()
    if json:
        output.write_json([_as_dict(key) for key in keys])
        return
    if not keys:
        output.info("no keys yet: slimvoice keys create NAME")
        return
    output.table(
        ("ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "PER MINUTE"),
        [
            (key.id, key.name, ",".join(key.scopes), _date(key.created_at), _date(key.expires_at), _rates(key))
            for key in keys
        ],
    )


def revoke(context: typer.Context, name: Annotated[str, typer.Argument(help="Its name or id.")]) -> None:
    """Delete a key; a running server refuses it at once."""
    key = _store(context).revoke(name)
    output.info(f"revoked {key.name!r}")


def _store(context: typer.Context) -> KeyStore:
    from slimvoice.keys import KeyStore

    return KeyStore(global_options_of(context).settings().home.expanduser() / "keys")


def _moment(expires: str | None) -> float | None:
    from slimvoice.config import duration_s

    if expires is None:
        return None
    try:
        seconds = duration_s(expires)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise typer.BadParameter("must be like 90d, 12h or 30m", param_hint="--expires")
    return time.time() + seconds


def _as_dict(key: Key) -> dict[str, Any]:
    import msgspec

    fields = msgspec.to_builtins(key)
    del fields["sha256"]
    return {**fields, "expired": key.expired(time.time())}


def _date(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M") if moment else "-"


def _rates(key: Key) -> str:
    rates = [(key.requests_per_minute, "requests"), (key.audio_seconds_per_minute, "s of audio")]
    return ", ".join(f"{rate} {what}" for rate, what in rates if rate) or "-"
