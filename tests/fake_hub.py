"""A hub on 127.0.0.1 that speaks enough of the Hugging Face protocol, and misbehaves on request.

Large files are answered as the real hub does: a redirect to storage on another origin, with the sha256 in
`X-Linked-Etag`. What was asked and how many bytes of file bodies were sent is counted.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_SEND_BYTES = 65_536


@dataclass
class Asked:
    """One request as a server saw it."""

    server: str
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class FakeHub:
    """Files by repository; use as a context manager."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    """Paths outside LFS: served by the hub itself, with git's hash as etag."""
    gated: set[str] = field(default_factory=set)
    token: str = ""
    """When set, repositories in `gated` open for this token."""
    corrupt: set[str] = field(default_factory=set)
    """Paths whose bodies have the right size and wrong bytes."""
    failures: Counter[str] = field(default_factory=Counter)
    """Method -> how many of the next requests get a 503; `break`: bodies that end early."""
    no_ranges: bool = False
    plain_etags: bool = False
    """Answer as simple servers do: no redirects, and etags that are no hashes."""
    stall_at: int | None = None
    """Bodies stop after so many bytes of the file until `released` is set."""
    released: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list)
    sent_bytes: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    """Set once a body stalls."""

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._servers = [_serve(self, "hub"), _serve(self, "storage")]
        self.endpoint, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def count(self, method: str, server: str = "storage") -> int:
        """Return how many requests a server got."""
        return sum(asked.method == method and asked.server == server for asked in self.asked)

    def take_failure(self, kind: str) -> bool:
        """Return whether this request is to fail."""
        with self._lock:
            if self.failures[kind] <= 0:
                return False
            self.failures[kind] -= 1
            return True

    def note_sent(self, count: int) -> None:
        """Count bytes of a body."""
        with self._lock:
            self.sent_bytes += count

    def is_locked(self, repo: str, authorization: str) -> bool:
        """Return whether a repository asks for a better token."""
        return repo in self.gated and not (self.token and authorization == f"Bearer {self.token}")


def git_sha1(data: bytes) -> str:
    """Return git's hash of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _serve(hub: FakeHub, name: str) -> ThreadingHTTPServer:
    handler = type(name, (_Handler,), {"hub": hub, "name": name})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that go away in the middle are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    name: str
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, method: str) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.asked.append(Asked(self.name, method, path, {key.lower(): value for key, value in self.headers.items()}))
        if hub.take_failure(method):
            return self._end(503, {"Content-Length": "0"})
        if self.name == "storage":
            return self._stored(method, path)
        if path.startswith("/api/models/"):
            return self._listing(path)
        if path.startswith("/mirror/"):
            return self._mirrored(method, path)
        return self._resolve(method, path)

    def _listing(self, path: str) -> None:
        if path.split("/")[5] == "tree":
            return self._tree(path)
        repo = "/".join(path.split("/")[3:5])
        if (refused := self._refusal(repo)) is not None:
            return self._end(*refused)
        files = self.hub.repos[repo].items()
        body = {
            "id": repo,
            "sha": COMMIT,
            "siblings": [
                {"rfilename": name, "size": len(data), "lfs": {"sha256": hashlib.sha256(data).hexdigest()}}
                for name, data in files
            ],
        }
        if parse_qs(urlsplit(self.path).query).get("blobs") != ["True"]:
            body["siblings"] = [{"rfilename": name} for name, _ in files]
        return self._send(json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _tree(self, path: str) -> None:
        files = self.hub.repos["/".join(path.split("/")[3:5])]
        entries = []
        for name, data in files.items():
            entry: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)}
            if name not in self.hub.small:
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 130}
            entries.append(entry)
        self._send(json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _refusal(self, repo: str) -> tuple[int, dict[str, str]] | None:
        if self.hub.is_locked(repo, self.headers.get("Authorization", "")):
            return 403, {"X-Error-Code": "GatedRepo", "Content-Length": "0"}
        if repo not in self.hub.repos:
            return 404, {"X-Error-Code": "RepoNotFound", "Content-Length": "0"}
        return None

    def _resolve(self, method: str, path: str) -> None:
        owner, name, _, revision, file = path.removeprefix("/").split("/", 4)
        repo = f"{owner}/{name}"
        if (refused := self._refusal(repo)) is not None:
            return self._end(*refused)
        if revision not in {"main", COMMIT}:
            return self._end(404, {"X-Error-Code": "RevisionNotFound", "Content-Length": "0"})
        if file not in self.hub.repos[repo]:
            return self._end(404, {"X-Error-Code": "EntryNotFound", "Content-Length": "0"})
        data = self.hub.repos[repo][file]
        about = {"X-Repo-Commit": COMMIT}
        if file in self.hub.small:
            return self._body(method, file, data, {**about, "ETag": f'"{git_sha1(data)}"'})
        if self.hub.plain_etags:
            return self._body(method, file, data, {**about, "ETag": f'"v1-{len(data)}"'})
        sha256 = hashlib.sha256(data).hexdigest()
        linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(data))}
        place = {"Location": f"{self.hub.storage}/{repo}/{file}", "Content-Length": "0"}
        return self._end(302, {**about, **linked, **place})

    def _stored(self, method: str, path: str) -> None:
        owner, name, file = path.removeprefix("/").split("/", 2)
        data = self.hub.repos[f"{owner}/{name}"][file]
        self._body(method, file, data, {"ETag": '"storage-has-its-own"'})

    def _mirrored(self, method: str, path: str) -> None:
        owner, name, file = path.removeprefix("/mirror/").split("/", 2)
        data = self.hub.repos.get(f"{owner}/{name}", {}).get(file)
        if data is None:
            return self._end(404, {"Content-Length": "0"})
        return self._body(method, file, data, {"ETag": f'"{len(data):x}"'})

    def _body(self, method: str, file: str, data: bytes, headers: dict[str, str]) -> None:
        start, asked = 0, self.headers.get("Range", "")
        tag = self.headers.get("If-Range", headers["ETag"])
        if asked and not self.hub.no_ranges and tag == headers["ETag"]:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self._end(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
            headers |= {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        self.send_response(206 if "Content-Range" in headers else 200)
        for key, value in (headers | {"Content-Length": str(len(data) - start)}).items():
            self.send_header(key, value)
        self.end_headers()
        if method == "GET":
            self._send_from(bytes(len(data)) if file in self.hub.corrupt else data, start)
        return None

    def _send_from(self, data: bytes, start: int) -> None:
        hub = self.hub
        breaks = len(data) - start > _SEND_BYTES and hub.take_failure("break")  # a shorter one has no middle
        try:
            for place in range(start, len(data), _SEND_BYTES):
                if breaks and place >= start + len(data) // 4:
                    self.close_connection = True
                    return
                if hub.stall_at is not None and place >= hub.stall_at and not hub.released.is_set():
                    hub.reached.set()
                    hub.released.wait(30)
                chunk = data[place : place + _SEND_BYTES]
                self.wfile.write(chunk)
                hub.note_sent(len(chunk))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _send(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def _end(self, status: int, headers: dict[str, str]) -> None:
        body = b'{"error": "it is said in the headers"}' if status >= 400 else b""
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
