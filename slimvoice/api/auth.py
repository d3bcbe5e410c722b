"""Authentication by API keys with scopes; a server without keys refuses web pages of other origins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from slimvoice.api.errors import error_response
from slimvoice.api.rate_limits import RateLimits
from slimvoice.errors import Authentication, PermissionDenied
from slimvoice.keys import Key, KeyStore, is_loopback
from slimvoice.keys import Scope as KeyScope

_bearer = HTTPBearer(auto_error=False, description="A key made with `slimvoice keys create`.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key.")

BearerToken = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
HeaderToken = Annotated[str | None, Security(_header)]


class Caller:
    """The caller of a request; usage is counted per key, so not without one."""

    def __init__(self, key: Key | None, rates: RateLimits) -> None:
        self._key = key
        self._rates = rates

    def count_request(self) -> None:
        """Count a request; raises RateLimited."""
        if self._key is not None:
            self._rates.count_request(self._key)

    def count_audio(self, seconds: float) -> None:
        """Count audio to be transcribed; raises RateLimited or TooLarge."""
        if self._key is not None:
            self._rates.count_audio(self._key, seconds)

    def check_audio(self) -> None:
        """Refuse to speak when the key's audio is used up; raises RateLimited."""
        if self._key is not None:
            self._rates.check_audio(self._key)

    def add_audio(self, seconds: float) -> None:
        """Count audio that was spoken."""
        if self._key is not None:
            self._rates.add_audio(self._key, seconds)


class Gate:
    """Authenticates requests by API key. `keys` is None where no key is needed."""

    def __init__(self, keys: KeyStore | None, *, open_lists: bool) -> None:
        self._keys = keys
        self._open_lists = open_lists
        self._rates = RateLimits()

    def needs(self, *scopes: KeyScope) -> Callable[..., Awaitable[Caller]]:
        """Return a dependency that lets keys with one of `scopes` pass."""

        async def check(bearer: BearerToken, header: HeaderToken) -> Caller:
            return self._check(_tokens(bearer, header), scopes)

        return check

    def lists(self) -> Callable[..., Awaitable[Caller]]:
        """Return the dependency of the read-only lists: open to all by a setting, to any key otherwise."""

        async def check(bearer: BearerToken, header: HeaderToken) -> Caller:
            if self._open_lists:
                return Caller(None, self._rates)
            return self._check(_tokens(bearer, header), ("use", "manage"))

        return check

    def _check(self, tokens: list[str], scopes: tuple[KeyScope, ...]) -> Caller:
        if self._keys is None:
            return Caller(None, self._rates)
        if not tokens:
            raise Authentication(
                "this server needs an API key", hint="send Authorization: Bearer KEY; slimvoice keys create makes one"
            )
        key = next((key for token in tokens if (key := self._keys.verify(token)) is not None), None)
        if key is None:
            raise Authentication("the API key is not valid: unknown, revoked or expired")
        if not set(scopes) & set(key.scopes):
            raise PermissionDenied(f"key {key.name!r} lacks the scope {' or '.join(scopes)}")
        caller = Caller(key, self._rates)
        caller.count_request()
        return caller


def _tokens(bearer: HTTPAuthorizationCredentials | None, header: str | None) -> list[str]:
    """Return what was sent as a key. Who uses X-API-Key may have to send some bearer too: the SDK insists on one."""
    return [token for token in (bearer.credentials if bearer else "", header) if token]


class BrowserGuard:
    """Keeps web pages of other origins from using a server that asks for no key.

    A browser lets any page send simple requests to 127.0.0.1, and DNS rebinding lets it read the answers. So a
    request with a foreign Origin is refused, and on loopback one whose Host is neither loopback nor in `hosts`.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool, hosts: frozenset[str], origins: frozenset[str]) -> None:
        self.app = app
        self._loopback = loopback
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] in {"http", "websocket"}:
            headers = Headers(scope=scope)
            host = _host_name("//" + headers.get("host", ""))
            if self._loopback and not self._answers_to(host):
                await self._refuse(f"this server does not answer to the host name {host[:80]!r}", scope, receive, send)
                return
            origin = headers.get("origin", "")
            if origin and not self._allowed(origin, host):
                await self._refuse("web pages of another origin may not call this server", scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _answers_to(self, host: str) -> bool:
        return not host or is_loopback(host) or host in self._hosts or "*" in self._hosts

    def _allowed(self, origin: str, host: str) -> bool:
        return "*" in self._origins or origin in self._origins or (origin != "null" and _host_name(origin) == host)

    async def _refuse(self, message: str, scope: Scope, receive: Receive, send: Send) -> None:
        error = PermissionDenied(message, hint="see SLIMVOICE_ALLOWED_HOSTS and SLIMVOICE_CORS_ORIGINS, or use keys")
        await error_response(error)(scope, receive, send)


def _host_name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return "invalid"
