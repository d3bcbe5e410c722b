"""The HTTP face on a real socket: clients that leave, trickle and never end, over a FakeProvider."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress

import httpx2 as httpx
import pytest
from api_fakes import HELLO, TEXT, FakeProvider, build, serving, tone, wav

from slimvoice.api.http_protocol import PromptH11
from slimvoice.errors import WorkerCrashed

SPEECH = b'{"model": "fake-tts", "input": "Hi", "response_format": "pcm"}'
BOUNDARY = "xyz"


@pytest.fixture
def face(tmp_path):
    """A face over a FakeProvider: application and provider."""
    app, provider, _ = build(tmp_path, max_upload_mb=1, body_timeout_s=1)
    return app, provider


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def upload_head(length: int) -> bytes:
    return head(
        "/v1/audio/transcriptions",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {length}",
    )


def form(audio: bytes) -> bytes:
    begin = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return begin.encode() + audio + f"\r\n--{BOUNDARY}--\r\n".encode()


async def closed_in_time(provider: FakeProvider) -> None:
    async with asyncio.timeout(10):
        await provider.closed.wait()


async def test_a_client_that_leaves_a_transcription_ends_its_work(face):
    app, provider = face
    provider.gate = asyncio.Event()
    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = form(wav())
        writer.write(upload_head(len(body)) + body)
        await writer.drain()
        async with asyncio.timeout(10):
            await provider.asked.wait()
        assert not provider.closed.is_set()
        writer.close()
        await closed_in_time(provider)


async def test_a_client_that_leaves_a_stream_of_speech_ends_its_work(face):
    app, provider = face
    provider.gate = asyncio.Event()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("/v1/audio/speech", f"Content-Length: {len(SPEECH)}") + SPEECH)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert not provider.closed.is_set()
        writer.close()
        await closed_in_time(provider)


async def test_speech_that_breaks_off_is_seen_to_be_cut(face):
    app, provider = face
    provider.spoken = (provider.spoken[0], WorkerCrashed("the worker died"))
    async with serving(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/audio/speech", content=SPEECH)
        metrics = (await client.get("/metrics")).text
        assert 'slimvoice_http_unfinished_total{route="/v1/audio/speech"} 1.0' in metrics
        assert (await client.get("/health")).status_code == 200


async def test_a_transcript_stream_that_breaks_off_ends_with_an_error_event(face):
    app, provider = face
    provider.heard = (HELLO, WorkerCrashed("the worker died"))
    async with serving(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        response = await client.post(
            "/v1/audio/transcriptions", files={"file": ("a.wav", wav())}, data={"stream": "true"}
        )
        last = json.loads(response.text.rstrip().splitlines()[-1].removeprefix("data: "))
        assert last["error"]["code"] == "worker_crashed"


async def test_a_client_still_sending_can_read_that_it_sends_too_much(face):
    app, _ = face

    async def chunks():
        for _ in range(40):
            yield b"x" * 65536

    async with serving(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        begin = form(b"")[: -len(BOUNDARY) - 8]

        async def body():
            yield begin
            async for chunk in chunks():
                yield chunk

        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        response = await client.post("/v1/audio/transcriptions", content=body(), headers=kind)
        assert response.status_code == 413
        assert response.json()["error"]["param"] == "file"
        declared = await client.post("/v1/audio/transcriptions", content=b"x" * 1_000_001, headers=kind)
        assert declared.status_code == 413


async def test_an_endless_body_is_cut_off(face):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        writer.write(head("/v1/audio/transcriptions", kind, "Transfer-Encoding: chunked"))
        begin = form(b"")[: -len(BOUNDARY) - 8]
        writer.write(b"%x\r\n%s\r\n" % (len(begin), begin))
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"

        async def pour():
            while True:
                writer.write(chunk)
                await writer.drain()

        pouring = asyncio.ensure_future(pour())
        async with asyncio.timeout(20):
            with suppress(ConnectionResetError):  # who never stops sending may miss the answer
                assert (await reader.readline()).startswith(b"HTTP/1.1 413")
            await asyncio.wait({pouring})
        assert isinstance(pouring.exception(), OSError)  # the server hung up
        writer.close()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/health")).status_code == 200


async def test_a_body_that_trickles_times_out(face):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upload_head(1000) + form(b"")[:20])
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 504")
        writer.close()


async def test_headers_that_trickle_are_hung_up_on(face):
    app, _ = face

    class Impatient(PromptH11):
        header_timeout_s = 0.2

    async with serving(app, http=Impatient) as port:
        for begin in (b"", b"POST /v1/audio/speech HTTP/1.1\r\nHost: 127"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            async with asyncio.timeout(10):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()


async def test_headers_that_come_in_time_are_answered_however_long_the_answer_takes(face):
    app, provider = face
    provider.gate = asyncio.Event()

    class Impatient(PromptH11):
        header_timeout_s = 0.2

    async with serving(app, http=Impatient) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            asking = asyncio.ensure_future(client.post("/v1/audio/speech", content=SPEECH))
            await asyncio.sleep(0.5)
            provider.gate.set()
            assert (await asking).content == tone(0.5, 24_000) * 2
            assert (await client.get("/health")).status_code == 200
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",  # without a host
        b"\x16\x03\x01\x02\x00\x01\x00",  # the beginning of TLS
        head("/v1/audio/speech", "Content-Length: -5"),
        head("/v1/audio/speech", "Transfer-Encoding: chunked") + b"zz\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_the_envelope(face, sent):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_request")
        writer.close()


async def test_requests_on_one_connection_and_pipelined_ones_are_all_answered(face):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        writer.write(request * 3 + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            answers = await reader.read()
        assert answers.count(b"HTTP/1.1 200") == 4
        writer.close()


async def test_expect_100_continue_is_not_invited_for_too_much(face):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            head(
                "/v1/audio/transcriptions",
                f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
                "Content-Length: 99999999",
                "Expect: 100-continue",
            )
        )
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_answers_are_sent_at_once(face):
    app, _ = face
    seen: list[int] = []

    class Watched(PromptH11):
        def connection_made(self, transport):
            super().connection_made(transport)
            option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            seen.append(option)

    async with serving(app, http=Watched) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await client.get("/health")
    assert seen[0] != 0


async def test_head_has_no_body(face):
    app, _ = face
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HEAD /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n")
        writer.close()


async def test_a_transcription_works_over_the_wire(face):
    app, _ = face
    async with serving(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        response = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", wav())})
        assert response.json()["text"] == TEXT
        assert "server" not in response.headers
