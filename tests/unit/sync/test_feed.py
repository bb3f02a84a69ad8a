"""Which events concern councilors, what stands in the way of a stream, and how long to wait after it."""

from __future__ import annotations

from typing import Any

import pytest
from bson.errors import InvalidBSON
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from councilor_operator.sync.feed import POLLING, RESUMABLE, Pace, concerns, judge, pause


@pytest.mark.parametrize(
    ("event", "relevant"),
    [
        *(
            ({"operationType": operation, "fields": []}, True)
            for operation in ("insert", "replace", "delete", "drop", "rename", "dropDatabase", "invalidate", "of later")
        ),
        ({}, True),
        ({"operationType": "update", "fields": []}, False),
        ({"operationType": "update"}, False),
        ({"operationType": "update", "fields": ["stats.total_executions", "stats.success_rate"]}, False),
        ({"operationType": "update", "fields": ["statistics", "councilor_runs.recent", "updated_at"]}, False),
        ({"operationType": "update", "fields": ["status", "position.x", "position.y"]}, False),
        ({"operationType": "update", "fields": ["updated_at", "councilor_config.schedule.enabled"]}, True),
        ({"operationType": "update", "fields": ["councilor_config"]}, True),
        ({"operationType": "update", "fields": ["is_councilor"]}, True),
        ({"operationType": "update", "fields": ["is_councilor_instance"]}, True),
        ({"operationType": "update", "fields": ["isDeleted"]}, True),
        ({"operationType": "update", "fields": ["agent_id"]}, True),
        ({"operationType": "update", "fields": ["cwd"]}, True),
        ({"operationType": "update", "fields": ["customization.display_name"]}, True),
    ],
)
def test_events(event: dict[str, Any], relevant: bool) -> None:
    assert concerns(event) is relevant


def labelled(error: OperationFailure | AutoReconnect, label: str) -> Exception:
    error._add_error_label(label)
    return error


LOST = "NonResumableChangeStreamError"


@pytest.mark.parametrize(
    ("error", "resuming", "beginning"),
    [
        (AutoReconnect(""), "unreachable", "unreachable"),
        (NotPrimaryError(""), "unreachable", "unreachable"),
        (ServerSelectionTimeoutError(""), "unreachable", "unreachable"),
        (ConfigurationError(""), "unreachable", "unreachable"),
        (CursorNotFound("", 43), "unreachable", "unreachable"),
        *((OperationFailure("", code), "unreachable", "unreachable") for code in (6, 91, 189, 237, 262, 10107, 11602)),
        (OperationFailure("", 13), "forbidden", "forbidden"),
        (OperationFailure("", 18), "credentials", "credentials"),
        (OperationFailure("", 8000), "credentials", "credentials"),
        (OperationFailure("", 40573), "standalone", "standalone"),
        # FailedToParse, CappedPositionLost, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost,
        # BSONObjectTooLarge; what other servers than MongoDB's say where there are no streams.
        *((OperationFailure("", code), "unresumable", "unsupported") for code in (9, 136, 260, 280, 286, 10334)),
        *((OperationFailure("", code), "unresumable", "unsupported") for code in (20, 59, 115, 303, 40324, None)),
        (labelled(OperationFailure("", 286), LOST), "unresumable", "unresumable"),
        (labelled(OperationFailure("", 91), LOST), "unresumable", "unresumable"),
        (InvalidBSON(""), "unresumable", "unsupported"),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'code', '')}" if isinstance(value, Exception) else None,
)
def test_obstacles(error: Exception, resuming: str, beginning: str) -> None:
    assert judge(error, fresh=False) == resuming
    assert judge(error, fresh=True) == beginning


def test_what_polls_keeps_no_token() -> None:
    assert not POLLING & RESUMABLE


PACE = Pace(first_retry=0.5, last_retry=30)


@pytest.mark.parametrize(
    ("failures", "middle"), [(0, 0.5), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (7, 30), (33, 30), (10**9, 30)]
)
def test_pauses_double_up_to_a_limit(failures: int, middle: float) -> None:
    assert pause(failures, PACE, 0.5) == pytest.approx(middle)
    assert pause(failures, PACE, 0.0) == pytest.approx(0.8 * middle)
    assert pause(failures, PACE, 1.0) == pytest.approx(1.2 * middle)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_no_pause_is_none_or_endless(failures: int, jitter: float) -> None:
    assert 0.79 * PACE.first_retry <= pause(failures, PACE, jitter) <= 1.21 * PACE.last_retry
