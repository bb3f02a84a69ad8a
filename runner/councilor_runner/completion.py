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
from councilor_runner.messages import answer_of, one_line
from councilor_runner.messages import compose as compose_message
from councilor_runner.notifications import merge, notify, remaining, task_event, wanted
from councilor_runner.records import Finished, PreviousRun, instance_id
from councilor_runner.settings import Settings

if TYPE_CHECKING:
    from councilor_runner.gateway import Gateway
    from councilor_runner.store import Store

_MESSAGE_LIMIT = 512
_LOOK_BACK_SECONDS = 6.0
_INTERRUPTED_LOOK_BACK_SECONDS = 2.0


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
        recovered_from = await self._recovered_from() if severity == "success" and rules.on_recovery else None
        if not wanted(rules, severity, recovered=recovered_from is not None):
            return told
        event = task_event(
            self._contract,
            task_id=self._settings.task_id,
            instance_id=instance_id(self._fields),
            finished=finished,
            severity=severity,
            recovered_from=recovered_from,
        )
        results = await notify(
            channels,
            event,
            compose_message(self._settings, finished, severity, recovered_from),
            settings=self._settings,
            gateway=self._gateway,
            interruption=self._interruption,
        )
        return merge(told, results)

    async def _recovered_from(self) -> PreviousRun | None:
        """Return the run before this one if it was no success; without a database nobody remembers."""
        if self._store is None:
            return None
        from councilor_runner.store import StoreError

        try:
            async with self._interruption.limit(_LOOK_BACK_SECONDS, _INTERRUPTED_LOOK_BACK_SECONDS):
                previous = await self._store.previous(self._fields)
        except (StoreError, TimeoutError) as error:
            detail = error.message if isinstance(error, StoreError) else "MongoDB did not answer in time"
            logs.warning("previous execution not read", detail=detail)
            return None
        return None if previous is None or previous.severity == "success" else previous


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
    return RunReport(
        execution_id=settings.execution_id,
        task_id=settings.task_id,
        trigger=settings.trigger,
        status=outcome.status,
        severity=finished.severity,
        exit_code=exit_code,
        agent_exit_code=outcome.agent_exit_code,
        reason=outcome.reason,
        message=one_line(message, _MESSAGE_LIMIT),
        summary=one_line(answer_of(outcome), SUMMARY_LIMIT),
        scheduled_at=settings.scheduled_at,
        started_at=finished.started_at,
        completed_at=finished.completed_at,
        duration_ms=finished.duration_ms,
        dispatched=dispatched,
        recorded=settled.recorded,
        notified=notified,
    )
