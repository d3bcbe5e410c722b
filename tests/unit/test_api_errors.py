"""The one table of errors, and the envelope that everything leaves in."""

from __future__ import annotations

import pytest
import pytest_asyncio
from api_fakes import Api, error_of, open_api

from slimvoice import errors
from slimvoice.api.errors import TABLE, error_response, row_of


def every_class(cls: type[errors.SlimvoiceError] = errors.SlimvoiceError) -> list[type[errors.SlimvoiceError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in every_class(child))]


def test_no_error_class_lacks_a_row():
    ours = {cls for cls in every_class() if cls.__module__ == "slimvoice.errors"}
    assert ours == set(TABLE)


def test_statuses_are_those_of_the_conventions():
    expected = {
        "invalid_request": 400, "invalid_audio": 400, "unsupported": 400, "invalid_api_key": 401,
        "permission_denied": 403, "model_not_found": 404, "model_not_pulled": 404, "too_large": 413, "overloaded": 429,
        "rate_limit_exceeded": 429, "inference_failed": 500, "model_load_failed": 500, "upstream_failed": 502,
        "worker_crashed": 503, "worker_wedged": 503, "insufficient_memory": 503, "deadline_exceeded": 504,
    }  # fmt: skip
    assert {code: row_of(errors.SlimvoiceError._by_code[code]("x")).status for code in expected} == expected
    assert 409 not in {row.status for row in TABLE.values()}  # the openai client retries it


@pytest.mark.parametrize("cls", every_class())
def test_retry_headers_fit_the_class(cls):
    response = error_response(cls("x"))
    retried_by_the_client = response.status_code == 429 or response.status_code >= 500
    assert ("x-should-retry" in response.headers) == retried_by_the_client
    if retried_by_the_client:
        assert response.headers["x-should-retry"] == str(row_of(cls("x")).retry).lower()
    if cls.retryable:
        assert row_of(cls("x")).retry
        assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (1.2, "2"), (120, "120"), (121, "120"), (1e9, "120")])
def test_retry_after_is_whole_and_at_most_what_the_client_obeys(seconds, header):
    assert error_response(errors.Overloaded("x", retry_after_s=seconds)).headers["retry-after"] == header


def test_a_remote_fault_is_retried_as_its_cause_says():
    error = errors.Upstream("x")
    assert error_response(error).headers["x-should-retry"] == "false"
    error.retryable = True  # type: ignore[misc]
    assert error_response(error).headers["x-should-retry"] == "true"


@pytest_asyncio.fixture
async def api():
    async with open_api() as api:
        yield api


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat/completions", "/v1/audio/nothing", "/%00", "/v1/audio/speech/"])
async def test_unknown_routes_leave_in_the_envelope(api: Api, path):
    response = await api.client.get(path)
    assert response.status_code == 404
    assert error_of(response)["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/v1/v1/audio/speech", "did you mean /v1/audio/speech? The base URL has /v1 twice"),
        ("POST", "/v1/v1/v1/audio/transcriptions", "did you mean /v1/audio/transcriptions?"),
        ("POST", "/audio/speech", "did you mean /v1/audio/speech? The base URL lacks /v1"),
        ("GET", "/models", "did you mean /v1/models? The base URL lacks /v1"),
        ("POST", "/v1/audio/speech/", "did you mean /v1/audio/speech?"),
        ("GET", "/v1/realtime", "this server has no Realtime API yet"),
        ("POST", "/v1/realtime/client_secrets", "this server has no Realtime API yet"),
        ("POST", "/realtime/calls", "this server has no Realtime API yet"),
    ],
)
async def test_an_unknown_route_says_what_may_be_meant(api: Api, method, path, told):
    response = await api.client.request(method, path)
    assert response.status_code == 404
    assert error_of(response)["code"] == "unknown_url"
    assert told in error_of(response)["message"]


async def test_an_unknown_route_that_is_like_none_gets_no_suggestion(api: Api):
    for path in ("/v1/chat/completions", "/audio/nothing", "/v1/v1/nothing", "/v1/realtimes"):
        assert error_of(await api.client.get(path))["message"] == f"unknown URL: GET {path} (see /docs)"


@pytest.mark.parametrize("path", ["/v1//models", "//v1/models", "/v1///models", "/v1//audio//models"])
async def test_slashes_too_many_are_one(api: Api, path):
    response = await api.client.get(f"http://localhost{path}")
    assert response.status_code == 200
    assert "fake-stt" in {model["id"] for model in response.json()["data"]}


async def test_a_wrong_method_leaves_in_the_envelope_and_names_the_right_one(api: Api):
    response = await api.client.get("/v1/audio/speech")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert error_of(response)["code"] == "method_not_allowed"
    for path, allowed in (("/v1/audio/models/fake-stt", "DELETE, POST"), ("/v1/models", "GET, HEAD")):
        response = await api.client.request("OPTIONS", path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)


async def test_head_is_answered_wherever_get_is(api: Api):
    for path in ("/health", "/v1/models", "/docs"):
        assert (await api.client.head(path)).status_code == 200
    assert (await api.client.head("/v1/audio/speech")).status_code == 405


async def test_a_request_id_is_kept_or_made(api: Api):
    given = await api.client.get("/health", headers={"x-request-id": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    for bad in ("a b", "x" * 200, "a;b"):
        made = (await api.client.get("/nowhere", headers={"x-request-id": bad})).headers["x-request-id"]
        assert made.startswith("req_")
