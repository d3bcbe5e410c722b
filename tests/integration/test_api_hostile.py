"""Uploads that mean harm: damaged, mislabelled, exploding. Each gets a right answer or a clear 4xx, and life goes on.

A bounded run; for a long one: SLIMVOICE_FUZZ=10000 python -m pytest tests/integration/test_api_hostile.py
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import struct
import sys
import unicodedata
import wave
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest
from api_fakes import tone, wav
from api_server import Server, make_volume, running

from slimvoice.audio.encode import encode
from slimvoice.speech import Waveform

UPLOADS = int(os.environ.get("SLIMVOICE_FUZZ", "150"))
ALLOWED_GROWTH_BYTES = 150_000_000
"""What decoding may take beside the uploads: four at a time hold at most MAX_AUDIO_S of samples each."""
MAX_AUDIO_S = 600
ENDLESS_BYTES = 1 << 30
LORISES = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    volume = make_volume(tmp_path_factory.mktemp("hostile"))
    with running(*volume, max_upload_mb=4, max_audio_s=MAX_AUDIO_S, body_timeout_s=20) as server:
        yield server


@pytest.fixture
def little_memory(server) -> Iterator[None]:
    """Fail where the server's peak, or what it holds afterwards, is far above what it held before."""
    reset, status = (Path(f"/proc/{server.process.pid}") / name for name in ("clear_refs", "status"))
    held = psutil.Process(server.process.pid).memory_info
    before = held().rss
    if reset.exists():
        reset.write_text("5")  # the peak begins anew
    yield
    peaks = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text()) if reset.exists() else []
    assert max([held().rss, *(int(peak) * 1024 for peak in peaks)]) - before < ALLOWED_GROWTH_BYTES


@cache
def corpus() -> dict[str, bytes]:
    """Return a good file of each container."""
    import av

    speech = Waveform(pcm=tone(1.5), sample_rate=16_000)
    files = {name: encode(speech, name) for name in ("wav", "mp3", "flac", "opus", "aac")}
    for name, codec in (("mp4", "aac"), ("webm", "libopus")):
        sink = io.BytesIO()
        with av.open(sink, "w", format=name) as container:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            frame = av.AudioFrame(format="s16", layout="mono", samples=16_000)
            frame.sample_rate = 16_000
            frame.planes[0].update(tone(1.0))
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)
        files[name] = sink.getvalue()
    return files


def damaged(good: bytes, dice: random.Random) -> bytes:
    """Return the file with one to four kinds of damage."""
    data = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data)) if dice.random() < 0.5 else dice.randrange(min(len(data), 128))
        match dice.randrange(7):
            case 0:
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                del data[max(1, place) :]
            case 2:
                data[place : place + 4] = struct.pack("<I", dice.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 2**31]))
            case 3:
                data[place : place + 16] = dice.randbytes(16)
            case 4:
                data[place:place] = dice.randbytes(dice.randint(1, 2000))
            case 5:
                data += data[: dice.randint(1, len(data))]
            case 6:
                data[place : place + 512] = bytes(512)
    return bytes(data)


async def send(client: httpx.AsyncClient, audio: bytes, name: str = "a.wav", **data: str) -> httpx.Response:
    return await client.post("/v1/audio/transcriptions", files={"file": (name, audio)}, data=data)


@pytest.mark.usefixtures("little_memory")
async def test_damaged_uploads_get_a_transcript_or_a_clear_400(server):
    dice = random.Random(20261121)
    files = corpus()
    formats = ["json", "text", "srt", "vtt", "verbose_json"]
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:

        async def one(number: int) -> int:
            kind = dice.choice(list(files))
            audio = damaged(files[kind], dice)
            label = dice.choice([*files, "txt", "exe", "\u202ewav", ""])
            response = await send(client, audio, f"a{number}.{label}", response_format=dice.choice(formats))
            if response.status_code != 200:
                error = response.json()["error"]
                assert (response.status_code, error["param"]) in {(400, "file"), (413, "file")}, (kind, error)
            return response.status_code

        statuses = []
        for begin in range(0, UPLOADS, 4):
            statuses += await asyncio.gather(*(one(number) for number in range(begin, min(begin + 4, UPLOADS))))
        assert {200, 400} <= set(statuses)
        assert (await client.get("/health/ready")).status_code == 200
        assert (await send(client, wav())).json()["text"].startswith("clip")


def silent_opus(hours: float) -> bytes:
    """Return an Ogg/Opus file of silence: packets of two bytes that stand for 120 ms each."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    pages = [_page([head], 0, 0, flags=2), _page([tags], 1, 0)]
    packet = bytes([3 << 3 | 3, 2])  # SILK, 60 ms, two frames of no bytes
    count = round(hours * 3600 / 0.12)
    for number, begin in enumerate(range(0, count, 255), start=2):
        packets = [packet] * min(255, count - begin)
        pages.append(_page(packets, number, (begin + len(packets)) * 5760, flags=4 if begin + 255 >= count else 0))
    return b"".join(pages)


def _page(packets: list[bytes], number: int, granule: int, flags: int = 0) -> bytes:
    lacing = bytes(len(packet) for packet in packets)
    fields = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, 7, number, 0)
    page = bytearray(fields + bytes([len(lacing)]) + lacing + b"".join(packets))
    page[22:26] = struct.pack("<I", _ogg_crc(page))
    return bytes(page)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _crc_table()


def _ogg_crc(data: bytearray) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _TABLE[crc >> 24 ^ byte]
    return crc


@pytest.mark.usefixtures("little_memory")
async def test_hours_of_silence_in_a_small_file_are_too_long_and_cost_no_memory(server):
    bomb = silent_opus(8)
    assert len(bomb) < 1_000_000
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        response = await send(client, bomb, "silence.opus")
        assert response.status_code == 413
        assert "600 seconds" in response.json()["error"]["message"]
        short = await send(client, silent_opus(1 / 60), "silence.opus", response_format="verbose_json")
        assert short.json()["duration"] == pytest.approx(60, abs=0.5)


@cache
def bombs() -> dict[str, bytes]:
    """Return small files that mean to become large ones."""
    hour = Waveform(pcm=bytes(2 * 8000 * 3600), sample_rate=8000)
    slow = io.BytesIO()
    with wave.open(slow, "wb") as file:  # a thousand samples in a second, a byte each
        file.setparams((1, 1, 1000, 0, "NONE", ""))
        file.writeframes(bytes([128]) * 2_000_000)
    endless = bytearray(wav(1.0))
    endless[4:8] = endless[40:44] = b"\xff\xff\xff\xff"
    wide = bytearray(wav(1.0))
    wide[22:24] = b"\xff\xff"
    fast = bytearray(wav(1.0))
    fast[24:28] = b"\xff\xff\xff\x7f"
    return {
        "an hour of silence in FLAC": encode(hour, "flac"),
        "half an hour in a slow WAV": slow.getvalue(),
        "a WAV of 4 GB that ends at once": bytes(endless),
        "65535 channels": bytes(wide),
        "two thousand million samples a second": bytes(fast),
        "gigabytes of samples in an MP4 index": _lying_mp4(),
    }


def _lying_mp4() -> bytes:
    """Return an MP4 whose table of sample sizes claims four thousand million of one size."""
    mp4 = bytearray(corpus()["mp4"])
    table = mp4.index(b"stsz")
    mp4[table + 8 : table + 16] = struct.pack(">II", 1, 0xFFFFFFF0)
    return bytes(mp4)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", bombs())
async def test_small_files_that_would_become_large_are_refused_and_cost_no_memory(server, name):
    bomb = bombs()[name]
    assert len(bomb) < 4_000_000
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        answers = await asyncio.gather(*(send(client, bomb) for _ in range(4)))
        assert {answer.status_code for answer in answers} <= {200, 400, 413}, answers[0].text
        if answers[0].status_code == 200:  # the header lied, and a second of sound is there
            assert (await send(client, bomb, response_format="verbose_json")).json()["duration"] <= 1.0
        else:
            assert answers[0].json()["error"]["param"] == "file"


@pytest.mark.usefixtures("little_memory")
async def test_bodies_without_end_are_cut_off_and_cost_no_memory(server):
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
    ).encode()
    begin = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    async def pour() -> int:
        """Send until the server hangs up; returns how much it took."""
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head + b"%x\r\n%s\r\n" % (len(begin), begin))
        sent = 0
        with suppress(OSError):
            while sent < ENDLESS_BYTES:
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                await writer.drain()
                sent += 65536
        writer.close()
        return sent

    async with asyncio.timeout(120):
        taken = await asyncio.gather(*(pour() for _ in range(4)))
    assert max(taken) < ENDLESS_BYTES
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        assert (await send(client, wav())).status_code == 200


@pytest.mark.usefixtures("little_memory")
async def test_clients_that_trickle_keep_nobody_else_waiting(server):
    host, port = server.url.removeprefix("http://").split(":")
    connections = [await asyncio.open_connection(host, int(port)) for _ in range(LORISES)]
    try:
        for number, (_, writer) in enumerate(connections):
            kind = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b"X-Slow: "
            writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\n" + kind)
            await writer.drain()
        async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
            assert (await client.get("/health")).status_code == 200
            assert (await send(client, wav())).json()["text"].startswith("clip")
    finally:
        for _, writer in connections:
            writer.close()


def scripts() -> dict[str, str]:
    """Return twelve letters of each script that Unicode has a name for."""
    letters: dict[str, list[str]] = {}
    for character in map(chr, range(sys.maxunicode)):
        if unicodedata.category(character).startswith("L"):
            letters.setdefault(unicodedata.name(character, "NO NAME").split()[0], []).append(character)
    return {name: "".join(found[:: max(1, len(found) // 12)][:12]) for name, found in letters.items()}


@pytest.mark.usefixtures("little_memory")
async def test_every_script_is_spoken_or_refused(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name, text in scripts().items():
            response = await client.post("/v1/audio/speech", json={"input": text, "response_format": "pcm"})
            assert response.status_code in {200, 400}, (name, response.text)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("unit", ["a", "word ", "One. ", "\U0001f600", "界", "\n", "\x00", "e\u0301", "<b>"])
async def test_a_hundred_thousand_characters_are_too_many_whatever_they_are(server, unit):
    text = (unit * 100_000)[:100_000]
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        response = await client.post("/v1/audio/speech", json={"input": text})
        assert (response.status_code, response.json()["error"]["param"]) == (413, "input")
        prompt = await send(client, wav(), prompt=text + "!")
        assert (prompt.status_code, prompt.json()["error"]["param"]) == (400, "prompt")


async def test_names_of_files_and_fields_cannot_reach_the_disk(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name in ("../../etc/passwd", "/etc/passwd", "a\\..\\b", "x" * 5000, "\x00.wav", "https://127.0.0.1/a.wav"):
            response = await send(client, wav(), name)
            assert response.status_code in {200, 400}, (name[:20], response.text)
        for text in (
            b"concat:/etc/passwd",
            b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
            b"ffconcat version 1.0\nfile /etc/passwd",
        ):
            assert (await send(client, text)).status_code == 400
        for model in ("../fake-stt", "/etc/passwd", "fake-stt/../fake-stt", "hf:../x/y", "\x00", "a" * 10_000):
            response = await send(client, wav(), model=model)
            assert response.status_code in {400, 404}, (model[:20], response.text)
