"""API keys: creates, stores (as hashes) and verifies them.

A key is 256 random bits, so a plain SHA-256 is the right hash: there is no dictionary to slow down, and a verification
costs microseconds on every request. The file is read again when it changes, so that `slimvoice keys` works on a running
server. Tokens are shown once, at creation, and never stored or logged.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import msgspec
from filelock import FileLock

from slimvoice import atomic
from slimvoice.config import Settings
from slimvoice.errors import ConfigError, InvalidRequest, NotFound, unwritable_volume

Scope = Literal["use", "manage", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "sv-"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key as it is stored."""

    id: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...] = ("use",)
    created_at: float = 0.0
    expires_at: float | None = None
    requests_per_minute: int | None = None
    audio_seconds_per_minute: int | None = None

    def expired(self, now: float) -> bool:
        """Whether the key is past its time."""
        return self.expires_at is not None and now >= self.expires_at


class _File(msgspec.Struct, frozen=True):
    keys: tuple[Key, ...] = ()
    format: int = 1


class KeyStore:
    """The keys of one volume; safe from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def create(
        self,
        name: str,
        scopes: Sequence[str] = ("use",),
        *,
        expires_at: float | None = None,
        requests_per_minute: int | None = None,
        audio_seconds_per_minute: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key; returns it and its token, which is nowhere else. Raises InvalidRequest, ConfigError."""
        _check(name, scopes, requests_per_minute, audio_seconds_per_minute)
        token = PREFIX + secrets.token_urlsafe(32)
        key = Key(
            id=secrets.token_hex(4),
            name=name,
            sha256=_hash(token),
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            created_at=time.time(),
            expires_at=expires_at,
            requests_per_minute=requests_per_minute,
            audio_seconds_per_minute=audio_seconds_per_minute,
        )
        with self._changing():
            held = self._read()
            if any(other.name == name for other in held):
                raise InvalidRequest(f"a key named {name!r} exists already", param="name")
            self._write((*held, key))
        return key, token

    def first(self) -> str | None:
        """Make the first key, with every scope, if there is none yet; returns its token."""
        if self.keys():
            return None
        try:
            return self.create("first", SCOPES)[1]
        except InvalidRequest:  # another process was faster
            return None

    def keys(self) -> list[Key]:
        """Return all keys, oldest first."""
        return list(self._current())

    def revoke(self, name_or_id: str) -> Key:
        """Delete a key; raises NotFound, ConfigError."""
        if not self._path.exists():
            raise NotFound(f"no key is named {name_or_id!r}", hint="slimvoice keys list", param="name")
        with self._changing():
            held = self._read()
            gone = next((key for key in held if name_or_id in {key.name, key.id}), None)
            if gone is None:
                raise NotFound(f"no key is named {name_or_id!r}", hint="slimvoice keys list", param="name")
            self._write(tuple(key for key in held if key is not gone))
        return gone

    def verify(self, token: str) -> Key | None:
        """Return the valid key that `token` is, or None; the time taken tells nothing about the keys."""
        wanted = _hash(token)
        now = time.time()
        found: Key | None = None
        for key in self._current():
            if hmac.compare_digest(key.sha256, wanted):
                found = key
        return found if found is not None and not found.expired(now) else None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Be the only one, in any process, that changes the keys; raises ConfigError where they cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock_path):
                yield
        except OSError as error:
            raise unwritable_volume(self._path.parent, error) from error

    def _current(self) -> tuple[Key, ...]:
        """Return the keys, reading the file only when it has changed."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return ()
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            self._keys = self._read()
            self._seen = seen
        return self._keys

    def _read(self) -> tuple[Key, ...]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File).keys
        except FileNotFoundError:
            return ()
        except (msgspec.DecodeError, OSError) as error:
            raise ConfigError(
                f"cannot read the keys in {self._path}: {error}", hint="repair the file, or delete it and make new keys"
            ) from error

    def _write(self, keys: tuple[Key, ...]) -> None:
        """Replace the file at once; only its owner may read it."""
        atomic.write(self._path, msgspec.json.format(msgspec.json.encode(_File(keys)), indent=2), mode=0o600, sync=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _check(name: str, scopes: Sequence[str], *rates: int | None) -> None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidRequest("a key needs a name of 1 to 100 printable characters", param="name")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InvalidRequest(
            f"unknown scope {', '.join(unknown)}" if unknown else "a key needs a scope",
            hint=f"scopes are {', '.join(SCOPES)}",
            param="scopes",
        )
    if any(rate is not None and rate < 1 for rate in rates):
        raise InvalidRequest("a rate must be at least 1 per minute", param="rate")


def needs_keys(settings: Settings) -> bool:
    """Whether callers need a key: always, never, or on every address but loopback."""
    return settings.auth == "on" or (settings.auth == "auto" and not is_loopback(settings.host))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
