"""Lists of models and voices, management, health and metrics."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio
from api_fakes import Api, error_of, open_api

from slimvoice.errors import ShuttingDown
from slimvoice.speech import Task, WorkerStatus


@pytest_asyncio.fixture
async def api():
    async with open_api() as api:
        yield api


async def test_models_lists_what_is_installed(api: Api):
    body = (await api.client.get("/v1/models")).json()
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["fake-stt", "fake-stt-en", "fake-tts"]
    first = body["data"][0]
    assert first["object"] == "model"
    assert first["owned_by"] == "fake-stt"
    assert first["task"] == "speech-to-text"
    assert first["created"] > 1_700_000_000
    assert first["size_bytes"] == 300


async def test_a_model_is_found_by_name_alias_and_openai_name(api: Api):
    assert (await api.client.get("/v1/models/fake-stt")).json()["installed"]
    alias = (await api.client.get("/v1/models/whisper-1")).json()
    assert (alias["id"], alias["name"]) == ("whisper-1", "fake-stt")
    for name in ("Systran/faster-whisper-tiny", "whisper%3Abase.en"):
        known = await api.client.get(f"/v1/models/{name}")
        assert (known.status_code, error_of(known)["code"]) == (404, "model_not_pulled")
        assert "slimvoice pull whisper:" in error_of(known)["message"]
    missing = await api.client.get("/v1/models/nobody")
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "model_not_found"


async def test_audio_models_for_open_webui_and_by_task(api: Api):
    body = (await api.client.get("/v1/audio/models", params={"task": "text-to-speech"})).json()
    assert [model["id"] for model in body["models"]] == ["fake-tts"]
    assert body["models"] == body["data"]
    everything = (await api.client.get("/v1/audio/models", params={"all": "true"})).json()["data"]
    assert {"fake-stt": True, "not-pulled": False}.items() <= {m["id"]: m["installed"] for m in everything}.items()
    wrong = await api.client.get("/v1/audio/models", params={"task": "singing"})
    assert (wrong.status_code, error_of(wrong)["param"]) == (400, "task")
    wrong = await api.client.get("/v1/audio/models", params={"all": "perhaps"})
    assert (wrong.status_code, error_of(wrong)["param"]) == (400, "all")


@pytest.mark.parametrize("every", ["true", "false"])
async def test_open_webui_is_shown_models_that_speak_and_others_all(api: Api, every):
    body = (await api.client.get("/v1/audio/models", params={"all": every})).json()
    assert {model["task"] for model in body["models"]} == {"text-to-speech"}
    assert body["models"] == [model for model in body["data"] if model["task"] == "text-to-speech"]
    assert {model["task"] for model in body["data"]} == {"text-to-speech", "speech-to-text"}
    hearing = (await api.client.get("/v1/audio/models", params={"all": every, "task": "speech-to-text"})).json()
    assert hearing["models"] == hearing["data"] != []


async def test_voices_in_the_shape_that_open_webui_reads(api: Api):
    voices = (await api.client.get("/v1/audio/voices")).json()["voices"]
    assert {voice["id"]: voice["name"] for voice in voices} == {
        "af_bella": "bella", "af_sky": "sky", "am_adam": "adam",
    }  # fmt: skip
    assert {voice["model"] for voice in voices} == {"fake-tts"}
    assert voices[0]["language"] == "en-US"
    one = await api.client.get("/v1/audio/voices", params={"model": "tts-1"})
    assert one.json()["voices"] == voices
    assert (await api.client.get("/v1/audio/voices", params={"model": "fake-stt"})).status_code == 404


async def test_voices_tell_what_they_do_not_do_well(api: Api):
    voices = (await api.client.get("/v1/audio/voices", params={"model": "kokoro"})).json()["voices"]
    notes = {voice["language"]: voice["note"] for voice in voices}
    assert {language for language, note in notes.items() if note} == {"ja"}
    assert "kana" in notes["ja"]
    models = (await api.client.get("/v1/audio/models", params={"all": "true"})).json()["models"]
    (kokoro,) = [model for model in models if model["id"] == "kokoro"]
    assert "ja" not in kokoro["languages"] and "zh" in kokoro["languages"]


async def test_load_and_unload(api: Api):
    loaded = await api.client.post("/v1/audio/models/whisper-1/load", json={"keep_alive": "10m"})
    assert loaded.status_code == 200
    assert loaded.json()["state"] == "ready"
    assert api.provider.loads == [("fake-stt", 600.0)]
    assert (await api.client.post("/v1/audio/models/fake-stt/load")).status_code == 200
    assert (await api.client.post("/v1/audio/models/fake-stt/unload")).json()["status"] == "unloaded"
    assert api.provider.unloads == ["fake-stt"]
    missing = await api.client.post("/v1/audio/models/not-pulled/load")
    assert error_of(missing)["code"] == "model_not_pulled"


async def test_pull_tells_progress_line_by_line(tmp_path):
    async with open_api(tmp_path) as api:
        response = await api.client.post("/v1/audio/models/not-pulled")
        assert response.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert lines[-1] == {"status": "success", "model": "not-pulled"}
        assert lines[-2]["status"] == "done"
        assert lines[-2]["completed"] == lines[-2]["total"] == 500
        assert (await api.transcribe(model="not-pulled")).status_code == 200


async def test_pull_without_stream_answers_once(tmp_path):
    async with open_api(tmp_path) as api:
        response = await api.client.post("/v1/audio/models/not-pulled", json={"stream": False})
        assert response.json() == {"status": "success", "model": "not-pulled"}


async def test_a_pull_that_fails_at_once_is_a_status(api: Api):
    unknown = await api.client.post("/v1/audio/models/nobody")
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "model_not_found")
    gone = await api.client.post("/v1/audio/models/not-there", json={"stream": False})
    assert (gone.status_code, error_of(gone)["code"]) == (403, "offline")
    misplaced = await api.client.post("/v1/audio/models/fake-stt", json={"as": "mine"})
    assert misplaced.status_code == 400


async def test_a_pull_that_fails_on_the_way_ends_with_an_error_line(tmp_path, monkeypatch):
    async with open_api(tmp_path) as api:
        response = await api.client.post("/v1/audio/models/not-there")
        if response.status_code == 200:
            assert json.loads(response.text.splitlines()[-1])["error"]["code"]
        else:
            error_of(response)


async def test_delete_unloads_and_frees(tmp_path):
    async with open_api(tmp_path) as api:
        response = await api.client.delete("/v1/audio/models/fake-stt-en")
        body = response.json()
        assert body.pop("freed_bytes") >= 600
        assert body == {"id": "fake-stt-en", "object": "model", "deleted": True}
        assert api.provider.unloads == ["fake-stt-en"]
        assert (await api.client.delete("/v1/models/fake-stt")).json()["deleted"]  # as the openai SDK asks
        again = await api.client.delete("/v1/audio/models/fake-stt-en")
        assert (again.status_code, error_of(again)["code"]) == (404, "model_not_pulled")


async def test_first_use_pulls_when_the_setting_says_so(tmp_path):
    async with open_api(tmp_path, auto_pull="catalog") as api:
        assert (await api.transcribe(model="not-pulled")).status_code == 200
        refused = await api.transcribe(model="hf:test/fake")
        assert (refused.status_code, error_of(refused)["code"]) == (404, "model_not_pulled")


async def test_status_shows_workers_and_devices(api: Api):
    api.provider.workers = (
        WorkerStatus(
            model="fake-stt", task=Task.SPEECH_TO_TEXT, backend="fake-stt", state="ready", pid=7, memory_bytes=8
        ),
    )
    body = (await api.client.get("/system/audio/status")).json()
    assert body["version"]
    assert body["workers"][0]["model"] == "fake-stt"
    assert body["workers"][0]["memory_bytes"] == 8
    assert body["devices"] == []


async def test_health_is_live_and_ready_apart(api: Api):
    for path in ("/health", "/health/live", "/health/ready"):
        response = await api.client.get(path)
        assert (response.status_code, response.json()["status"]) == (200, "ok")
    failed = WorkerStatus(model="m", task=Task.SPEECH_TO_TEXT, backend="fake-stt", state="failed")
    api.provider.workers = (failed,)
    assert (await api.client.get("/health/ready")).status_code == 503
    assert (await api.client.get("/health")).status_code == 200
    api.provider.status_error = ShuttingDown("stopping")
    assert (await api.client.get("/health/ready")).json()["status"] == "unavailable"
    assert (await api.client.get("/health/live")).status_code == 200


async def test_metrics_in_prometheus_text(api: Api):
    await api.client.get("/v1/models/fake-stt")
    await api.client.get("/v1/no/such/route")
    response = await api.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert 'slimvoice_http_requests_total{method="GET",route="/v1/models/{name:path}",status="200"}' in response.text
    assert 'route="unmatched",status="404"' in response.text


async def test_docs_need_no_other_host(api: Api):
    response = await api.client.get("/docs")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "//" not in response.text.replace("http://", "!").replace("https://", "!")
    assert "https://" not in response.text
    document = (await api.client.get("/openapi.json")).json()
    assert document["info"]["title"] == "slimvoice"
