"""What outlives a test run, so that it is fetched once: models, and packages that one test needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zlib
from pathlib import Path

from filelock import FileLock


def cache_folder() -> Path:
    """Return the folder; SLIMVOICE_TEST_HOME names it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return Path(os.environ.get("SLIMVOICE_TEST_HOME") or cache / "slimvoice-test")


def package_folder(lock: Path) -> Path:
    """Return a folder with the packages of a lock, for PYTHONPATH: fetched once for each content of the lock."""
    folder = cache_folder() / "packages" / f"{lock.stem}-{zlib.crc32(lock.read_bytes()):08x}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            what = ["--no-deps", "--require-hashes", "--requirement", str(lock), "--target", str(part)]
            subprocess.run([*pip, *what], check=True)
            part.rename(folder)
    return folder


def venv_folder(requirement: str) -> Path:
    """Return a virtual environment with one exactly pinned package and what it asks for, made once."""
    folder = cache_folder() / "packages" / re.sub(r"[^\w.]+", "-", requirement)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            venv.create(folder, clear=True, with_pip=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, requirement], check=True)
            (folder / "whole").touch()
    return folder
