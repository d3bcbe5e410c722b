"""Logs: one formatter for structlog and the standard library, and nothing of what variables held."""

import io
import json
import logging

import pytest
import structlog

from slimvoice import log

SECRET = "what the user said"


@pytest.fixture(autouse=True)
def as_in_a_new_process():
    """Put what other tests' servers did to the loggers away, and back again."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each, each.handlers, each.level, each.propagate) for each in [logging.root, *loggers]]
    for each in loggers:
        each.handlers, each.propagate = [], True
        each.setLevel(logging.NOTSET)
    yield
    for each, handlers, level, propagate in before:
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)
    structlog.reset_defaults()


def lines(form: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level, form, stream)
    return stream


def test_elsewhere_than_on_a_terminal_each_line_is_a_json_object():
    stream = lines("auto")
    structlog.get_logger("a").info("loaded", model="whisper:base")
    logging.getLogger("b").warning("cut %d s short", 3)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["model"], first["level"]) == ("loaded", "whisper:base", "info")
    assert (second["message"], second["logger"]) == ("cut 3 s short", "b")


def test_a_request_id_that_is_bound_stands_in_every_line():
    stream = lines("json")
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger("a").info("one")
        logging.getLogger("b").warning("two")
    assert [json.loads(line)["request_id"] for line in stream.getvalue().splitlines()] == ["req_1", "req_1"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_do_not_tell_the_values_of_variables(form):
    stream = lines(form)

    def fails(spoken: str) -> None:
        raise ValueError(len(spoken))

    try:
        fails(SECRET)
    except ValueError:
        structlog.get_logger("a").exception("failed")
    assert "in fails" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_what_is_below_the_level_is_not_logged():
    stream = lines("json", "warning")
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    assert stream.getvalue() == ""


def test_talkative_libraries_are_heard_from_a_warning_on():
    stream = lines("json")
    logging.getLogger("httpx2").info("HTTP Request: GET ...")
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("uvicorn.error").error("bad")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["bad"]
