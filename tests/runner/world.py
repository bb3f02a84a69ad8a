"""One Councilor and everything around it, for tests of `councilor-runner report`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from councilor_runner.contract import ChannelResult, ExitCode, RunReport
from tests.conductor import Answer, StubConductor
from tests.mongodb import Mongod
from tests.runner.process import RunnerProcess, RunnerSetup, wait_for

APPLICATION = "councilor-runner"
ENDED = datetime(2026, 3, 2, 9, 0, 46, tzinfo=UTC)


@dataclass
class World:
    """A Councilor's surroundings: Conductor, MongoDB, and the Pods of its Jobs."""

    setup: RunnerSetup
    stub: StubConductor
    mongod: Mongod
    database: Database[dict[str, Any]]

    def told(self, **changes: Any) -> RunReport:
        """Return the run as the operator counts one whose Pod died without a word."""
        fields: dict[str, Any] = {
            "execution_id": self.setup.execution_id,
            "task_id": self.setup.task_id,
            "trigger": "scheduled",
            "status": "error",
            "severity": "error",
            "exit_code": 137,
            "reason": "OOMKilled",
            "message": "the runner ran out of memory: raise spec.runner.resources.limits.memory",
            "started_at": ENDED - timedelta(seconds=42),
            "completed_at": ENDED,
            "duration_ms": 42000,
        }
        return RunReport(**{**fields, **changes})

    @property
    def records(self) -> list[dict[str, Any]]:
        return list(self.database.councilor_executions.find())

    @property
    def record(self) -> dict[str, Any]:
        (record,) = self.records
        return record

    @property
    def statistics(self) -> dict[str, Any]:
        agent = self.database.agents.find_one({"agent_id": "A_Agent"})
        assert agent is not None
        stats: dict[str, Any] = agent.get("stats", {})
        return stats

    @property
    def told_events(self) -> list[dict[str, Any]]:
        """What the runner posted; the watcher's own events carry no severity."""
        return [r.json["data"] for r in self.stub.requests.of("event") if r.json["data"].get("severity")]

    @property
    def submissions(self) -> int:
        return len(self.stub.requests.of("submit")) + len(self.stub.requests.of("legacy"))

    def finished(self, pod: RunnerProcess, code: ExitCode = ExitCode.COMPLETED, **report: object) -> None:
        """Assert how a report ended, that it asked Conductor for nothing, and what it says of the run."""
        assert pod.exit_code == code, pod.log
        assert pod.lines[-1]["exitCode"] == code
        assert {name: getattr(pod.report, name) for name in report} == report
        assert pod.output == ""


@contextlib.contextmanager
def world_on(mongod: Mongod, directory: Path) -> Iterator[World]:
    """Start a Conductor on this server, whose only agent warns at once."""
    with (
        StubConductor(mongod.uri) as stub,
        MongoClient[dict[str, Any]](mongod.uri, appname="test", tz_aware=True) as client,
    ):
        stub.add_agent("A_Agent")
        stub.script("A_Agent", Answer(result="One is old.\nSEVERITY: warning"))
        setup = RunnerSetup(directory, stub.conductor_url, stub.gateway_url, mongod.uri)
        yield World(setup, stub, mongod, client.conductor_state)


def channels(*results: tuple[str, bool]) -> tuple[ChannelResult, ...]:
    return tuple(ChannelResult(channel=channel, delivered=delivered) for channel, delivered in results)


def outcome(pod: RunnerProcess) -> list[tuple[str, bool]]:
    return [(result.channel, result.delivered) for result in pod.report.notified]


@contextlib.contextmanager
def held(mongod: Mongod, command: str, collection: str, **data: Any) -> Iterator[Callable[[], None]]:
    """Hold the runner's next such command for a while; yields what waits until it is being held.

    Leaving the block takes until the command is let go.
    """
    with MongoClient[dict[str, Any]](mongod.uri, appname="test") as client:

        def entered() -> int:
            state = client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
            times: int = state["failpoint.failCommand"]["timesEntered"]
            return times

        before = entered()
        with mongod.fail_command(
            command,
            times=1,
            namespace=f"conductor_state.{collection}",
            appName=APPLICATION,
            blockConnection=True,
            blockTimeMS=1500,
            **data,
        ):
            yield lambda: wait_for(lambda: entered() > before)


def quiet(mongod: Mongod) -> bool:
    """Whether nothing of a runner is going on in the server."""
    with MongoClient[dict[str, Any]](mongod.uri, appname="test") as client:
        operations = client.admin.command("currentOp")["inprog"]
    return not any(
        operation.get("appName") == APPLICATION and operation.get("ns", "").startswith("conductor_state")
        for operation in operations
    )
