"""scripts/gpu-check: the same work on the GPU and on the CPU, compared and timed; runs with slimvoice's own Python."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from array import array
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

from slimvoice import hardware
from slimvoice.audio.decode import decode
from slimvoice.audio.resample import Resampler
from slimvoice.config_sources import load
from slimvoice.engine.engine import Engine
from slimvoice.errors import SlimvoiceError
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import (
    STT_SAMPLE_RATE,
    AudioChunk,
    Model,
    Segment,
    SynthesizeRequest,
    TranscribeRequest,
    Waveform,
    joined_text,
)

TEXT = (
    "The kettle is on, and the bread is still warm. Sit down with us and tell us how the long journey went, which "
    "roads you took, and whom you met along the way."
)
ALIKE_TEXT, ALIKE_SOUND, ALIKE_LENGTH = 0.95, 0.9, 0.02
BACK_BYTES = 32 << 20
"""What a driver may keep for itself after a process has ended."""


@dataclass
class Row:
    """A model on a device."""

    model: str
    device: str
    load_s: float = 0.0
    runs_s: list[float] = field(default_factory=list)
    audio_s: float = 0.0
    memory: tuple[int, int, int] = (0, 0, 0)
    """Bytes of the GPU in use before load, loaded and used, after unload."""
    text: str = ""
    sound: Waveform | None = None
    verdict: str = ""
    well: bool = True


async def transcribe(engine: Engine, model: Model, clip: Waveform, row: Row) -> None:
    """Transcribe a clip into a row."""
    request = TranscribeRequest(model=model, waveform=clip, language="en")
    async with aclosing(engine.transcribe(request)) as events:
        row.text = joined_text([event async for event in events if isinstance(event, Segment)])
    row.audio_s = clip.duration_s


async def speak(engine: Engine, model: Model, row: Row) -> None:
    """Say the text into a row."""
    async with aclosing(engine.synthesize(SynthesizeRequest(model=model, text=TEXT))) as events:
        chunks = [event.waveform async for event in events if isinstance(event, AudioChunk)]
    row.sound = Waveform(pcm=b"".join(chunk.pcm for chunk in chunks), sample_rate=chunks[0].sample_rate)
    row.audio_s = row.sound.duration_s


async def run(model: str, device: str, clip: Waveform | None, times: int) -> Row:
    """Load a model on a device, use it, unload it; what fails stands in the row."""
    row = Row(model, device)
    index = hardware.gpu_index(device)
    settings = load({"device": device, "offline": True}).settings

    def used() -> int:
        return 0 if index is None else hardware.gpu_used_bytes(index)

    try:
        engine = Engine(settings, ModelLibrary(settings))
        resolved = await engine.resolve(model)
        try:
            before, began = used(), time.perf_counter()
            await engine.load(resolved)
            row.load_s = time.perf_counter() - began
            for _ in range(times):
                began = time.perf_counter()
                await (speak(engine, resolved, row) if clip is None else transcribe(engine, resolved, clip, row))
                row.runs_s.append(time.perf_counter() - began)
            loaded = used()
            await engine.unload(resolved)
            row.memory = (before, loaded, used())
        finally:
            await engine.close()
    except SlimvoiceError as error:
        row.verdict, row.well = f"failed: {error.message}", False
    return row


def judge(gpu: Row, cpu: Row) -> None:
    """Say in the GPU's row whether it gave what the CPU gave, and gave its memory back."""
    if not gpu.runs_s or not cpu.runs_s:
        return
    if gpu.sound is None or cpu.sound is None:
        alike = SequenceMatcher(None, gpu.text.casefold().split(), cpu.text.casefold().split()).ratio()
        gpu.verdict, gpu.well = f"{100 * alike:.0f} % of the CPU's words", alike >= ALIKE_TEXT
    else:
        alike = correlation(loudness(gpu.sound), loudness(cpu.sound))
        longer = gpu.sound.duration_s / cpu.sound.duration_s - 1
        gpu.verdict = f"{100 * longer:+.1f} % long, loudness {alike:.2f} alike"
        gpu.well = alike >= ALIKE_SOUND and abs(longer) <= ALIKE_LENGTH
    kept = gpu.memory[2] - gpu.memory[0]
    if kept > BACK_BYTES:
        gpu.verdict, gpu.well = f"{gpu.verdict}; {kept / 1e6:.0f} MB not given back", False


def loudness(sound: Waveform, window_s: float = 0.02) -> list[float]:
    """Return the mean level of each stretch: the same words said the same way have the same course."""
    samples, size = array("h", sound.pcm), int(sound.sample_rate * window_s)
    return [sum(map(abs, samples[at : at + size])) / size for at in range(0, len(samples) - size, size)]


def correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Pearson's correlation of the part that both have."""
    pairs = list(zip(left, right, strict=False))
    mean_l, mean_r = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    over = sum((a - mean_l) * (b - mean_r) for a, b in pairs)
    under = sum((a - mean_l) ** 2 for a, _ in pairs) * sum((b - mean_r) ** 2 for _, b in pairs)
    return float(over / under**0.5) if under else 0.0


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    print("| model | device | load s | first s | median s | real-time factor | GPU MB before, loaded, after | output |")
    print("|" + " --- |" * 8)
    for row in rows:
        times = [f"{row.load_s:.2f}", "", "", ""]
        if row.runs_s:
            middle = median(row.runs_s[1:] or row.runs_s)
            times[1:] = [f"{row.runs_s[0]:.2f}", f"{middle:.2f}", f"{middle / row.audio_s:.3f}"]
        memory = ", ".join(f"{each / 1e6:.0f}" for each in row.memory)
        print("| " + " | ".join([row.model, row.device, *times, memory, row.verdict]) + " |")


async def main() -> int:
    """Run everything; returns the exit code."""
    options = _options()
    found = [gpu.name for gpu in hardware.gpus()]
    if not found and not options.cpu:
        print("no GPU here: NVML shows none", file=sys.stderr)
        return 3
    print(
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {found or 'CPU only'}, load {os.getloadavg()[0]:.1f}\n"
    )
    rows: list[Row] = []
    clip = decode(options.clip.read_bytes(), max_duration_s=3600) if options.clip else None
    for model in options.only or ["kokoro", "whisper:base"]:
        speaks = model.startswith("kokoro")
        if not speaks and clip is None:
            print("whisper is given no --clip, and there is no speech of Kokoro's", file=sys.stderr)
            return 2
        heard = None if speaks else clip
        cpu = await run(model, "cpu", heard, options.times)
        gpu = await run(model, "cpu" if options.cpu else "cuda:0", heard, options.times)
        judge(gpu, cpu)
        rows += [cpu, gpu]
        clip = clip or (at_16_khz(cpu.sound) if cpu.sound else None)
    show(rows)
    return 0 if all(row.well for row in rows) else 1


def at_16_khz(sound: Waveform) -> Waveform:
    """Return speech as whisper hears it."""
    resampler = Resampler(sound.sample_rate, STT_SAMPLE_RATE)
    return Waveform(pcm=resampler.feed(sound.pcm) + resampler.flush())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/gpu-check")
    parser.add_argument("--only", action="append", metavar="MODEL", help="instead of kokoro and whisper:base")
    parser.add_argument("--clip", type=Path, metavar="FILE", help="what whisper hears; else what Kokoro says")
    parser.add_argument("--times", type=int, default=4, help="runs of each, the first told apart")
    parser.add_argument("--cpu", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
