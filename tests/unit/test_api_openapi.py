"""The OpenAPI document is a file under test: a change of the API shows as a change of tests/contract/openapi.json.

Write it anew with: SLIMVOICE_WRITE_OPENAPI=1 python -m pytest tests/unit/test_api_openapi.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest_asyncio
from api_fakes import open_api
from jsonschema_rs import Draft202012Validator

FILE = Path(__file__).parents[1] / "contract" / "openapi.json"


@pytest_asyncio.fixture
async def document():
    async with open_api() as api:
        yield (await api.client.get("/openapi.json")).json()


async def test_the_document_is_the_file(document):
    text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("SLIMVOICE_WRITE_OPENAPI"):
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


async def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) == names


async def test_every_operation_has_words_and_tells_its_errors_in_the_envelope(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert "422" not in operation["responses"]
            for status, response in operation["responses"].items():
                if status >= "400" and path != "/health/ready":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (method, path, status)


def keys_of(node: object) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*(keys_of(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(keys_of(value) for value in node))
    return set()


async def test_bounds_are_told_in_the_words_of_json_schema(document):
    assert keys_of(document) & {"ge", "gt", "le", "lt", "max_length", "min_length", "strict"} == set()
    seconds = document["components"]["schemas"]["LoadBody"]["properties"]["keep_alive"]["anyOf"][1]
    assert seconds == {"type": "integer", "minimum": -999_999_999, "maximum": 999_999_999}


def bodies(document: dict) -> Iterator[tuple[str, dict]]:
    """Yield every JSON, form or event body with the name of what it belongs to."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, part in {"body": operation.get("requestBody", {}), **operation["responses"]}.items():
                for kind, content in part.get("content", {}).items():
                    if kind.startswith(("application/json", "multipart/", "text/event-stream")):
                        yield f"{method} {path} {status} {kind}", content


async def test_every_body_has_an_example_that_its_schema_allows(document):
    for name, content in bodies(document):
        examples = [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
        for example in examples:
            schema = content["schema"] | {"components": document["components"]}
            assert list(Draft202012Validator(schema).iter_errors(example)) == [], name


async def test_the_upload_form_names_every_parameter_of_openais_client(document):
    from openai.types.audio.speech_create_params import SpeechCreateParams
    from openai.types.audio.transcription_create_params import TranscriptionCreateParamsBase
    from openai.types.audio.translation_create_params import TranslationCreateParams

    schemas = document["components"]["schemas"]
    assert set(TranscriptionCreateParamsBase.__annotations__) <= set(schemas["TranscriptionForm"]["properties"]) | {
        "file"
    }
    assert set(TranslationCreateParams.__annotations__) <= set(schemas["TranslationForm"]["properties"]) | {"file"}
    assert set(SpeechCreateParams.__annotations__) <= set(schemas["SpeechBody"]["properties"])
