"""Structured logs: readable text on a terminal, a JSON object per line elsewhere. Everything goes to stderr.

Audio, text to speak, transcripts and keys are never logged; tracebacks come without the values of variables.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog

_QUIET = (
    "asyncio",
    "filelock",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "python_multipart",
    "uvicorn",
)
"""Libraries that tell more than an operator wants to know below a warning."""


def configure(
    level: str = "info", form: Literal["auto", "text", "json"] = "auto", stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's lines through one formatter; may be called again."""
    stream = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(stream, text=as_text)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET if root.level > logging.DEBUG else ():
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _rendering(stream: TextIO, *, text: bool) -> list[structlog.typing.Processor]:
    if text:
        return [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            )
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
