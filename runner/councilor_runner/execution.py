"""From a claimed run to its outcome: submit the task, then wait for it.

A model call costs money. The task id is Conductor's idempotency key, so submitting may be repeated; whenever it stays
unclear whether a submission arrived, the poll sources are asked, and nothing is ever sent under another id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from councilor_runner import logs
from councilor_runner.answers import Answer, AnswerKind, TaskState, outcome_of
from councilor_runner.clock import Clock
from councilor_runner.conductor import SYNCHRONOUS_MARGIN_SECONDS, Conductor
from councilor_runner.connection import ANSWER_SECONDS
from councilor_runner.contract import Reason
from councilor_runner.outcome import Outcome
from councilor_runner.polling import PollLimits, PollSource, WaitEnd, look_up, wait_for_task


@dataclass(frozen=True, slots=True)
class Limits:
    """Times of one run, seconds. The deadline itself comes from the contract."""

    submit_delays: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    """Between submissions that got no answer. Longer outages are left to the Job, which starts another Pod."""
    last_look: float = 5.0
    """What a Pod that continues another's run may always use, even when the time is up."""
    poll: PollLimits = field(default_factory=PollLimits)


@dataclass(slots=True)
class Progress:
    """What is known about the dispatch at any moment, also when the run is interrupted in the middle of a request."""

    earlier: bool = False
    """An earlier Pod may have sent the task."""
    sent: bool = False
    """This Pod may have."""

    @property
    def dispatched(self) -> bool:
        return self.earlier or self.sent


_REFUSALS = {
    AnswerKind.AGENT_UNKNOWN: Reason.AGENT_UNKNOWN,
    AnswerKind.REFUSED: Reason.REQUEST_REFUSED,
    AnswerKind.CREDENTIALS_REFUSED: Reason.CREDENTIALS_REFUSED,
    AnswerKind.TLS_FAILED: Reason.TLS_FAILED,
}


class Execution:
    """One task: how it is submitted and where it can be read."""

    def __init__(
        self,
        *,
        task_id: str,
        agent_id: str,
        request: tuple[str, Mapping[str, object]],
        conductor: Conductor,
        sources: Sequence[PollSource],
        clock: Clock,
        timeout_seconds: float,
        already_spent: float,
        synchronous: bool,
        progress: Progress,
        limits: Limits,
    ) -> None:
        """`already_spent`: seconds since an earlier Pod claimed this run, 0 for the first."""
        self._task_id = task_id
        self._agent_id = agent_id
        self._path, self._body = request
        self._conductor = conductor
        self._sources = sources
        self._clock = clock
        self._synchronous = synchronous
        self._progress = progress
        self._limits = limits
        self._timeout = timeout_seconds
        start = clock.monotonic()
        self._deadline = start + timeout_seconds
        self._inherited_deadline = start + max(timeout_seconds - already_spent, min(limits.last_look, timeout_seconds))

    async def run(self) -> Outcome:
        """Return how the run ended; an outcome that is not final leaves the rest to another Pod."""
        answer = await self._submit()
        match answer.kind:
            case AnswerKind.FINISHED if answer.task is not None:
                return outcome_of(answer.task)
            case AnswerKind.ACCEPTED:
                return await self._wait(self._deadline)
            case AnswerKind.ALREADY_SUBMITTED:
                logs.info("the task had been submitted before: polling")
                return await self._wait(self._inherited_deadline)
            case AnswerKind.STILL_RUNNING:
                return await self._wait(self._deadline) if self._sources else self._timed_out()
            case _:
                return await self._unclear(answer)

    async def _submit(self) -> Answer:
        delays = iter(self._limits.submit_delays)
        while True:
            before = self._progress.sent
            # Set before sending: an interruption in the middle of the request must not be taken for "nothing sent".
            self._progress.sent = True
            submission = await self._conductor.submit(self._path, self._body, self._answer_seconds())
            self._progress.sent = before or submission.maybe_dispatched
            answer = submission.answer
            if answer.kind not in (AnswerKind.UNAVAILABLE, AnswerKind.UNREACHABLE):
                return answer
            if self._synchronous and submission.maybe_dispatched and not self._repeatable:
                return answer
            delay = next(delays, None)
            if delay is None:
                return answer
            wait = max(delay, answer.retry_after or 0.0)
            if wait > sum(self._limits.submit_delays) or self._clock.monotonic() + wait >= self._deadline:
                return answer
            logs.info("submitting again", afterSeconds=wait, reason=answer.kind.name)
            await self._clock.sleep(wait)

    @property
    def _repeatable(self) -> bool:
        # The seed protocol has no idempotency key: a second submission would be a second model call.
        return "task_id" in self._body

    def _answer_seconds(self) -> float:
        remaining = max(1.0, self._deadline - self._clock.monotonic())
        return remaining + SYNCHRONOUS_MARGIN_SECONDS if self._synchronous else min(ANSWER_SECONDS, remaining)

    async def _unclear(self, answer: Answer) -> Outcome:
        """The last submission was not accepted: whether an earlier one was is asked elsewhere."""
        if answer.kind is AnswerKind.UNRECOGNISED:
            failed = Outcome(Reason.CONDUCTOR_FAILED, message=answer.message)
            # No other Pod follows to look again. The sources may be away for the same reason, and the task may still
            # be on its way into the database, so one look would not be enough.
            return await self._wait(self._inherited_deadline, never_seen=failed) if self._sources else failed
        if self._sources and self._progress.dispatched:
            state = await look_up(self._task_id, self._sources)
            if isinstance(state, TaskState):
                logs.info("the task exists although its submission was not accepted: polling")
                return await self._wait(self._inherited_deadline)
        if (reason := _REFUSALS.get(answer.kind)) is not None:
            return Outcome(reason, message=answer.message)
        if self._synchronous and self._progress.dispatched:
            return self._timed_out() if self._clock.monotonic() >= self._deadline else self._unknown()
        return Outcome(
            Reason.CONDUCTOR_UNREACHABLE,
            message=f"{answer.message}; check that it runs and what the operator's COUNCILOR_CONDUCTOR_URL leads to",
        )

    async def _wait(self, deadline: float, never_seen: Outcome | None = None) -> Outcome:
        if not self._sources:
            return self._unknown()
        ended = await wait_for_task(self._task_id, self._sources, self._clock, deadline, self._limits.poll)
        match ended:
            case TaskState(agent_id=agent_id) if agent_id not in (None, self._agent_id):
                # The answer to another question, possibly of another Councilor, is none to this one.
                return Outcome(
                    Reason.CONDUCTOR_FAILED,
                    message="Conductor holds a task of another agent under the id of this run, so the agent was not "
                    "asked: start another run, which has an id of its own",
                )
            case TaskState():
                return outcome_of(ended)
            case WaitEnd.VANISHED:
                return never_seen or Outcome(
                    Reason.TASK_VANISHED,
                    message="the task disappeared before it had a result: it was deleted, or gateway and Conductor use "
                    "different databases",
                )
            case WaitEnd.REFUSED:
                return Outcome(
                    Reason.CREDENTIALS_REFUSED,
                    message="the task was submitted but may not be read: check CONDUCTOR_TOKEN and the user of "
                    "MONGODB_URI in the Secret councilor-runner",
                )
            case WaitEnd.UNREADABLE:
                return self._timed_out("; at the end neither gateway nor MongoDB could be read, the log says why")
            case WaitEnd.DEADLINE:
                return self._timed_out()

    def _timed_out(self, addition: str = "") -> Outcome:
        return Outcome(
            Reason.AGENT_TIMED_OUT,
            message=f"no result within {self._timeout:g} s; the task may still finish in Conductor{addition}",
        )

    def _unknown(self) -> Outcome:
        return Outcome(
            Reason.OUTCOME_UNKNOWN,
            message="the task was submitted, but its result cannot be read: configure the gateway's address or "
            "MONGODB_URI, so that a run can be continued after an interruption",
        )
