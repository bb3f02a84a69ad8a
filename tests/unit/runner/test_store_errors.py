"""How MongoDB's errors are classified: what passes is tried again, what does not is said at once."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from councilor_runner.contract import Reason
from councilor_runner.store import translate

TEXT = "db.internal:27017 rejected {secret: 1}"
# Unreachable hosts, network time-outs, locks, time limits, write conflicts, shutdowns, elections.
PASSING = (6, 7, 24, 50, 64, 89, 91, 112, 134, 189, 202, 262, 9001, 10107, 11600, 11601, 11602, 13435, 13436)
STANDING = (2, 20, 86, 100, 121, 10334, 17280, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        *((OperationFailure(TEXT, code), Reason.CREDENTIALS_REFUSED) for code in (13, 18, 8000)),
        *((OperationFailure(TEXT, code), Reason.DATABASE_UNREACHABLE) for code in PASSING),
        *((OperationFailure(TEXT, code), Reason.DATABASE_REFUSED) for code in STANDING),
        (WriteConcernError(TEXT, 64), Reason.DATABASE_UNREACHABLE),
        (WriteConcernError(TEXT, 91), Reason.DATABASE_UNREACHABLE),
        (WriteConcernError(TEXT, 100), Reason.DATABASE_REFUSED),
        (DuplicateKeyError(TEXT, 11000), Reason.DATABASE_REFUSED),
        (ExecutionTimeout(TEXT, 50), Reason.DATABASE_UNREACHABLE),
        (NotPrimaryError(TEXT), Reason.DATABASE_UNREACHABLE),
        (ServerSelectionTimeoutError(TEXT), Reason.DATABASE_UNREACHABLE),
        (AutoReconnect(TEXT), Reason.DATABASE_UNREACHABLE),
        (NetworkTimeout(TEXT), Reason.DATABASE_UNREACHABLE),
        (ConfigurationError(TEXT), Reason.DATABASE_UNREACHABLE),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.code}" if isinstance(value, OperationFailure) else None,
)
def test_what_passes_and_what_does_not(error: PyMongoError, reason: Reason) -> None:
    translated = translate(error, "record the execution")
    assert translated.reason is reason
    assert translated.temporary is (reason is Reason.DATABASE_UNREACHABLE)
    assert "record the execution" in translated.message
    assert "internal" not in translated.message
    assert "secret" not in translated.message
