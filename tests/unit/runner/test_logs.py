"""Log lines: JSON, and nothing in them that drivers know."""

import json
import logging

import pytest

from councilor_runner.logs import JsonFormatter, describe

SECRET = "mongodb://root:hunter2@db:27017"


def fail() -> None:
    raise ConnectionError(SECRET)


def caught() -> ConnectionError:
    with pytest.raises(ConnectionError) as error:
        fail()
    return error.value


def record(name: str, message: str, exception: BaseException | None = None, **fields: object) -> logging.LogRecord:
    info = None if exception is None else (type(exception), exception, exception.__traceback__)
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, message, None, info)
    made.__dict__["fields"] = fields
    return made


def test_a_line_is_one_json_object() -> None:
    line = JsonFormatter().format(record("councilor_runner", "claimed\nrun", executionId="exec_ç", durationMs=3))
    assert "\n" not in line
    document = json.loads(line)
    assert (document["message"], document["level"]) == ("claimed\nrun", "warning")
    assert (document["executionId"], document["durationMs"]) == ("exec_ç", 3)


def test_exceptions_are_named_not_quoted() -> None:
    line = JsonFormatter().format(record("councilor_runner", "internal error", caught()))
    assert "hunter2" not in line
    assert json.loads(line)["exception"].startswith("ConnectionError at fail:")
    assert "hunter2" not in describe(caught())


def test_what_libraries_say_is_withheld() -> None:
    line = JsonFormatter().format(record("asyncio", f"Task exception was never retrieved {SECRET}", caught()))
    assert "hunter2" not in line
    assert "asyncio" in line
