"""Reads every councilor's document out of Conductor's MongoDB: both collections completely, or an error, never a part.

The round compares what comes from here with the whole cluster, so a document that is missing here for any other reason
than being gone would cost a Councilor. Beside `feed`, which says when to read again, the only module that knows the
driver; its texts name hosts and quote documents, so they end here.
"""

import asyncio
import logging
import re
import warnings
from typing import Any, Final, Literal, get_args

import bson
import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern

from councilor_operator.sync.candidate import Collection, SourceDocument
from councilor_operator.sync.documents import FILTERS, PROJECTIONS, source_document

COLLECTIONS: Final[tuple[Collection, ...]] = get_args(Collection)

TIMEOUT_SECONDS: Final = 30.0
"""For one read of everything, another attempt included."""
SELECTION_MS: Final = 5000
"""How long a server is looked for to watch it; within a read the read's own limit holds, which outlasts an election."""
BATCH: Final = 1000

_UNDECODED: Final[CodecOptions[RawBSONDocument]] = CodecOptions(document_class=RawBSONDocument)

ErrorCause = Literal["unreachable", "credentials", "refused", "configuration"]

CREDENTIAL_CODES: Final = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, and what Atlas calls either."""
PASSING_CODES: Final = frozenset(
    # Hosts and connections between the servers; locks, time limits; shutdowns and elections; cursors that were ended.
    (6, 7, 89, 9001, 24, 50, 202, 262, 91, 134, 189, 10107, 11600, 11601, 11602, 13435, 13436, 43, 175, 237)
)
"""What another attempt may not meet (names: MongoDB's error_codes.yml)."""

_TLS_REASON = re.compile(r"\[SSL: (?P<reason>[A-Z0-9_]+)\]")
_HANDSHAKE_CUT = "UNEXPECTED_EOF_WHILE_READING"
"""Servers end a handshake in the middle while they start or stop."""


class SourceError(Exception):
    """The documents could not be read. `message` says what to check and is free of the driver's words; `cause` is a
    word for a metric's label; `passing` says whether the next attempt may well succeed."""

    def __init__(self, message: str, cause: ErrorCause, *, passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.cause: ErrorCause = cause
        self.passing = passing


def error_code(error: Exception) -> int | None:
    """Return MongoDB's error code, None for what did not come from a server."""
    return error.code if isinstance(error, OperationFailure) else None


def passes(error: Exception) -> bool:
    """Tell whether an error is one of the connection or of the moment, so that the same again may succeed."""
    if not isinstance(error, PyMongoError):
        return False
    # The name of a mongodb+srv:// address is looked up with the first operation: ConfigurationError.
    connection = isinstance(error, ConnectionFailure | ConfigurationError)
    return connection or error.timeout or error_code(error) in PASSING_CODES


def translate(error: Exception) -> SourceError:
    """Say in our own words why the documents could not be read."""
    code = error_code(error)
    name = type(error).__name__ if code is None else f"{type(error).__name__}, code {code}"
    if code == 13:
        return SourceError(
            f"MongoDB does not let the sync's user read councilors ({name}): grant it `find` on "
            f"{' and '.join(COLLECTIONS)}, and check that MONGODB_URI names a user at all",
            "credentials",
        )
    if code in CREDENTIAL_CODES:
        return SourceError(
            f"MongoDB refused the sync's user ({name}): check user, password and authSource in MONGODB_URI",
            "credentials",
        )
    unselected = isinstance(error, ServerSelectionTimeoutError)
    if isinstance(error, PyMongoError) and error.timeout and not unselected:
        return SourceError(
            f"MongoDB did not deliver every councilor in time ({name}): check that it runs, how busy it is, and what "
            "MONGODB_URI says",
            "unreachable",
            passing=True,
        )
    if passes(error):
        return SourceError(
            f"MongoDB could not be reached to read councilors, or broke off ({name}): check that it runs and what "
            "MONGODB_URI says, also that tls=true stands there if, and only if, the server speaks TLS",
            "unreachable",
            passing=True,
        )
    if isinstance(error, BSONError):
        return SourceError(
            f"a document in {' or '.join(COLLECTIONS)} cannot be decoded ({name}): look for one that was not written "
            "by Conductor",
            "refused",
        )
    return SourceError(f"MongoDB refused to read councilors ({name}): its log says why", "refused")


def tls_failure(said: list[str]) -> SourceError | None:
    """Return what to say of servers that all failed in the TLS handshake, from what the driver noted for each."""
    reasons = [found["reason"] if (found := _TLS_REASON.search(text)) else None for text in said]
    if not reasons or None in reasons or _HANDSHAKE_CUT in reasons:
        # One member of a replica set that fails otherwise may be reached after all.
        return None
    return SourceError(
        f"the TLS connection to MongoDB failed ({', '.join(sorted({str(reason) for reason in reasons}))}): check the "
        "server's certificate, its dates and names, and that tlsCAFile in MONGODB_URI names the file of the authority "
        "that signed it; take tls=true out if the server speaks no TLS",
        "configuration",
        passing=True,
    )


def heed_cancellation() -> None:
    """Raise asyncio.CancelledError if this task was cancelled while the driver was at work, and does not know any more.

    Where a time limit is set, the driver sends through `asyncio.wait_for`, which in Python 3.11 loses a cancellation
    that arrives together with what it waits for: the process would be told to stop and go on.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Source:
    """Conductor's database, for reading."""

    def __init__(self, uri: str, database: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Connects with the first read. Raises SourceError, cause "configuration", for what cannot be used at all."""
        self._timeout_seconds = timeout_seconds
        self._known: dict[Collection, dict[bytes, SourceDocument]] = {collection: {} for collection in COLLECTIONS}
        """What was read last, by its BSON: most documents are the same each time, and decoding is most of the work."""
        # At DEBUG the driver logs every command and what it answers, whole documents.
        logging.getLogger("pymongo").setLevel(logging.WARNING)
        try:
            with warnings.catch_warnings():
                # The driver would only warn of an option it does not understand, and go on without, say, TLS.
                warnings.simplefilter("error")
                self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                    uri,
                    serverSelectionTimeoutMS=SELECTION_MS,
                    connectTimeoutMS=SELECTION_MS,
                    appname="councilor-sync",
                )
            self.database: Final[AsyncDatabase[dict[str, Any]]] = self._client.get_database(
                database,
                # What is no UTF-8 or no date in one document must not cost the others.
                codec_options=CodecOptions(
                    tz_aware=True,
                    unicode_decode_error_handler="replace",
                    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
                ),
                # What is not acknowledged by a majority may be rolled back, and a secondary may lag behind: either
                # would look like documents that come and go.
                read_preference=ReadPreference.PRIMARY,
                read_concern=ReadConcern("majority"),
            )
        except InvalidName:
            raise SourceError(
                "COUNCILOR_DATABASE is not the name of a database: write conductor_state, or what Conductor's "
                "database is called",
                "configuration",
            ) from None
        except OSError as error:
            raise SourceError(
                f"MONGODB_URI names a certificate file that cannot be used ({type(error).__name__}): check that "
                "tlsCAFile and tlsCertificateKeyFile are mounted and in PEM format",
                "configuration",
            ) from None
        except UserWarning:
            raise SourceError(
                "MONGODB_URI has an option that does not exist or a value that the option does not take: correct what "
                "follows the question mark",
                "configuration",
            ) from None
        except (PyMongoError, ValueError, TypeError) as error:
            raise SourceError(
                f"MONGODB_URI is not a usable connection string ({type(error).__name__}): write "
                "mongodb://user:password@host/ with the password percent-encoded",
                "configuration",
            ) from None

    async def read(self) -> list[SourceDocument]:
        """Return every live councilor's document, by collection and `_id` (in MongoDB's order).

        A collection or database that does not exist is empty. Raises SourceError.
        """
        try:
            # Without the overall limit a server that lives and does not answer would be waited for without end.
            with pymongo.timeout(self._timeout_seconds):
                try:
                    found = await self._read()
                except PyMongoError as error:
                    # A cursor goes with its primary, and the driver repeats no later batch: from the beginning.
                    if error.timeout or not passes(error):
                        raise
                    found = await self._read()
        except (PyMongoError, BSONError) as error:
            raise self.explain(error) from None
        finally:
            heed_cancellation()
        return found

    def explain(self, error: Exception) -> SourceError:
        """Translate a driver's error; where no server could be selected, the driver keeps what each of them said."""
        if isinstance(error, ConnectionFailure):
            servers = self._client.topology_description.server_descriptions().values()
            failure = tls_failure([str(server.error) for server in servers])
            if failure is not None:
                return failure
        return translate(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _read(self) -> list[SourceDocument]:
        database = self.database.with_options(codec_options=_UNDECODED)
        found: list[SourceDocument] = []
        for collection in COLLECTIONS:
            cursor = database[collection].find(
                FILTERS[collection],
                PROJECTIONS[collection],
                # The runner counts at the smallest `_id`, and means this order. It takes memory beyond the server's
                # limit where no index gives it.
                sort=[("_id", 1)],
                allow_disk_use=True,
                batch_size=BATCH,
            )
            async with cursor:
                read = [bytes(document.raw) for document in await cursor.to_list()]
            known = self._known[collection]
            documents = {content: known.get(content) or self._decoded(collection, content) for content in read}
            self._known[collection] = documents
            found += documents.values()
        return found

    def _decoded(self, collection: Collection, content: bytes) -> SourceDocument:
        return source_document(collection, bson.decode(content, self.database.codec_options))
