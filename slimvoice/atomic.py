"""Files that appear whole or not at all: written as a draft beside the target, then renamed over it."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def write(path: Path, data: bytes, *, mode: int | None = None, sync: bool = False) -> None:
    """Replace the regular file `path`; raises OSError, as on a full disk, and then leaves nothing behind.

    `mode` is its permissions, None: those of the file it replaces, else the usual ones. `sync` waits for the disk.
    """
    if mode is None:
        mode = _mode(path)
    draft = path.with_name(f".{secrets.token_hex(6)}.part")  # short, as the target's own name may be as long as can be
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)  # the umask has taken from it
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None
