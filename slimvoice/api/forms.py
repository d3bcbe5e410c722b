"""Read request bodies within bounds: multipart forms in every client's spelling, and JSON."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import structlog
from pydantic import BaseModel
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from slimvoice.errors import DeadlineExceeded, DiskFull, InvalidRequest, TooLarge

MAX_FIELDS = 1200  # each keyword may be a field of its own, and there may be a thousand
MAX_FIELD_BYTES = 1 << 20
MAX_JSON_BYTES = 4 << 20
"""JSON without audio in it: room for the longest text in any script, escaped."""
LINGER_S = 2.0

_KEY = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?", re.ASCII)
_NAMELESS_FILE = re.compile(rb';\s*name="?file"?\s*(;|$)', re.IGNORECASE)
_FILE_NAME = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
"""Not `filename*=`, which the parser does not read."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_log = structlog.get_logger(__name__)

M = TypeVar("M", bound=BaseModel)
Fields = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """An uploaded file: spooled by the parser, in memory while small."""

    file: BinaryIO


@dataclass(frozen=True)
class BodyLimits:
    """How large a body may be and how long it may take to come."""

    max_bytes: int
    timeout_s: float


class _Parser(MultiPartParser):
    """Starlette's parser, which also notices a form that ends too early."""

    spool_max_size = 2 << 20  # a voice command never touches the disk
    ended = False

    def on_headers_finished(self) -> None:
        """Take a part named `file` for a file: small clients send no file name, others only `filename*=`."""
        disposition = self._current_part.content_disposition or b""
        if _NAMELESS_FILE.search(disposition) and not _FILE_NAME.search(disposition):
            self._current_part.content_disposition = disposition + b'; filename="file"'
        super().on_headers_finished()

    def on_end(self) -> None:
        self.ended = True

    def close_files(self) -> None:
        """Close what was begun, whole or not."""
        for file in self._files_to_close_on_error:
            file.close()


async def body_stream(request: Request, limits: BodyLimits) -> AsyncGenerator[bytes, None]:
    """Yield the body; raises TooLarge as soon as it is known to be, DeadlineExceeded when it comes too slowly."""
    declared = request.headers.get("content-length", "")
    stream = request.stream()
    if declared.isdecimal() and int(declared) > limits.max_bytes:
        if "expect" not in request.headers:  # a client that asks first is not sending yet
            await _linger(stream)
        raise _too_large(limits)
    received = 0
    deadline = time.monotonic() + limits.timeout_s
    while True:
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.001)):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise DeadlineExceeded(f"the body did not come within {limits.timeout_s:g} s") from error
        if chunk is None:
            return
        received += len(chunk)
        if received > limits.max_bytes:
            await _linger(stream)
            raise _too_large(limits)
        yield chunk


async def read_form(request: Request, limits: BodyLimits) -> Fields:
    """Parse a multipart form: `a[]` and repeated `a` become lists, `a[b]` a dict, a file an Upload."""
    parser = _Parser(
        request.headers,
        body_stream(request, limits),
        max_files=8,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"the multipart form is damaged: {error.message}") from error
    except OSError as error:  # a larger upload waits in the folder for temporary files
        raise DiskFull(
            f"cannot keep the upload: {error.strerror}", hint="TMPDIR needs room and must be writable"
        ) from error
    if not parser.ended:
        parser.close_files()
        raise InvalidRequest("the multipart form ends too early", hint="the final boundary is missing")
    return gather(
        (name, Upload(value.file) if isinstance(value, UploadFile) else value) for name, value in form.multi_items()
    )


def close_files(fields: Fields) -> None:
    """Close every uploaded file."""
    for value in fields.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Upload):
                item.file.close()


async def read_json(request: Request, limits: BodyLimits, *, empty_is_object: bool = False) -> Fields:
    """Parse a JSON object."""
    body = b"".join([chunk async for chunk in body_stream(request, limits)])
    if empty_is_object and not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


def content_type(request: Request) -> str:
    """Return the media type that the body claims to be, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def gather(items: Any) -> Fields:
    """Group (name, value) pairs into fields: `a[]`, `a[0]` and a repeated `a` are lists, `a[b]` is a dict."""
    fields: Fields = {}
    for name, value in items:
        match = _KEY.fullmatch(name)
        if match is None or match[2] is None:
            _put_plain(fields, name, value)
        elif match[2] == "" or match[2].isdecimal():
            _put_list(fields, match[1], value)
        else:
            _put_member(fields, match[1], match[2], value)
    return fields


def parse(model: type[M], fields: Fields) -> M:
    """Validate fields as `model`. Unknown names are ignored, as OpenAI does, and logged (never their values)."""
    known = {field.alias or name for name, field in model.model_fields.items()}
    unknown = sorted(fields.keys() - known)
    if unknown:
        _log.info("unknown fields ignored", names=[name[:64] for name in unknown[:16]])
    return model.model_validate({name: value for name, value in fields.items() if name in known})


def as_list(value: Any) -> Any:
    """Read a list field: a JSON array, one plain value, or what is a list already; empty strings are nothing."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json_or(value)
    values = value if isinstance(value, list) else [value]
    return [item for item in values if item not in ("", None)]


def as_object(value: Any) -> Any:
    """Read an object field: JSON text becomes what it says, anything else stays."""
    return _json_or(value) if isinstance(value, str) and value.lstrip().startswith("{") else value


def whole_text(text: str) -> str:
    """Return text that can be encoded: a lone surrogate, which JSON may carry, becomes a replacement character."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_text(text: str) -> str:
    """Return text for a prompt: whole, and with spaces for control characters."""
    return _CONTROL.sub(" ", whole_text(text))


def _put_plain(fields: Fields, name: str, value: Any) -> None:
    held = fields.get(name)
    if held is None:
        fields[name] = value
    elif isinstance(held, list):
        held.append(value)
    else:
        fields[name] = [held, value]


def _put_list(fields: Fields, name: str, value: Any) -> None:
    held = fields.get(name)
    if isinstance(held, list):
        held.append(value)
    else:
        fields[name] = [value] if held is None else [held, value]


def _put_member(fields: Fields, name: str, member: str, value: Any) -> None:
    held = fields.setdefault(name, {})
    if not isinstance(held, dict):
        raise InvalidRequest(f"{name} is given twice, as a value and as an object", param=name)
    held[member] = value


def _json_or(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _too_large(limits: BodyLimits) -> TooLarge:
    return TooLarge(
        f"the body is larger than {limits.max_bytes / 1e6:g} MB",
        hint="send a compressed format such as mp3 or opus, or raise SLIMVOICE_MAX_UPLOAD_MB",
        param="file",
    )


async def _linger(stream: AsyncGenerator[bytes, None]) -> None:
    """Read on for a moment, so that a client that is still sending gets to read the answer, not a reset."""
    end = time.monotonic() + LINGER_S
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            async for _chunk in stream:
                if time.monotonic() > end:  # a flood leaves the timeout no turn
                    return
