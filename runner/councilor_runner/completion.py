"""The end of a run: books settled, people told, the report composed.

What a run does after its verdict, and what `reporting` does for a run that could not do it itself. Nothing here, nor
in what this module imports, can ask for an agent to be run.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from councilor_runner import logs
from councilor_runner.bookkeeping import Bookkeeper, Settled
from councilor_runner.clock import Clock
from councilor_runner.contract import SUMMARY_LIMIT, ChannelResult, ExitCode, RunReport
from councilor_runner.interruption import Interruption
from councilor_runner.legible import legible
from councilor_runner.notifications import merge, notify, remaining, summarise, task_event, wanted
from councilor_runner.records import Finished, instance_id
from councilor_runner.settings import Settings
from councilor_runner.verdict import without_marker

if TYPE_CHECKING:
    from councilor_runner.gateway import Gateway
    from councilor_runner.store import Store

_MESSAGE_LIMIT = 512


class Completion:
    """Settles one run; `fields` are those of its claim, `store` is None without a database or a claim in it."""

    def __init__(
        self,
        settings: Settings,
        fields: Mapping[str, Any],
        *,
        gateway: "Gateway | None",
        store: "Store | None",
        clock: Clock,
        interruption: Interruption,
    ) -> None:
        self._settings = settings
        self._contract = settings.contract
        self._fields = fields
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._interruption = interruption

    async def settle(self, finished: Finished, *, already_recorded: bool) -> Settled:
        """Bring MongoDB up to date."""
        if self._store is None:
            return Settled(finished, recorded=False)
        return await Bookkeeper(self._store, self._clock, self._interruption).settle(
            self._fields, finished, self._contract.agent, already_recorded=already_recorded
        )

    async def notify(self, finished: Finished, told: tuple[ChannelResult, ...] = ()) -> tuple[ChannelResult, ...]:
        """Tell whom it concerns, except over the channels that have delivered already; return `told` brought up to
        date."""
        rules, severity = self._contract.notifications, finished.severity
        channels = remaining(rules.channels, told)
        if severity is None or not channels:
            return told
        recovered = severity == "success" and rules.on_recovery and await self._recovered()
        if not wanted(rules, severity, recovered=recovered):
            return told
        event = task_event(
            self._contract,
            task_id=self._settings.task_id,
            instance_id=instance_id(self._fields),
            finished=finished,
            severity=severity,
            recovered=recovered,
        )
        return merge(told, await notify(channels, self._gateway, event))

    async def _recovered(self) -> bool:
        """Whether the run before this one was no success; without a database nobody remembers."""
        if self._store is None:
            return False
        from councilor_runner.store import StoreError

        try:
            return await self._store.previous_severity(self._fields) in ("warning", "error")
        except StoreError as error:
            logs.warning("previous execution not read", detail=error.message)
            return False


def compose(
    settings: Settings,
    settled: Settled,
    notified: tuple[ChannelResult, ...],
    *,
    dispatched: bool,
    exit_code: int | None = None,
) -> RunReport:
    """Put a run into the words of the termination message; `exit_code` when it is already known how its Pod ended."""
    finished, outcome = settled.finished, settled.finished.outcome
    message = outcome.message
    if settled.complaint is not None:
        message = f"{settled.complaint}; {message}" if message else settled.complaint
    if exit_code is None:
        exit_code = outcome.exit_code if settled.complaint is None else ExitCode.NOT_RECORDED
    text = without_marker(legible(outcome.text or "")) if outcome.status == "completed" else outcome.text
    return RunReport(
        execution_id=settings.execution_id,
        task_id=settings.task_id,
        trigger=settings.trigger,
        status=outcome.status,
        severity=finished.severity,
        exit_code=exit_code,
        agent_exit_code=outcome.agent_exit_code,
        reason=outcome.reason,
        message=summarise(message, _MESSAGE_LIMIT),
        summary=summarise(text, SUMMARY_LIMIT),
        scheduled_at=settings.scheduled_at,
        started_at=finished.started_at,
        completed_at=finished.completed_at,
        duration_ms=finished.duration_ms,
        dispatched=dispatched,
        recorded=settled.recorded,
        notified=notified,
    )
