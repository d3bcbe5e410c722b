"""WebSockets through the whole face: a test-only echo route on a real server, called by a real client."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2 as httpx
import pytest
from api_fakes import build, serving
from fastapi import Depends, WebSocket
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from slimvoice.api.auth import Gate
from slimvoice.api.http_protocol import PromptH11
from slimvoice.errors import Overloaded, WorkerCrashed
from slimvoice.keys import KeyStore

ECHO = "/v1/test/echo"


def echo_app(folder, **settings):
    """Build a face with a route that echoes text and bytes, until it is told `fail`, `crash` or `bye`."""
    app, _, _ = build(folder, **settings)
    keys = KeyStore(folder / "home" / "keys") if settings.get("auth") == "on" else None
    gate = Gate(keys, open_lists=True)

    @app.websocket(ECHO, dependencies=[Depends(gate.needs("use"))])
    async def echo(websocket: WebSocket, number: int = 0) -> None:
        if number < 0:
            raise Overloaded("no room for less than nothing")
        await websocket.accept()
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "bye":
                await websocket.close(1000)
                return
            if message.get("text") == "fail":
                raise WorkerCrashed("the worker died")
            if message.get("text") == "crash":
                raise ZeroDivisionError
            await websocket.send({**message, "type": "websocket.send"})

    return app


@asynccontextmanager
async def echoing(folder, **settings):
    """Serve the echo; gives its address and what is logged."""
    async with serving(echo_app(folder, **settings)) as port:
        with capture_logs() as logs:
            yield f"ws://127.0.0.1:{port}", logs


async def ended(logs) -> dict:
    """Return the access log's line of the only WebSocket, once it is there."""
    async with asyncio.timeout(10):
        while not (lines := [line for line in logs if line["event"] == "websocket"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(lines) == 1
    return lines[0]


async def counted(url: str) -> list[str]:
    async with httpx.AsyncClient() as client:
        text = (await client.get(url.replace("ws:", "http:") + "/metrics")).text
    return [line for line in text.splitlines() if line.startswith("slimvoice_websocket_connections_total")]


async def refusal(address: str, **options) -> tuple[int, dict, dict]:
    """Return status, error and headers of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        await connect(address, **options)
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"], response.headers


async def test_a_connection_has_its_id_in_the_handshake_and_its_traffic_in_the_log(tmp_path):
    async with echoing(tmp_path) as (url, logs):
        async with connect(url + ECHO, additional_headers={"x-request-id": "mine-1"}) as client:
            assert client.response.headers["x-request-id"] == "mine-1"
            await client.send("grüße")
            assert await client.recv() == "grüße"
            await client.send(b"\0" * 1000)
            assert await client.recv() == b"\0" * 1000
            await client.close(1000)
        line = await ended(logs)
        assert await counted(url) == [f'slimvoice_websocket_connections_total{{outcome="closed",route="{ECHO}"}} 1.0']
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "websocket", "log_level": "info", "path": ECHO, "status": 101, "request_id": "mine-1",
        "received_bytes": 1007, "received_messages": 2, "sent_bytes": 1007, "sent_messages": 2, "close_code": 1000,
    }  # fmt: skip


async def test_an_id_is_made_where_none_is_sent(tmp_path):
    async with echoing(tmp_path) as (url, _), connect(url + ECHO) as client:
        assert client.response.headers["x-request-id"].startswith("req_")


async def test_a_key_is_checked_before_the_upgrade(tmp_path):
    async with echoing(tmp_path, auth="on") as (url, logs):
        keys = KeyStore(tmp_path / "home" / "keys")
        _, token = keys.create("user")
        _, other = keys.create("reader", scopes=("metrics",))
        status, error, headers = await refusal(url + ECHO)
        assert (status, error["code"]) == (401, "invalid_api_key")
        assert headers["www-authenticate"] == "Bearer"
        assert headers["x-request-id"].startswith("req_")
        assert (await ended(logs))["status"] == 401
        status, error, _ = await refusal(url + ECHO, additional_headers={"authorization": f"Bearer {other}"})
        assert (status, error["code"]) == (403, "permission_denied")
        for header in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}):
            async with connect(url + ECHO, additional_headers=header) as client:
                await client.send("in")
                assert await client.recv() == "in"


async def test_too_many_at_once_are_refused_before_the_upgrade_and_requests_with_them(tmp_path):
    async with echoing(tmp_path, max_requests=1) as (url, _):
        async with connect(url + ECHO) as client:
            status, error, headers = await refusal(url + ECHO)
            assert (status, error["code"], headers["retry-after"]) == (429, "overloaded", "2")
            async with httpx.AsyncClient() as browser:
                assert (await browser.get(url.replace("ws:", "http:") + "/v1/models")).status_code == 429
            await client.send("still here")
            assert await client.recv() == "still here"
        async with asyncio.timeout(10):
            while not any('outcome="closed"' in line for line in await counted(url)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert 'slimvoice_websocket_connections_total{outcome="429",route="unmatched"} 1.0' in await counted(url)
        async with connect(url + ECHO) as client:
            await client.send("room again")
            assert await client.recv() == "room again"


async def test_a_route_that_is_not_there_is_refused_in_the_envelope(tmp_path):
    async with echoing(tmp_path) as (url, logs):
        status, error, headers = await refusal(url + "/v1/nothing")
        assert (status, error["code"]) == (404, "unknown_url")
        assert headers["content-type"] == "application/json"
        line = await ended(logs)
        assert (line["status"], line["close_code"]) == (404, None)
        assert line["sent_bytes"] == int(headers["content-length"])


async def test_realtime_is_said_to_be_absent(tmp_path):
    async with echoing(tmp_path) as (url, _):
        for path in ("/v1/realtime?intent=transcription&model=x", "/v1//realtime"):
            status, error, _ = await refusal(url + path)
            assert (status, error["code"]) == (404, "unknown_url")
            assert "no Realtime API yet" in error["message"]


async def test_an_error_or_a_wrong_parameter_before_the_upgrade_is_a_status(tmp_path):
    async with echoing(tmp_path) as (url, _):
        status, error, headers = await refusal(f"{url}{ECHO}?number=-1")
        assert (status, error["code"], headers["x-should-retry"]) == (429, "overloaded", "true")
        status, error, _ = await refusal(f"{url}{ECHO}?number=x")
        assert (status, error["code"], error["param"]) == (400, "invalid_request", "number")


@pytest.mark.parametrize(
    ("told", "code", "reason"),
    [("fail", 1013, "the worker died"), ("crash", 1011, "something went wrong in slimvoice"), ("bye", 1000, "")],
)
async def test_an_error_after_the_upgrade_closes_with_its_code_and_reason(tmp_path, told, code, reason):
    async with echoing(tmp_path) as (url, logs):
        async with connect(url + ECHO) as client:
            await client.send(told)
            with pytest.raises(ConnectionClosed) as caught:
                await client.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == code
        assert caught.value.rcvd.reason.startswith(reason)
        assert (await ended(logs))["close_code"] == code
        outcome = "closed" if code == 1000 else "failed"
        assert f'outcome="{outcome}"' in (await counted(url))[0]


async def test_a_page_of_another_origin_is_refused_before_the_upgrade(tmp_path):
    async with echoing(tmp_path) as (url, _):
        status, error, _ = await refusal(url + ECHO, origin="https://elsewhere.example")
        assert (status, error["code"]) == (403, "permission_denied")


async def test_a_connection_outlives_the_time_that_headers_may_take(tmp_path, monkeypatch):
    monkeypatch.setattr(PromptH11, "header_timeout_s", 0.2)
    async with echoing(tmp_path) as (url, _), connect(url + ECHO) as client:
        await asyncio.sleep(0.5)
        await client.send("late")
        assert await client.recv() == "late"


async def test_a_server_without_the_extension_closes_with_a_code_instead(tmp_path):
    app = echo_app(tmp_path, max_requests=0)
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await app({"type": "websocket", "path": ECHO, "headers": [], "query_string": b""}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "0 requests are being served already"}]
