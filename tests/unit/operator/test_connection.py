"""Answers of the API server as the errors that the reconciler tells apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from councilor_operator.connection import error_of
from councilor_operator.errors import (
    ApiError,
    Cause,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)

UNREADABLE = (
    "failed to convert new object (default/x; batch/v1, Kind=CronJob) to proper version: unable to convert "
    "unstructured object to batch/v1, Kind=CronJob: quantities must match the regular expression '^x$'"
)
NO_NAMESPACE = {"name": "team-a", "kind": "namespaces"}
TERMINATING = {"causes": [{"reason": "NamespaceTerminating", "message": "m", "field": "metadata.namespace"}]}


@pytest.mark.parametrize(
    ("status", "message", "details", "kind"),
    [
        (400, "bad", None, RejectedError),
        (401, "who", None, TransientError),
        (403, "no", None, RejectedError),
        (403, "gone soon", TERMINATING, NamespaceGoneError),
        (404, "none", None, NotFoundError),
        (404, "none", {"name": "x", "group": "batch", "kind": "cronjobs"}, NotFoundError),
        (404, "none", NO_NAMESPACE, NamespaceGoneError),
        (409, "changed", None, ConflictError),
        (413, "large", None, RejectedError),
        (422, "invalid", None, RejectedError),
        (429, "slowly", None, TransientError),
        (500, "etcdserver: request timed out", None, TransientError),
        # No fault that passes: the same object will never be read.
        (500, UNREADABLE, None, RejectedError),
        (503, "later", None, TransientError),
    ],
)
def test_kinds(status: int, message: str, details: dict[str, Any] | None, kind: type[ApiError]) -> None:
    error = error_of(status, json.dumps({"kind": "Status", "message": message, "details": details}).encode(), None)
    assert type(error) is kind
    assert error.status == status
    assert error.message in {message, "the namespace is being deleted", "the namespace is gone"}


def test_causes_are_kept_where_they_name_a_field() -> None:
    causes = [{"field": "spec.schedule", "message": "m", "reason": "r"}, {"message": "of no field"}, {"field": "a"}]
    error = error_of(422, json.dumps({"message": "flat", "details": {"causes": causes}}).encode(), None)
    assert isinstance(error, RejectedError)
    assert error.causes == (Cause("spec.schedule", "m"), Cause("a", ""))


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"7", b'{"details": 5}', b'{"details": {"causes": [7]}}'])
def test_pages_of_a_proxy(content: bytes) -> None:
    error = error_of(502, content, None)
    assert type(error) is TransientError
    assert error.message == "HTTP 502"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (None, None), ("soon", None)])
def test_when_to_come_back(header: str | None, seconds: float | None) -> None:
    error = error_of(429, b"{}", header)
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds
