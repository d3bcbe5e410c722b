"""Where `-o` writes: into a file, whole or not at all, or into the named pipe or device that is there already."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from slimvoice import atomic
from slimvoice.errors import InvalidRequest


def is_stream(path: Path) -> bool:
    """Whether `path` is there and is no regular file and no folder: a named pipe, a device, a socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def check(path: Path) -> None:
    """Raise InvalidRequest, before any work is done, for a path that nothing can be written to."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not is_stream(path):
            _target(path).parent.stat()
    except OSError as error:
        raise _unwritable(path, error) from error


def save(path: Path, body: bytes) -> None:
    """Write `body` where `path` leads; raises InvalidRequest, or BrokenPipeError where a pipe's reader has left.

    Links stay and are followed. What is no regular file is written into, and a pipe waits for its reader: call this
    off the event loop.
    """
    try:
        if is_stream(path):
            with os.fdopen(os.open(path, os.O_WRONLY), "wb") as stream:
                stream.write(body)
        elif _is_stdout(path):
            sys.stdout.buffer.write(body)
            sys.stdout.buffer.flush()
        else:
            atomic.write(_target(path), body)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _target(path: Path) -> Path:
    """Return the file that links lead to, there or not; raises OSError for links in a circle."""
    with suppress(FileNotFoundError):
        path.stat()
    return Path(os.path.realpath(path))


def _is_stdout(path: Path) -> bool:
    """Whether this file is where stdout goes, as /dev/stdout after `>> FILE`: it is added to, not replaced."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def _unwritable(path: Path, error: OSError) -> InvalidRequest:
    return InvalidRequest(f"cannot write {path}: {error.strerror or error}")
