"""MongoDB: the claim, the record, the statistics, the task.

Each operation is one document's write, acknowledged by a majority and repeatable: after a crash or a lost reply the
same call with the same ids leaves the same state. No transactions: a client that dies inside one blocks others for a
minute and more, and a standalone server has none.

Imported only when MONGODB_URI is set. The driver's texts name hosts and quote documents, so they end here.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient, IndexModel, ReturnDocument, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    InvalidName,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from councilor_runner import logs
from councilor_runner.answers import TaskState, read_task
from councilor_runner.contract import Reason, Severity
from councilor_runner.polling import SourceUnavailableError
from councilor_runner.records import COUNTERS, PreviousRun, open_fields, read_previous, statistics_update
from councilor_runner.tls import MONGODB, tls_problem_said

SELECTION_MS = 3000
OPERATION_SECONDS = 5.0

_CREDENTIAL_CODES = (13, 18, 8000)
"""Unauthorized, AuthenticationFailed, and what Atlas calls either."""
_AUTHENTICATION_FAILED = 18
_TEMPORARY_CODES = frozenset(
    # Hosts and connections between the servers; locks, write conflicts and time limits; shutdowns and elections.
    (6, 7, 89, 9001, 24, 50, 64, 112, 202, 91, 134, 189, 262, 10107, 11600, 11601, 11602, 13435, 13436)
)
"""What passes, and the driver did not ride out by itself (names: MongoDB's error_codes.yml)."""


class StoreError(Exception):
    """An operation failed. `reason` says whether trying again can help; `message` is free of the driver's words."""

    def __init__(self, reason: Reason, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code

    @property
    def temporary(self) -> bool:
        return self.reason is Reason.DATABASE_UNREACHABLE


def translate(error: PyMongoError, operation: str) -> StoreError:
    """Classify a driver's error by class and code."""
    code = error.code if isinstance(error, OperationFailure) else None
    name = type(error).__name__ if code is None else f"{type(error).__name__}, code {code}"
    if code in _CREDENTIAL_CODES:
        return StoreError(
            Reason.CREDENTIALS_REFUSED,
            f"MongoDB refused to {operation} ({name}): check user, password and roles behind MONGODB_URI in the Secret "
            "councilor-runner",
            code,
        )
    # The name of a mongodb+srv:// address is looked up with the first operation.
    if isinstance(error, ConnectionFailure | ConfigurationError) or error.timeout or code in _TEMPORARY_CODES:
        return StoreError(
            Reason.DATABASE_UNREACHABLE,
            f"MongoDB could not be reached to {operation} ({name}): check that it runs and what MONGODB_URI says, "
            "also that tls=true stands there if, and only if, the server speaks TLS",
            code,
        )
    return StoreError(Reason.DATABASE_REFUSED, f"MongoDB refused to {operation} ({name})", code)


def _open_record(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter for a run's record as long as it has no result."""
    return {"_id": ObjectId(fields["task_id"]), "status": "running"}


class Store:
    """The collections of Conductor's database that a run touches."""

    name = "mongodb"

    def __init__(self, uri: str, database: str) -> None:
        """Raises StoreError when the connection string cannot be used; connects with the first operation."""
        try:
            self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                uri, serverSelectionTimeoutMS=SELECTION_MS, connectTimeoutMS=SELECTION_MS, appname="councilor-runner"
            )
            self._database = self._client.get_database(
                database, codec_options=CodecOptions(tz_aware=True), write_concern=WriteConcern("majority")
            )
        except InvalidName:
            raise StoreError(
                Reason.DATABASE_REFUSED,
                "the name of Conductor's database is none: correct COUNCILOR_DATABASE in the operator's configuration",
            ) from None
        except (InvalidURI, ConfigurationError, ValueError, TypeError) as error:
            raise StoreError(
                Reason.DATABASE_REFUSED,
                f"MONGODB_URI is not a usable connection string ({type(error).__name__}): write "
                "mongodb://user:password@host/ with the password percent-encoded",
            ) from None
        self._executions = self._database["councilor_executions"]
        # Written by Conductor from what an agent printed: what is no UTF-8 or no date in it must not cost the rest.
        self._tasks: AsyncCollection[dict[str, Any]] = self._database["tasks"].with_options(
            CodecOptions(
                tz_aware=True,
                unicode_decode_error_handler="replace",
                datetime_conversion=DatetimeConversion.DATETIME_AUTO,
            )
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @asynccontextmanager
    async def _bounded(self, operation: str) -> AsyncIterator[None]:
        # Without the overall limit the driver retries a write against a dead server for as long as it likes.
        try:
            with pymongo.timeout(OPERATION_SECONDS):
                yield
        except PyMongoError as error:
            raise self._translate(error, operation) from None

    def _translate(self, error: PyMongoError, operation: str) -> StoreError:
        """Classify an error; when no server could be selected, the driver keeps what each of them said to itself."""
        said = [server.error for server in self._client.topology_description.server_descriptions().values()]
        if isinstance(error, ConnectionFailure) and said:
            problems = [tls_problem_said(str(reason), MONGODB) for reason in said]
            # One member of a replica set that can be reached after all is reason enough to try again.
            if all(problems):
                return StoreError(Reason.TLS_FAILED, f"MongoDB could not be reached to {operation}: {problems[0]}")
        return translate(error, operation)

    async def prepare(self) -> None:
        """Create the indexes the runner relies on, unless they exist.

        A user without the right to create them gets along: the records' `_id` is the task id, so even without the
        unique index one run has one record.
        """
        indexes = [
            IndexModel("execution_id", unique=True),
            # Of the first version: history of one councilor, latest first.
            IndexModel([("councilor_id", 1), ("started_at", -1)]),
            # Whether a run is a recovery, also from a run of another agent.
            IndexModel([("namespace", 1), ("councilor", 1), ("started_at", -1)]),
        ]
        for index in indexes:
            try:
                async with self._bounded("create an index on councilor_executions"):
                    await self._executions.create_indexes([index])
            except StoreError as error:
                # Without a code it is the connection, which the next operation will not have either.
                if error.code is None or error.temporary or error.code == _AUTHENTICATION_FAILED:
                    raise
                logs.warning("index not created", index=index.document["name"], detail=error.message)

    async def clock_difference(self, now: Callable[[], datetime]) -> timedelta:
        """Return how far MongoDB's clock is ahead of ours; nothing where it does not say."""
        async with self._bounded("read the server's clock"):
            before = now()
            answer: dict[str, Any] = await self._database.command(
                "hello", codec_options=CodecOptions(tz_aware=True, tzinfo=UTC)
            )
            after = now()
        theirs = answer.get("localTime")
        return theirs - (before + (after - before) / 2) if isinstance(theirs, datetime) else timedelta()

    async def claim(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Store the run as `running` and count this Pod in `attempts`; a finished record stays as it is.

        Returns the record that was there before, None for the run's first Pod. After a lost reply the driver repeats
        the write under the same transaction number, so that it counts once; a standalone server cannot, and a Pod
        that ends for that reason has been counted: it was an attempt of the Job, too.

        By the task id: should the Job be made again after its Councilor got another agent, it is the same run.
        Raises StoreError also where another run's record has this execution id.
        """
        running = _open_record(fields)
        # What an earlier Pod noted is not true of this one: were this Pod killed after sending the task, "nothing was
        # sent" would still stand there for the next.
        note = {"reason": None, "error": None}
        document = {**open_fields(), **fields}
        take = {
            "$inc": {"attempts": 1},
            "$set": note,
            "$setOnInsert": {name: value for name, value in document.items() if name not in (*note, *running)},
        }
        async with self._bounded("claim the execution"):
            try:
                return await self._executions.find_one_and_update(
                    running, take, upsert=True, return_document=ReturnDocument.BEFORE
                )
            except DuplicateKeyError:
                # A finished record, or a claim that another Pod inserted between the server's look and its write.
                before = await self._executions.find_one_and_update(
                    running, take, return_document=ReturnDocument.BEFORE
                )
                return before or await self._standing(fields)

    async def find(self, task_id: str) -> dict[str, Any] | None:
        """Return the claim or record of a run, None when no Pod got that far.

        By `_id`, which stays the same when the Councilor's agent is changed; the execution id does not.
        """
        async with self._bounded("read the execution"):
            return await self._executions.find_one({"_id": ObjectId(task_id)})

    async def _standing(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record that the server calls a duplicate."""
        record = await self._executions.find_one({"_id": ObjectId(fields["task_id"])})
        if record is None:
            raise StoreError(
                Reason.DATABASE_REFUSED,
                "councilor_executions holds the record of another run under this run's execution id; remove or rename "
                "that record",
            )
        return record

    async def postpone(self, task_id: str, reason: str, message: str | None) -> None:
        """Note on a claim why this Pod stopped; it stays `running`, because the next Pod continues it."""
        async with self._bounded("note the interruption"):
            await self._executions.update_one(
                _open_record({"task_id": task_id}),
                {"$set": {"reason": str(reason), "error": message}},
            )

    async def finish(self, fields: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any] | None:
        """Turn the claim into the finished record; return None, or the finished record that stood there before.

        `fields` are those of the claim, for the case that the claim has been deleted meanwhile or was never made.
        """
        running, end = _open_record(fields), {"$set": dict(result)}
        async with self._bounded("record the execution"):
            try:
                await self._executions.update_one(running, {**end, "$setOnInsert": dict(fields)}, upsert=True)
            except DuplicateKeyError:
                # A finished record, or a claim that a Pod inserted between the server's look and its write.
                if (await self._executions.update_one(running, end)).matched_count == 0:
                    logs.info("the execution had been recorded before")
                    return await self._standing(fields)
        return None

    async def count(
        self, *, agent_id: str, instance_id: str | None, task_id: str, severity: Severity, completed_at: datetime
    ) -> bool | None:
        """Count the run once: True counted now, False counted before, None when there is no such agent."""
        if instance_id is None:
            collection, field, key = self._database["agents"], "stats", {"agent_id": agent_id}
        else:
            collection, field, key = self._database["agent_instances"], "statistics", {"instance_id": instance_id}
        async with self._bounded("count the execution"):
            # By `_id`: where an id exists twice, the guard would make a retried update pick the other document.
            agent = await collection.find_one(key, {"_id": 1}, sort=[("_id", 1)])
            if agent is None:
                return None
            updated = await collection.update_one(
                {"_id": agent["_id"], f"{COUNTERS}.recent": {"$ne": task_id}},
                statistics_update(field, task_id, severity, completed_at),
            )
        return updated.matched_count == 1

    async def set_severity(self, task_id: str, agent_id: str, severity: Severity) -> bool:
        """Give the task the severity that Conductor's reports demand; False when this agent has no such task."""
        async with self._bounded("set the task's severity"):
            updated = await self._tasks.update_one(
                {"_id": ObjectId(task_id), "agent_id": agent_id}, {"$set": {"severity": severity}}
            )
        return updated.matched_count == 1

    async def previous(self, fields: Mapping[str, Any]) -> PreviousRun | None:
        """Return the Councilor's last judged run before this one, None for the first.

        Runs that were skipped or are still going on have no severity. A run of a former agent counts as well: what
        people hear of is the Councilor.
        """
        same = {key: fields[key] for key in ("namespace", "councilor")}
        async with self._bounded("read the previous execution"):
            previous = await self._executions.find_one(
                {**same, "started_at": {"$lt": fields["started_at"]}, "severity": {"$ne": None}},
                {"severity": 1, "status": 1, "started_at": 1},
                sort=[("started_at", -1)],
            )
        return None if previous is None else read_previous(previous)

    async def read(self, task_id: str) -> TaskState | None:
        """Return the task as a poll source, None when there is none. Raises SourceUnavailableError."""
        try:
            async with self._bounded("read the task"):
                document = await self._tasks.find_one(
                    {"_id": ObjectId(task_id)},
                    {"status": 1, "agent_id": 1, "result": 1, "stdout": 1, "error": 1, "exit_code": 1},
                )
        except StoreError as error:
            refused = error.reason is Reason.CREDENTIALS_REFUSED
            raise SourceUnavailableError(self.name, error.message, refused=refused) from None
        if document is None:
            return None
        task = read_task(document)
        if task is None:
            raise SourceUnavailableError(self.name, "the task has no status")
        return task
