"""`councilor-runner report`: record and tell a run that could not do so itself.

    look ─▶ record ─▶ count ─▶ tell ─▶ report

Its Pods died without a word, or MongoDB was away when they ended. The operator has counted the run and says as what;
MongoDB gets the same, so that status and record agree; what became of the task meanwhile is not looked at
(docs/decisions/0009). A record that stands is the exception: then a Pod finished the run and died before its last
word. The record stays, what it lacked is caught up on, and the report says what the record says.

May be repeated after a crash at any moment: the record is written once, counted once, and told again at worst.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from councilor_runner import logs
from councilor_runner.bookkeeping import Settled
from councilor_runner.clock import Clock
from councilor_runner.completion import Completion, compose
from councilor_runner.contract import ChannelResult, ExitCode, RunReport
from councilor_runner.gateway import Gateway
from councilor_runner.interruption import Interruption
from councilor_runner.notifications import merge, remaining, wanted
from councilor_runner.records import claim_fields, counted_run, read_finished
from councilor_runner.settings import Settings

if TYPE_CHECKING:
    from councilor_runner.store import Store


class Ending(NamedTuple):
    """What the process leaves behind.

    The report speaks of the run, also in its exit code, which is that of the run's own process; `exit_code` is that
    of this one.
    """

    report: RunReport
    exit_code: ExitCode


class Reporter:
    """Records and tells one run; `told` is the run as the operator counted it, `store` is None without MONGODB_URI."""

    def __init__(
        self,
        settings: Settings,
        told: RunReport,
        *,
        client: httpx.AsyncClient,
        store: "Store | None",
        clock: Clock,
        interruption: Interruption,
    ) -> None:
        self._settings = settings
        self._told = told
        self._client = client
        self._store = store
        self._clock = clock
        self._interruption = interruption

    async def run(self) -> Ending:
        """Return the run's report with `recorded` and `notified` brought up to date, and how this process ends."""
        told = self._told
        logs.info("recording a run in place of its own Pods", status=told.status, reason=told.reason)
        try:
            return await self._run()
        except Exception as error:
            logs.error("internal error", error)
            complaint = f"internal error ({type(error).__name__}); the log of the report tells where"
            return unrecorded(self._settings, told, complaint, temporary=True)

    async def _run(self) -> Ending:
        if self._store is None:
            return await self._finish({})
        from councilor_runner.store import StoreError

        try:
            record = await self._interruption.cut_short(self._look(self._store))
        except StoreError as error:
            return unrecorded(self._settings, self._told, error.message, temporary=error.temporary)
        if record is None:
            complaint = "the Pod was asked to end before the run was recorded"
            return unrecorded(self._settings, self._told, complaint, temporary=True)
        return await self._finish(record)

    async def _look(self, store: "Store") -> dict[str, Any]:
        """Return the run's claim or record, or nothing."""
        await store.prepare()
        return await store.find(self._settings.task_id) or {}

    async def _finish(self, record: Mapping[str, Any]) -> Ending:
        told, settings = self._told, self._settings
        if record:
            # The operator knows a silent run under the agent that the Councilor has by now.
            settings = settings.of_execution(record["execution_id"], record["agent_id"])
        claimed_at = record.get("started_at")
        before = read_finished(record)
        finished = before or counted_run(told, claimed_at if isinstance(claimed_at, datetime) else None)
        endpoints, agent = settings.contract.endpoints, settings.contract.agent
        completion = Completion(
            settings,
            claim_fields(settings, finished.started_at),
            gateway=Gateway(self._client, endpoints.gateway_url, agent.id) if endpoints.gateway_url else None,
            store=self._store,
            clock=self._clock,
            interruption=self._interruption,
        )
        settled = await completion.settle(finished, already_recorded=before is not None)
        if settled.complaint is not None:
            return _not_done(settings, told, settled)
        notified = await completion.notify(settled.finished, told.notified)
        return Ending(_report(settings, told, settled, notified), ExitCode.COMPLETED)


def unrecorded(settings: Settings, told: RunReport, complaint: str, *, temporary: bool) -> Ending:
    """Return the ending of a report that MongoDB kept from its work."""
    return _not_done(settings, told, Settled(counted_run(told), False, complaint, temporary))


def _not_done(settings: Settings, told: RunReport, settled: Settled) -> Ending:
    """Tell nobody yet: the container starts again, and without the record it would tell the same every time."""
    logs.error("run not recorded in full", detail=settled.complaint, temporary=settled.temporary)
    rules, severity = settings.contract.notifications, settled.finished.severity
    notified = told.notified
    if severity is not None and wanted(rules, severity, recovered=False):
        waiting = tuple(
            ChannelResult(channel=channel, delivered=False, reason="waits until the run is recorded")
            for channel in remaining(rules.channels, told.notified)
        )
        notified = merge(told.notified, waiting)
    code = ExitCode.TEMPORARY if settled.temporary else ExitCode.NOT_RECORDED
    return Ending(_report(settings, told, settled, notified), code)


def _report(settings: Settings, told: RunReport, settled: Settled, notified: tuple[ChannelResult, ...]) -> RunReport:
    # What an earlier process recorded stays recorded, also where this one has no database.
    settled = replace(settled, recorded=settled.recorded or told.recorded)
    return compose(settings, settled, notified, dispatched=told.dispatched, exit_code=told.exit_code)
