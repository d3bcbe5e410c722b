"""The command line: each command parses, calls and prints; what is heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys

from slimvoice.errors import SlimvoiceError


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 misused, 130 interrupted, 141 nobody reads the output."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some takes 30 ms of every start
    from slimvoice.cli.root import app

    debug = "--debug" in sys.argv[1:] or os.environ.get("SLIMVOICE_DEBUG", "") not in {"", "0"}
    try:
        app(prog_name="slimvoice")
    except SlimvoiceError as error:
        _complain(error.message, error.hint)
        if debug:
            raise
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the last edge: a person gets a sentence, a developer asks for more
        if debug:
            raise
        _complain(f"unexpected {type(error).__name__}: {error}", "slimvoice --debug ... shows where; please report it")
        sys.exit(1)


def _complain(message: str, hint: str) -> None:
    from slimvoice.cli.output import error

    error(message, hint)
