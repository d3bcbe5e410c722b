"""What a URL without a route was meant to be: a base URL with `/v1` twice or not at all, a slash too many, Realtime."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route

PREFIX = "/v1"
_PREFIXES = re.compile(r"(?:/v1)+(?=/)")
_REALTIME = re.compile(r"(?:/v1)*/realtime(?:/|$)")


def message(method: str, path: str, routes: Sequence[BaseRoute]) -> str:
    """Return what to tell a client about a path that has no route."""
    if _REALTIME.match(path):
        return f"this server has no Realtime API yet: {method} {path} is unknown"
    unknown = f"unknown URL: {method} {path}"
    wanted = PREFIX + _PREFIXES.sub("", path, count=1).rstrip("/") if path.startswith("/") else ""
    if not any(_matches(route, wanted) for route in routes):
        return unknown
    if not path.startswith(f"{PREFIX}/"):
        return f"{unknown}: did you mean {wanted}? The base URL lacks {PREFIX}"
    twice = f" The base URL has {PREFIX} twice" if path.startswith(PREFIX * 2) else ""
    return f"{unknown}: did you mean {wanted}?{twice}"


def _matches(route: BaseRoute, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    return isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
