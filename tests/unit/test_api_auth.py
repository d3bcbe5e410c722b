"""Keys, scopes, rates, and web pages of other origins."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager

import pytest
from api_fakes import error_of, make_settings, open_api, wav

from slimvoice.keys import KeyStore, is_loopback, needs_keys

FORM = {"files": {"file": ("a.wav", wav())}}
SPEECH = {"json": {"model": "fake-tts", "input": "Hi"}}

ROUTES = {
    "use": [
        ("POST", "/v1/audio/transcriptions", FORM),
        ("POST", "/v1/audio/translations", FORM),
        ("POST", "/v1/audio/speech", SPEECH),
    ],
    "manage": [
        ("POST", "/v1/audio/models/fake-stt", {}),
        ("POST", "/v1/audio/models/fake-stt/load", {}),
        ("POST", "/v1/audio/models/fake-stt/unload", {}),
        ("DELETE", "/v1/audio/models/nobody", {}),
        ("GET", "/system/audio/status", {}),
    ],
    "metrics": [("GET", "/metrics", {}), ("GET", "/system/audio/status", {})],
}
LISTS = ["/v1/models", "/v1/models/fake-stt", "/v1/audio/models", "/v1/audio/voices"]


@asynccontextmanager
async def guarded(tmp_path, **settings):
    """Open a face that asks for keys, and its store."""
    async with open_api(tmp_path, auth="on", **settings) as api:
        yield api, KeyStore(tmp_path / "home" / "keys")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_no_key_is_needed_on_loopback_and_one_is_elsewhere(tmp_path):
    assert not needs_keys(make_settings(tmp_path))
    assert not needs_keys(make_settings(tmp_path, host="::1"))
    assert needs_keys(make_settings(tmp_path, host="0.0.0.0"))
    assert needs_keys(make_settings(tmp_path, host="::"))
    assert needs_keys(make_settings(tmp_path, host="192.168.0.5"))
    assert needs_keys(make_settings(tmp_path, host="my.host"))
    assert needs_keys(make_settings(tmp_path, auth="on"))
    assert not needs_keys(make_settings(tmp_path, host="0.0.0.0", auth="off"))
    assert is_loopback("127.5.5.5")
    assert not is_loopback("")


async def test_every_route_that_works_or_manages_needs_a_key(tmp_path):
    async with guarded(tmp_path) as (api, _keys):
        for method, path, extra in [route for routes in ROUTES.values() for route in routes]:
            for headers in ({}, bearer("sv-wrong"), {"X-API-Key": "sv-wrong"}, {"Authorization": "Basic abc"}):
                response = await api.client.request(method, path, headers=headers, **extra)
                assert response.status_code == 401, path
                assert error_of(response)["code"] == "invalid_api_key"
                assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scope", ROUTES)
async def test_a_key_opens_what_its_scope_names_and_nothing_else(tmp_path, scope):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("k", [scope])
        allowed = {(method, path) for method, path, _ in ROUTES[scope]}
        for method, path, extra in [route for routes in ROUTES.values() for route in routes]:
            response = await api.client.request(method, path, headers=bearer(token), **extra)
            assert (response.status_code != 403) == ((method, path) in allowed), path
            assert response.status_code != 401


async def test_x_api_key_is_accepted(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("k")
        for bearers in ({}, bearer("none"), {"Authorization": "Bearer "}):  # the SDK sends one whatever else it sends
            headers = {"X-API-Key": token} | bearers
            assert (await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)).status_code == 200
        headers = {"X-API-Key": "wrong"} | bearer(token)
        assert (await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)).status_code == 200
        headers = {"X-API-Key": "wrong"} | bearer("none")
        assert (await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)).status_code == 401


async def test_lists_are_open_or_closed_by_a_setting(tmp_path):
    async with guarded(tmp_path) as (api, _):
        for path in LISTS:
            assert (await api.client.get(path)).status_code == 200
    async with guarded(tmp_path, open_lists=False) as (api, keys):
        _, token = keys.create("k")
        for path in LISTS:
            assert (await api.client.get(path)).status_code == 401
            assert (await api.client.get(path, headers=bearer(token))).status_code == 200


async def test_health_needs_no_key(tmp_path):
    async with guarded(tmp_path) as (api, _):
        for path in ("/health", "/health/live", "/health/ready", "/docs", "/openapi.json"):
            assert (await api.client.get(path)).status_code == 200


async def test_expired_and_revoked_keys_stop_working_at_once(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, expired = keys.create("old", expires_at=time.time() - 1)
        _, token = keys.create("new")
        assert (await api.client.post("/v1/audio/speech", headers=bearer(expired), **SPEECH)).status_code == 401
        assert (await api.client.post("/v1/audio/speech", headers=bearer(token), **SPEECH)).status_code == 200
        keys.revoke("new")
        assert (await api.client.post("/v1/audio/speech", headers=bearer(token), **SPEECH)).status_code == 401


async def test_a_request_without_a_key_is_refused_before_its_body_is_read(tmp_path):
    async with guarded(tmp_path) as (api, _):

        async def body():
            raise AssertionError("the body was read")
            yield b""

        response = await api.client.post("/v1/audio/transcriptions", content=body())
        assert response.status_code == 401


async def test_requests_per_minute(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("slow", requests_per_minute=2)
        _, other = keys.create("free")
        statuses = [
            (await api.client.post("/v1/audio/speech", headers=bearer(token), **SPEECH)).status_code for _ in range(2)
        ]
        assert statuses == [200, 200]
        refused = await api.client.post("/v1/audio/speech", headers=bearer(token), **SPEECH)
        assert refused.status_code == 429
        assert error_of(refused)["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 120
        assert (await api.client.post("/v1/audio/speech", headers=bearer(other), **SPEECH)).status_code == 200


async def test_audio_seconds_per_minute(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("slow", audio_seconds_per_minute=5)
        url = "/v1/audio/transcriptions"
        for expected in (200, 200, 429):  # two seconds each
            response = await api.client.post(url, headers=bearer(token), **FORM)
            assert response.status_code == expected
        assert "audio seconds" in error_of(response)["message"]
        _, tiny = keys.create("tiny", audio_seconds_per_minute=1)
        never = await api.client.post(url, headers=bearer(tiny), **FORM)
        assert never.status_code == 413  # waiting would not help


async def test_spoken_audio_counts_too(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("slow", audio_seconds_per_minute=2)
        for expected in (200, 200, 429):  # one second each
            response = await api.client.post("/v1/audio/speech", headers=bearer(token), **SPEECH)
            assert response.status_code == expected


async def test_web_pages_of_other_origins_cannot_use_a_keyless_server(tmp_path):
    async with open_api(tmp_path) as api:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Host": "evil.example"},
            {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"},
            {"Origin": "http://localhost.evil.example"},
            {"Origin": "http://["},
        ):
            response = await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)
            assert response.status_code == 403, headers
            error_of(response)
        for headers in ({"Origin": "http://localhost"}, {"Host": "127.0.0.1:8000"}, {"Host": "[::1]:8000"}):
            response = await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)
            assert response.status_code == 200, headers


async def test_a_proxy_host_and_a_web_page_can_be_allowed(tmp_path):
    settings = {"allowed_hosts": "voice.example, other.example", "cors_origins": "https://app.example"}
    async with open_api(tmp_path, **settings) as api:
        headers = {"Host": "voice.example", "Origin": "https://app.example"}
        response = await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        preflight = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        assert (await api.client.options("/v1/audio/speech", headers=preflight)).status_code == 200


async def test_cors_is_off_by_default(tmp_path):
    async with guarded(tmp_path) as (api, keys):
        _, token = keys.create("k")
        headers = bearer(token) | {"Origin": "https://app.example"}
        response = await api.client.post("/v1/audio/speech", headers=headers, **SPEECH)
        assert response.status_code == 200  # the key is what counts; a browser keeps the answer from the page
        assert "access-control-allow-origin" not in response.headers
