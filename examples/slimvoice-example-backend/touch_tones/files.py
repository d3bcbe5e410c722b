"""Which files are tables of tones, what they tell, and how keys sound. Imports no runtime."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from slimvoice.backends.info import DetectedModel, Repository, wrong_files
from slimvoice.speech import STT_SAMPLE_RATE, Model, Waveform


class Tones(msgspec.Struct, frozen=True):
    """Hertz of the rows and columns of a keypad, and its keys row by row."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    keys: tuple[str, ...]


TABLE = Tones((697, 770, 852, 941), (1209, 1336, 1477, 1633), ("123A", "456B", "789C", "*0#D"))


def read(data: bytes) -> Tones:
    """Read a table; raises ValueError."""
    try:
        return msgspec.json.decode(data, type=Tones)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def detect(repository: Repository) -> Iterator[DetectedModel]:
    """Find tables in a repository, by their content."""
    for path in repository.named(".json"):
        try:
            read(repository.peek(path, 10_000))
        except ValueError:
            continue
        yield DetectedModel(files=(("weights", path),))


def inspect(model: Model, paths: Mapping[str, str]) -> Model:
    """Check a pulled table."""
    try:
        read(Path(paths["weights"]).read_bytes())
    except ValueError as error:
        raise wrong_files(model, "it is no table of tones") from error
    return model


def dialled(keys: str = "0123456789", tone_s: float = 0.2) -> Waveform:
    """Return the sound of keys being pressed, with a pause after each."""
    pcm = array("h")
    for key in keys:
        row = next(number for number, line in enumerate(TABLE.keys) if key in line)
        pair = (TABLE.rows[row], TABLE.columns[TABLE.keys[row].index(key)])
        turns = [2 * math.pi * hertz / STT_SAMPLE_RATE for hertz in pair]
        length = round(tone_s * STT_SAMPLE_RATE)
        pcm.extend(round(9000 * sum(math.sin(turn * n) for turn in turns)) for n in range(length))
        pcm.extend([0] * length)
    return Waveform(pcm=pcm.tobytes())
