"""What the sync says when MongoDB cannot be read: words of our own, and a cause that metrics can count."""

from __future__ import annotations

from pathlib import Path

import pytest
from bson.errors import InvalidBSON
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from councilor_operator.sync.source import Source, SourceError, tls_failure, translate

TEXT = "db.internal:27017 rejected {prompt: 'secret'}"
PASSING = (6, 7, 24, 43, 50, 89, 91, 134, 175, 189, 202, 237, 262, 9001, 10107, 11600, 11601, 11602, 13435, 13436)


@pytest.mark.parametrize(
    ("error", "cause", "passing", "words"),
    [
        *((OperationFailure(TEXT, code), "unreachable", True, "check that it runs") for code in PASSING),
        *((OperationFailure(TEXT, code), "refused", False, f"code {code}") for code in (2, 9, 59, 96, 136, 292)),
        (OperationFailure(TEXT), "refused", False, "its log says why"),
        (OperationFailure(TEXT, 13), "credentials", False, "grant it `find` on agents and agent_instances"),
        (OperationFailure(TEXT, 18), "credentials", False, "check user, password and authSource"),
        (OperationFailure(TEXT, 8000), "credentials", False, "check user, password and authSource"),
        (CursorNotFound(TEXT, 43), "unreachable", True, "broke off"),
        (AutoReconnect(TEXT), "unreachable", True, "tls=true"),
        (NotPrimaryError(TEXT), "unreachable", True, "tls=true"),
        (ServerSelectionTimeoutError(TEXT), "unreachable", True, "could not be reached"),
        (NetworkTimeout(TEXT), "unreachable", True, "in time"),
        (ExecutionTimeout(TEXT, 50), "unreachable", True, "in time"),
        (ConfigurationError(TEXT), "unreachable", True, "check that it runs"),
        (PyMongoError(TEXT), "refused", False, "its log says why"),
        (InvalidBSON(TEXT), "refused", False, "cannot be decoded"),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'code', '')}" if isinstance(value, Exception) else None,
)
def test_errors_are_classified(error: Exception, cause: str, passing: bool, words: str) -> None:
    said = translate(error)
    assert (said.cause, said.passing) == (cause, passing)
    assert words in said.message
    assert type(error).__name__ in said.message
    assert str(said) == said.message
    for leak in ("internal", "27017", "secret"):
        assert leak not in said.message


VERIFY = "db.internal:27017: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:992)"
VERSION = "db.internal:27018: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)"
CUT = "db.internal:27019: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred (_ssl.c:992)"


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ([VERIFY], "(CERTIFICATE_VERIFY_FAILED)"),
        ([VERIFY, VERIFY], "(CERTIFICATE_VERIFY_FAILED)"),
        ([VERSION, VERIFY], "(CERTIFICATE_VERIFY_FAILED, WRONG_VERSION_NUMBER)"),
        ([], None),
        (["None"], None),
        (["db.internal:27017: connection refused"], None),
        ([VERIFY, "connection refused"], None),
        ([CUT], None),
        ([VERIFY, CUT], None),
    ],
)
def test_tls_is_blamed_only_where_every_server_failed_in_it(said: list[str], reasons: str | None) -> None:
    failure = tls_failure(said)
    assert (failure is None) is (reasons is None)
    if failure is not None:
        assert reasons is not None
        assert reasons in failure.message
        assert "tlsCAFile" in failure.message
        assert "internal" not in failure.message
        assert failure.cause == "configuration"


PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "not a usable connection string"),
        ("mongodb://", "not a usable connection string"),
        (f"http://user:{PASSWORD}@host/", "not a usable connection string"),
        (f"mongodb://user:{PASSWORD}@x@host/", "percent-encoded"),
        (f"mongodb://user:{PASSWORD}%zz@host/", "percent-encoded"),
        (f"mongodb://user:{PASSWORD}@host:99999/", "not a usable connection string"),
        (f"mongodb://user:{PASSWORD}@[::1/", "not a usable connection string"),
        (f"mongodb://user:{PASSWORD}@host/?tls=perhaps", "what follows the question mark"),
        (f"mongodb://user:{PASSWORD}@host/?authmode=none", "what follows the question mark"),
        (f"mongodb://user:{PASSWORD}@host/?timeoutMS=soon", "what follows the question mark"),
        (f"mongodb://user:{PASSWORD}@host/?tls=true&tlsCAFile=/nowhere/ca.crt", "names a certificate file"),
    ],
)
async def test_an_unusable_connection_string_is_refused_at_once(uri: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        Source(uri, "conductor_state")
    assert words in caught.value.message
    assert caught.value.cause == "configuration"
    assert PASSWORD not in caught.value.message
    assert caught.value.__suppress_context__


async def test_a_certificate_file_of_something_else_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("to be filled in")
    with pytest.raises(SourceError, match="PEM format") as caught:
        Source(f"mongodb://host/?tls=true&tlsCAFile={tmp_path}/ca.crt", "conductor_state")
    assert caught.value.cause == "configuration"


@pytest.mark.parametrize("database", ["", "a b", "a.b", "$a", "a/b", "a\0"])
async def test_an_unusable_database_is_refused_at_once(database: str) -> None:
    with pytest.raises(SourceError, match="COUNCILOR_DATABASE is not the name") as caught:
        Source("mongodb://host/", database)
    assert caught.value.cause == "configuration"


async def test_a_usable_connection_string_is_not_tried_before_the_first_read() -> None:
    source = Source("mongodb+srv://user:pass@cluster.example.invalid/?retryWrites=true&w=majority", "conductor_state")
    await source.close()
