"""The OpenAPI document: adds the bodies that routes parse by hand, and the error responses."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from slimvoice.api.errors import TABLE
from slimvoice.api.schemas import examples, requests, responses

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_DESCRIPTIONS = {
    400: "A field is wrong; `param` names it.",
    401: "A key is needed, or it is not valid.",
    403: "The key lacks the scope, or the page's origin is not allowed.",
    404: "No such model, or it is not pulled; the message says how.",
    413: "Too many bytes, seconds or characters.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "The model failed.",
    502: "A source of models failed.",
    503: "The model is not available now; Retry-After says when.",
    504: "It took too long.",
    507: "The volume is full.",
}
ERRORS: dict[int | str, Json] = {
    status: {"description": text, "content": {"application/json": {"schema": {"$ref": _REF.format(model="ErrorBody")}}}}
    for status, text in _DESCRIPTIONS.items()
    if status in {row.status for row in TABLE.values()}
}

HAND_PARSED: tuple[type[BaseModel], ...] = (
    requests.TranscriptionForm,
    requests.TranslationForm,
    requests.InputAudio,
    requests.SpeechBody,
    requests.LoadBody,
    requests.PullBody,
)
NAMED: tuple[type[BaseModel], ...] = (
    responses.Transcription,
    responses.VerboseTranscription,
    responses.PullLine,
    responses.ErrorBody,
)


EVENTS: Json = {
    "schema": {
        "type": "object",
        "required": ["data"],
        "properties": {"data": {"type": "string", "description": "A JSON object, or `[DONE]` at the end."}},
    }
}


def events(example: Json) -> Json:
    """Describe a stream of server-sent events, each as its fields."""
    return EVENTS | {"example": example}


def upload_body(form: type[BaseModel], example: Json) -> Json:
    """Describe a body that is a multipart form with a file, or JSON with `input_audio`."""
    fields = {"$ref": _REF.format(model=form.__name__)}
    file = {"type": "string", "format": "binary", "description": "Audio in any common format."}
    audio = {"$ref": _REF.format(model="InputAudio")}
    with_file = {"type": "object", "required": ["file"], "properties": {"file": file}}
    with_audio = {"type": "object", "required": ["input_audio"], "properties": {"input_audio": audio}}
    inline = {name: value for name, value in example.items() if name != "file"}
    inline["input_audio"] = {"data": "UklGRiQAAABXQVZF...", "format": "wav"}
    content = {
        "multipart/form-data": {"schema": {"allOf": [fields, with_file]}, "example": example},
        "application/json": {"schema": {"allOf": [fields, with_audio]}, "example": inline},
    }
    return {"requestBody": {"required": True, "content": content}}


def json_body(model: type[BaseModel], example: Json, *, required: bool = True) -> Json:
    """Describe a JSON body."""
    content = {"schema": {"$ref": _REF.format(model=model.__name__)}, "example": example}
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


def install(app: FastAPI) -> None:
    """Make `app.openapi` return the document."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    parts = document.setdefault("components", {}).setdefault("schemas", {})
    for models, mode in ((HAND_PARSED, "validation"), (NAMED, "serialization")):
        _, extra = models_json_schema([(model, mode) for model in models], ref_template=_REF)  # type: ignore[misc]
        parts.update(extra["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        parts.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # wrong fields are 400 here
            for status, response in operation["responses"].items():
                _add_example(status, response.get("content", {}).get("application/json", {}))
    document["components"]["schemas"] = dict(sorted(parts.items()))
    return document


def _add_example(status: str, content: Json) -> None:
    """Give a JSON answer the example of its schema; an error that of the first row of the table with its status."""
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name == "ErrorBody":
        cls, row = next((cls, row) for cls, row in TABLE.items() if row.status == int(status))
        error = {"message": _DESCRIPTIONS[row.status], "type": row.type, "param": None, "code": cls.code}
        content["example"] = {"error": error}
    elif name in examples.RESPONSES:
        unready = {"status": "unavailable"} if status == "503" else {}
        content["example"] = examples.RESPONSES[name] | unready
