"""Files over HTTP, from any byte on; and a mirror URL, laid out as the hub is: {base}/{repo}/{path}."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import quote

import httpx2

from slimvoice.errors import SourceMissing, SourceUnreachable
from slimvoice.models.records import ModelFile
from slimvoice.models.sources.base import Body, Remote

_CHUNK_BYTES = 1 << 16
"""What a kill may lose of a download."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")

TIMEOUT = httpx2.Timeout(20.0, connect=4.0)
"""A host that does not take the connection within seconds is left for the next source."""


def new_client() -> httpx2.Client:
    """Return a client as every source uses it."""
    return httpx2.Client(follow_redirects=True, timeout=TIMEOUT)


class WebFiles:
    """Ranged downloads over one client. Knows HTTP, and the hub's headers where a server sends them."""

    def __init__(self, client: httpx2.Client, raise_for: Callable[[httpx2.Response, str], None] | None = None) -> None:
        self._client = client
        self._raise_for = raise_for or _raise_for
        self.answered = False

    def head(self, url: str, label: str) -> Remote:
        """Ask for size and hash; raises SourceMissing, SourceUnreachable."""
        try:
            response = self._client.head(url, headers={"Accept-Encoding": "identity"})
        except httpx2.HTTPError as error:
            raise unreachable(error) from error
        self.answered = True
        self._raise_for(response, label)
        return _remote_of(response)

    def open(self, url: str, headers: dict[str, str], offset: int, etag: str, label: str) -> Body:
        """Open `url` from `offset` on, or from 0 where the server or a changed etag wants it so."""
        asked = {**headers, "Accept-Encoding": "identity"}
        if offset:
            asked["Range"] = f"bytes={offset}-"
            if etag and not etag.startswith("W/"):
                asked["If-Range"] = f'"{etag}"'
        try:
            response = self._client.send(self._client.build_request("GET", url, headers=asked), stream=True)
        except httpx2.HTTPError as error:
            raise unreachable(error) from error
        self.answered = True
        try:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                response.close()
                return self.open(url, headers, 0, "", label)
            self._raise_for(response, label)
            start, size = _range_of(response)
        except BaseException:
            response.close()
            raise
        linked = _remote_of(response.history[0] if response.history else response)
        return Body(offset=start, chunks=_chunks(response), size=size, sha256=linked.sha256)


class WebSource:
    """What sources over HTTP share: a client that is made at the first question, and given back by `close`."""

    networked = True
    _raise_for: Callable[[httpx2.Response, str], None] | None = None

    def __init__(self) -> None:
        self._client: httpx2.Client | None = None
        self._files: WebFiles | None = None
        self._lock = threading.Lock()

    @property
    def answered(self) -> bool:
        """Return whether it ever answered."""
        return self._files is not None and self._files.answered

    def has(self, file: ModelFile) -> bool:  # noqa: ARG002 - only asking tells
        """Always worth asking."""
        return True

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
        self._client = self._files = None

    def _web(self) -> WebFiles:
        with self._lock:
            if self._files is None:
                self._client = new_client()
                self._files = WebFiles(self._client, self._raise_for)
            return self._files


class UrlSource(WebSource):
    """A mirror behind a URL; a plain file server will do. No token is sent to it."""

    name = "mirror"

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base.rstrip("/")

    def describe(self, file: ModelFile) -> Remote:
        """Ask for the file's size, and its hash where the mirror sends the hub's headers."""
        return self._web().head(self._url(file), file.label)

    def open(self, file: ModelFile, offset: int, etag: str) -> Body:
        """Open the file from `offset` on."""
        return self._web().open(self._url(file), {}, offset, etag, file.label)

    def paths(self, repo: str, revision: str) -> dict[str, int]:  # noqa: ARG002 - the protocol's
        """A plain file server lists nothing that could be relied on."""
        raise SourceMissing(f"a mirror URL cannot list {repo}")

    def _url(self, file: ModelFile) -> str:
        return f"{self._base}/{quote(file.repo)}/{quote(file.path)}"


def hash_fields(etag: str) -> dict[str, str]:
    """Return the hash that the hub gives as a file's etag: sha256 of LFS files, git's blob hash of the others."""
    if _SHA256.fullmatch(etag):
        return {"sha256": etag}
    return {"git_sha1": etag} if _SHA1.fullmatch(etag) else {}


def _remote_of(response: httpx2.Response) -> Remote:
    """Read what the headers tell: the hub's own (of a linked file) before HTTP's."""
    headers = response.headers
    etag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").strip()
    plain = etag.removeprefix("W/").strip('"')
    size = headers.get("X-Linked-Size") or ("" if response.has_redirect_location else headers.get("Content-Length"))
    return Remote(
        size=int(size) if size and size.isdigit() else 0,
        etag=etag if etag.startswith("W/") else plain,
        commit=headers.get("X-Repo-Commit", ""),
        **(hash_fields(plain) if "X-Repo-Commit" in headers else {}),
    )


def _raise_for(response: httpx2.Response, label: str) -> None:
    """Turn a status into the PullError that says what to do."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        return
    host = response.url.host
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise SourceMissing(f"{host} has no {label}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        # object stores answer so for what they do not have, too
        raise SourceMissing(f"{host} does not let us read {label} (HTTP {status})")
    raise SourceUnreachable(f"{host} answered HTTP {status} for {label}")


def unreachable(error: httpx2.HTTPError) -> SourceUnreachable:
    """Wrap a failure to connect or to read."""
    try:
        host = error.request.url.host
    except RuntimeError:  # httpx sets no request on some errors
        host = "the host"
    reason = str(error) or type(error).__name__
    return SourceUnreachable(f"{host} cannot be reached ({reason})")


def _range_of(response: httpx2.Response) -> tuple[int, int]:
    """Return where the body begins, and the size of the whole file (0: not said)."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise SourceUnreachable(f"{response.url.host} sent a part of a file without saying which")
        return int(match[1]), 0 if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else 0


def _chunks(response: httpx2.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_raw(_CHUNK_BYTES)
    except httpx2.HTTPError as error:
        raise unreachable(error) from error
    finally:
        response.close()
