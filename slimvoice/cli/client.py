"""HTTP client of the running server, for `ps`, `load` and `unload`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from slimvoice.errors import Authentication, PermissionDenied, SlimvoiceError, Upstream

if TYPE_CHECKING:
    from slimvoice.config import Settings

KEY_VARIABLE = "SLIMVOICE_API_KEY"


def server_url(settings: Settings) -> str:
    """Return the URL at which this machine's server answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def call_server(base: str, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = 30) -> Any:
    """Return the server's answer as JSON; raises SlimvoiceError with the server's own words."""
    import httpx2

    key = os.environ.get(KEY_VARIABLE)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx2.Client(base_url=base, headers=headers, timeout=timeout_s, trust_env=not _is_local(base)) as client:
            answer = client.request(method, path, json=body)
    except httpx2.HTTPError as error:
        raise Upstream(
            f"no server answers at {base}", hint="slimvoice serve starts one; --server URL asks another"
        ) from error
    except httpx2.InvalidURL as error:
        raise Upstream(f"{base!r} is no URL", hint="write http://HOST:PORT") from error
    if answer.is_success:
        return answer.json()
    raise _refusal(answer.status_code, answer.content)


def _refusal(status: int, content: bytes) -> SlimvoiceError:
    import json

    try:
        message = str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the server answered {status}"
    if status == 401:
        return Authentication(message, hint=f"put a key into {KEY_VARIABLE}; slimvoice keys create makes one")
    if status == 403:
        return PermissionDenied(message, hint="slimvoice keys create NAME --scope manage")
    return Upstream(message)


def _is_local(base: str) -> bool:
    return base.startswith(("http://127.", "http://localhost", "http://[::1]"))  # no proxy for this machine
