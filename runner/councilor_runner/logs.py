"""Log lines: one JSON object each on standard error.

They tell what was done, to which ids, how long it took. Prompts, results, addresses, tokens and the texts of drivers'
exceptions never appear: exceptions are logged by class and place, also when a library logs them.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_logger = logging.getLogger("councilor_runner")
_common: dict[str, object] = {}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; a foreign logger's text is replaced by its name."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name == _logger.name
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            # A library's message may quote an address or a document.
            "message": record.getMessage() if ours else f"message of the library {record.name} withheld",
            **_common,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(**common: object) -> None:
    """Send all logging to standard error; `common` is repeated on every line from now on."""
    _common.update(common)
    if not _logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter())
        logging.getLogger().handlers = [handler]
        # The HTTP and database clients log addresses at INFO and DEBUG.
        logging.getLogger().setLevel(logging.WARNING)
        # The database's driver warns about options of a connection string in its own words.
        logging.captureWarnings(capture=True)
        _logger.handlers = [handler]
        _logger.propagate = False
        _logger.setLevel(logging.INFO)


def info(message: str, **fields: object) -> None:
    """Log what was done."""
    _logger.info(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Log what went wrong without ending the run."""
    _logger.warning(message, extra={"fields": fields})


def error(message: str, exception: BaseException | None = None, **fields: object) -> None:
    """Log what ended the run; of an exception only its class and place."""
    _logger.error(message, extra={"fields": fields}, exc_info=exception)


def describe(exception: BaseException) -> str:
    """Return class and places of an exception, never its text: drivers quote hosts, keys and documents there."""
    frames = traceback.extract_tb(exception.__traceback__)[-4:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(exception).__name__} at {places}" if places else type(exception).__name__
