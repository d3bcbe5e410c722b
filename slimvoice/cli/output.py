"""Output of commands: data on stdout, messages on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slimvoice.errors import SlimvoiceError

if TYPE_CHECKING:
    from rich.console import Console


def write(text: str) -> None:
    """Write data to stdout now; raises BrokenPipeError when nobody reads. Letters that it does not know become `?`."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # raised before a byte of `text` was written
        sys.stdout.write(_writable(text))
    sys.stdout.flush()


def write_json(value: Any, *, indented: bool = True) -> None:
    """Write a value as JSON: indented for a person unless told otherwise, one line for a pipe."""
    import json

    indent = 2 if indented and sys.stdout.isatty() else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    write((text if _knows(text) else json.dumps(value, indent=indent, default=str)) + "\n")


def info(message: str) -> None:
    """Print a message on stderr."""
    with suppress(BrokenPipeError):
        print(message, file=sys.stderr, flush=True)


def error(message: str, hint: str = "") -> None:
    """Print an error and its hint on stderr."""
    red, dim, end = ("\x1b[31m", "\x1b[2m", "\x1b[0m") if _in_colour() else ("", "", "")
    info(f"{red}error:{end} {message}")
    if hint:
        info(f"{dim}hint:{end} {hint}")


def error_about(what: str, failure: SlimvoiceError) -> None:
    """Print which of several things failed."""
    error(f"{what}: {failure.message}", failure.hint)


def stderr_console() -> Console:
    """Return the console on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that are as wide as their cells: no borders, so that other tools can read them."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    write("".join(_line(row, widths) for row in (header, *rows)))


def megabytes(count: int) -> str:
    """Return bytes as a person reads them."""
    if count >= 10**9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 10**6 else f"{count / 1e3:.0f} kB"


def until(moment: float | None, now: float | None = None) -> str:
    """Return how long it is until a Unix time, as `4m12s`."""
    if moment is None:
        return "-"
    left = max(0, round(moment - (time.time() if now is None else now)))
    hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def letters(argument: str, errors: str = "strict") -> str:
    """Return an argument as it was typed, in UTF-8 where the locale has no such letters; raises UnicodeDecodeError."""
    import os

    try:
        argument.encode()
    except UnicodeEncodeError:  # Python keeps bytes that are no letters of the locale as surrogates
        return os.fsencode(argument).decode("utf-8", errors)
    return argument


def _knows(text: str) -> bool:
    """Whether stdout's encoding has every letter of `text`."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _writable(text: str) -> str:
    """Return `text` in letters that stdout takes; where it takes ASCII only, the C locale, stdout turns to UTF-8.

    The C locale says nothing of who reads, so Python itself would have taken UTF-8 there (PEP 538 and 540).
    """
    import codecs
    import io

    encoding = sys.stdout.encoding or "utf-8"
    if codecs.lookup(encoding).name == "ascii" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
        encoding = "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"


def _in_colour() -> bool:
    import os

    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
