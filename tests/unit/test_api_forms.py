"""Bodies, read within bounds and in every spelling."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request

from slimvoice.api.forms import (
    BodyLimits,
    Upload,
    as_list,
    as_object,
    clean_text,
    close_files,
    gather,
    read_form,
    read_json,
    whole_text,
)
from slimvoice.errors import DeadlineExceeded, DiskFull, InvalidRequest, TooLarge

BOUNDARY = "xyz"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
LIMITS = BodyLimits(max_bytes=100_000, timeout_s=10)


def request(
    *chunks: bytes, content_type: str = FORM, length: int | None = None, endless: bool = False, hangs: bool = False
) -> Request:
    """Make a request whose body comes in `chunks`; then it ends, repeats the last for ever, or hangs."""
    headers = [(b"content-type", content_type.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    left = list(chunks)

    async def receive():
        if not left:
            await asyncio.Event().wait()
        body = left[0] if endless and len(left) == 1 else left.pop(0)
        return {"type": "http.request", "body": body, "more_body": endless or hangs or bool(left)}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def test_a_form_split_at_every_byte_is_the_same_form():
    whole = part("file", b"\x00\x01" * 50, "a.wav") + part("model", "wörld".encode()) + END
    for cut in range(len(whole)):
        fields = await read_form(request(whole[:cut], whole[cut:]), LIMITS)
        assert fields["model"] == "wörld"
        assert fields["file"].file.read() == b"\x00\x01" * 50
        close_files(fields)


async def test_a_file_without_a_name_is_a_file():
    for name in (b'"file"', b"file"):
        begin = b"--xyz\r\nContent-Disposition: form-data; name=" + name + b"\r\n\r\n"
        fields = await read_form(request(begin + b"\xff\x00abc\r\n" + END), LIMITS)
        assert fields["file"].file.read() == b"\xff\x00abc"
        close_files(fields)


@pytest.mark.parametrize("name", [b"filename*=UTF-8''gr%C3%BC%C3%9Fe.wav", b"FileName* = utf-8'de'a.wav"])
async def test_a_file_with_its_name_in_the_extended_notation_only_is_a_file(name):
    begin = b'--xyz\r\nContent-Disposition: form-data; name="file"; ' + name + b"\r\n\r\n"
    fields = await read_form(request(begin + b"\xff\x00abc\r\n" + END), LIMITS)
    assert fields["file"].file.read() == b"\xff\x00abc"
    close_files(fields)


def test_gather_reads_every_spelling():
    pairs = [
        ("a", "1"), ("b[]", "1"), ("c", "1"), ("c", "2"), ("d[0]", "1"), ("d[1]", "2"), ("e[type]", "x"),
        ("e[threshold]", "0.5"), ("f", "1"), ("f[]", "2"), ("[]", "odd"), ("g[h][i]", "deep"), ("", "nameless"),
    ]  # fmt: skip
    assert gather(pairs) == {
        "a": "1", "b": ["1"], "c": ["1", "2"], "d": ["1", "2"], "e": {"type": "x", "threshold": "0.5"},
        "f": ["1", "2"], "[]": "odd", "g[h][i]": "deep", "": "nameless",
    }  # fmt: skip


def test_a_field_that_is_value_and_object_at_once_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        gather([("a", "1"), ("a[b]", "2")])
    assert caught.value.param == "a"


def test_lists_and_objects_may_be_json():
    assert as_list('["a", "b"]') == ["a", "b"]
    assert as_list("a") == ["a"]
    assert as_list(["a", "", None]) == ["a"]
    assert as_list("") == []
    assert as_list("[broken") == ["[broken"]
    assert as_object('{"type": "server_vad"}') == {"type": "server_vad"}
    assert as_object("{broken") == "{broken"


async def test_a_declared_size_over_the_limit_is_refused_unread():
    with pytest.raises(TooLarge):
        await read_form(request(b"x", length=100_001), LIMITS)


async def test_a_body_that_grows_over_the_limit_is_refused_while_reading():
    body = request(part("file", b"", "a")[:-2], *([b"x" * 1000] * 150))
    with pytest.raises(TooLarge):
        await read_form(body, LIMITS)


async def test_an_endless_body_ends():
    async with asyncio.timeout(10):
        with pytest.raises(TooLarge):
            await read_form(request(part("file", b"", "a")[:-2], b"y" * 1000, endless=True), LIMITS)


async def test_a_body_that_trickles_runs_out_of_time():
    limits = BodyLimits(max_bytes=1000, timeout_s=0.05)
    with pytest.raises(DeadlineExceeded):
        await read_form(request(part("file", b"", "a")[:-2], hangs=True), limits)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        part("file", b"abc", "a.wav"),
        part("model", b"x") + END[:-6],
        b"--xyz\r\n\r\nno headers\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--xyz--\r\n",
        b"--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"z" * 99_000,
        part("x", b"1") * 1201 + END,
        part("file", b"1", "f") * 9 + END,
    ],
)
async def test_a_damaged_form_is_an_invalid_request(body):
    with pytest.raises(InvalidRequest):
        await read_form(request(body), LIMITS)


async def test_a_form_without_boundary_is_an_invalid_request():
    with pytest.raises(InvalidRequest):
        await read_form(request(b"abc", content_type="multipart/form-data"), LIMITS)


async def test_a_large_upload_goes_to_disk_and_comes_back_whole():
    limits = BodyLimits(max_bytes=40_000_000, timeout_s=30)
    data = bytes(range(256)) * 4096
    chunks = [part("file", b"", "a.wav")[:-2], *([data] * 20), b"\r\n" + END]
    fields = await read_form(request(*chunks), limits)
    upload = fields["file"]
    assert isinstance(upload, Upload)
    assert upload.file.read() == data * 20
    close_files(fields)
    assert upload.file.closed


async def test_a_full_disk_is_told(monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    limits = BodyLimits(max_bytes=40_000_000, timeout_s=30)
    with pytest.raises(DiskFull):
        await read_form(request(part("file", bytes(3 << 20), "a.wav") + END), limits)


async def test_json_bodies():
    kind = "application/json"
    assert await read_json(request(b'{"a": 1}', content_type=kind), LIMITS) == {"a": 1}
    assert await read_json(request(b"", content_type=kind), LIMITS, empty_is_object=True) == {}
    for bad in (b"", b"1", b'"x"', b"[1]", b"{", b"\xff\xfe", b"NaN", json.dumps([[]]).encode()):
        with pytest.raises(InvalidRequest):
            await read_json(request(bad, content_type=kind), LIMITS)
    with pytest.raises(TooLarge):
        await read_json(request(b" " * 100_001, content_type=kind), LIMITS)


def test_text_is_made_whole_and_clean():
    assert whole_text("a\ud83db") == "a\ufffdb"
    assert whole_text("\U0001f600 ﷽ नमस्ते עִברִית") == "\U0001f600 ﷽ नमस्ते עִברִית"
    assert clean_text("a\x00b\x1bc\td\ne\x7f") == "a b c\td\ne "
