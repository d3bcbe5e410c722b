"""The audio of a request: a multipart file, or base64 inside JSON as Open WebUI sends it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import BinaryIO

from starlette.requests import Request

from slimvoice.api.forms import BodyLimits, Fields, Upload, close_files, content_type, read_form, read_json
from slimvoice.api.schemas.requests import InputAudio
from slimvoice.errors import InvalidRequest

Audio = bytes | BinaryIO


@asynccontextmanager
async def open_upload(request: Request, limits: BodyLimits) -> AsyncGenerator[tuple[Audio, Fields], None]:
    """Read a request's audio and its other fields; the file is closed afterwards. Raises InvalidRequest or TooLarge."""
    kind = content_type(request)
    if kind == "application/json":
        fields = await read_json(request, BodyLimits(limits.max_bytes * 4 // 3 + 65536, limits.timeout_s))
        yield _inline(fields.pop("input_audio", None)), fields
        return
    if kind != "multipart/form-data":
        raise InvalidRequest(
            f"the body must be multipart/form-data, not {kind[:80] or 'without a type'}",
            hint="with curl: -F file=@speech.wav -F model=whisper-1",
            param="file",
        )
    fields = await read_form(request, limits)
    try:
        yield _file(fields.get("file")), {name: value for name, value in fields.items() if name != "file"}
    finally:
        close_files(fields)


def _file(value: object) -> BinaryIO:
    if isinstance(value, list):
        raise InvalidRequest("send one file, not several", param="file")
    if isinstance(value, Upload):
        return value.file
    hint = "with curl: -F file=@speech.wav"
    if value is None:
        raise InvalidRequest("the audio file is missing", hint=hint, param="file")
    raise InvalidRequest("file must be uploaded as a file, with a file name", hint=hint, param="file")


def _inline(value: object) -> bytes:
    if value is None:
        raise InvalidRequest("the audio is missing", hint="send input_audio, or a multipart file", param="input_audio")
    audio = InputAudio.model_validate(value) if isinstance(value, dict) else None
    if audio is None:
        raise InvalidRequest("input_audio must be an object with data and format", param="input_audio")
    data = audio.data.partition(",")[2] if audio.data.startswith("data:") else audio.data
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("input_audio.data is not base64", param="input_audio.data") from error
