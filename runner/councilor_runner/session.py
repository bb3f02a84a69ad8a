"""One run from claim to report.

    claim ─▶ execute ─▶ judge ─▶ record ─▶ notify ─▶ report

Two things may end it early. A signal: what is known is kept, the claim stays `running` and the next Pod of the Job
goes on polling. An unreachable database before the claim: nothing has been sent, so nothing is lost.

A Pod that gets no further for the time being leaves the run to the next one. The last Pod of the Job ends the run
instead, as an error that is recorded, counted and told; otherwise its claim would stay `running` for ever.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from councilor_runner import logs
from councilor_runner.answers import TaskState
from councilor_runner.bookkeeping import Settled
from councilor_runner.clock import Calendar, Clock
from councilor_runner.completion import Completion, compose
from councilor_runner.conductor import Conductor, execution_request
from councilor_runner.contract import Reason, RunReport, Severity
from councilor_runner.execution import Execution, Limits, Progress
from councilor_runner.gateway import Gateway
from councilor_runner.interruption import Interruption
from councilor_runner.legible import legible
from councilor_runner.outcome import Outcome, ended_by_last_attempt, give_up
from councilor_runner.polling import Lookup, PollSource, look_up
from councilor_runner.prompt import build_prompt, prompt_complaint
from councilor_runner.records import Finished, claim_fields, instance_id, read_finished
from councilor_runner.settings import Settings
from councilor_runner.verdict import judge

if TYPE_CHECKING:
    from councilor_runner.store import Store


class Session:
    """A run of the settings' contract with the clients it is given; `store` is None without MONGODB_URI."""

    def __init__(
        self,
        settings: Settings,
        *,
        client: httpx.AsyncClient,
        store: "Store | None",
        clock: Clock,
        interruption: Interruption,
        limits: Limits | None = None,
    ) -> None:
        self._settings = settings
        self._contract = settings.contract
        self._store = store
        self._clock = clock
        self._interruption = interruption
        self._limits = limits or Limits()
        self._progress = Progress()
        self._calendar = Calendar(clock)
        self._started_at = self._calendar.now()
        self._fields = claim_fields(settings, self._started_at)
        self._claimed = False
        self._attempts = 0
        self._continued = False
        self._finished_before: Finished | None = None
        self._client = client
        self._conductor = Conductor(client, self._contract.endpoints.conductor_url, clock)
        # The seed protocol makes up task ids of its own: nothing to look for, nothing to repeat.
        self._seed = self._contract.endpoints.protocol == "seed"

    @property
    def _gateway(self) -> Gateway | None:
        url = self._contract.endpoints.gateway_url
        return None if url is None else Gateway(self._client, url, self._contract.agent.id)

    @property
    def _sources(self) -> tuple[PollSource, ...]:
        return tuple(source for source in (self._gateway, self._store) if source is not None and not self._seed)

    async def run(self) -> RunReport:
        """Return the report; its exit code is the process's."""
        try:
            return await self._run()
        except Exception as error:
            return await self._postpone(self._internal_error(error))

    async def _run(self) -> RunReport:
        outcome = await self._until_interrupted()
        if not outcome.final:
            return await self._postpone(outcome)
        severity = self._finished_before.severity if self._finished_before else self._judge(outcome)
        finished = self._finished_before or self._finished(outcome, severity)
        logs.info("run finished", reason=str(outcome.reason), severity=severity, durationMs=finished.duration_ms)
        completion = Completion(
            self._settings,
            self._fields,
            gateway=self._gateway,
            store=self._store if self._claimed else None,
            clock=self._clock,
            interruption=self._interruption,
        )
        settled = await completion.settle(finished, already_recorded=self._finished_before is not None)
        # Also for a run that an earlier Pod recorded: whether that one got as far as notifying is unknown, and hearing
        # of an error twice is better than never.
        notified = await completion.notify(settled.finished)
        return compose(self._settings, settled, notified, dispatched=self._progress.dispatched)

    async def _until_interrupted(self) -> Outcome:
        outcome = await self._interruption.cut_short(self._attempt())
        if outcome is None:
            logs.warning("asked to end: leaving the rest to the next Pod", dispatched=self._progress.dispatched)
            outcome = self._unfinished(
                Outcome(Reason.INTERRUPTED, message="the Pod was asked to end before the run had a result")
            )
        return outcome

    async def _attempt(self) -> Outcome:
        try:
            outcome = await self._reach_outcome()
        except Exception as error:
            outcome = self._internal_error(error)
        return await self._unless_last(outcome)

    async def _unless_last(self, outcome: Outcome) -> Outcome:
        """End the run for good when this Pod was the last one and nothing can come of what may have been sent.

        Crash windows. Killed before the record: the claim stays `running`, and a Pod that replaces an evicted one has
        a higher number, so it decides the same or succeeds. Killed after the record: such a Pod finds it finished and
        catches up on counting and telling. Sent, but not stored as a task yet: the look sees nothing, hence the
        message; no Pod would come to read the result either way.
        """
        if not self._claimed or not ended_by_last_attempt(outcome, self._attempts, self._contract.execution.retries):
            return outcome
        if self._progress.dispatched:
            if await look_up(self._settings.task_id, self._sources) is not Lookup.ABSENT:
                return outcome
            # Earlier Pods ended long enough ago for anything they sent to be visible.
            self._progress.earlier = False
        logs.warning("giving up", attempts=self._attempts, reason=str(outcome.reason))
        return give_up(outcome, self._attempts, maybe_sent=self._progress.sent)

    def _internal_error(self, error: Exception) -> Outcome:
        # Either nothing was sent, or the next Pod meets the duplicate and polls for the result.
        logs.error("internal error", error)
        message = f"internal error ({type(error).__name__}); the runner's log tells where"
        return self._unfinished(Outcome(Reason.INTERNAL_ERROR, message=message))

    def _unfinished(self, outcome: Outcome) -> Outcome:
        # Another Pod may submit again only where the task id keeps Conductor from running the agent twice.
        if self._seed and self._progress.dispatched:
            return Outcome(
                Reason.OUTCOME_UNKNOWN, message=f"{outcome.message}; the seed protocol cannot ask for it later"
            )
        return outcome

    async def _reach_outcome(self) -> Outcome:
        refused = await self._claim()
        if refused is not None:
            return refused
        if self._finished_before is not None:
            logs.info("an earlier Pod recorded this run: finishing its bookkeeping")
            return self._finished_before.outcome
        settings, execution = self._settings, self._contract.execution
        prompt = settings.prompt or ""
        if not prompt.strip():
            return Outcome(
                Reason.PROMPT_MISSING,
                message="there is nothing to ask: write spec.task.prompt, or check the ConfigMap and key of "
                "spec.task.promptFrom",
            )
        if (complaint := prompt_complaint(prompt)) is not None:
            return Outcome(Reason.PROMPT_INVALID, message=complaint)
        if not execution.cwd.strip():
            return Outcome(
                Reason.WORKING_DIRECTORY_MISSING,
                message="spec.execution.cwd is empty: name a directory on the host where Conductor runs its agents",
            )
        if await self._too_late():
            return Outcome(
                Reason.STARTED_TOO_LATE,
                message=f"started more than {execution.starting_deadline_seconds} s after its scheduled time",
            )
        return await self._execute(prompt)

    async def _claim(self) -> Outcome | None:
        """Claim the run; return an outcome when that is impossible, since nothing may be sent then."""
        if self._store is None:
            return self._unguarded() if self._seed else None
        from councilor_runner.store import StoreError

        try:
            await self._store.prepare()
            self._calendar = Calendar(self._clock, await self._store.clock_difference(self._clock.now))
            self._started_at = self._calendar.now()
            self._fields = claim_fields(self._settings, self._started_at)
            earlier = await self._store.claim(self._fields)
        except StoreError as error:
            return Outcome(error.reason, message=error.message)
        self._claimed = True
        self._attempts = (earlier or {}).get("attempts", 0) + 1
        if earlier is None:
            logs.info("execution claimed")
            return None
        self._take_over(earlier)
        self._finished_before = read_finished(earlier)
        if self._finished_before is not None:
            before = self._finished_before.outcome
            self._progress.earlier = before.status != "skipped" and not before.given_up
        else:
            self._continued = True
            # In the seed protocol this reason is noted only where nothing was sent.
            self._progress.earlier = not (self._seed and earlier.get("reason") == Reason.CONDUCTOR_UNREACHABLE)
            logs.info("continuing the run of an earlier Pod", attempt=self._attempts)
            # Without an idempotency key only a claim that provably sent nothing may be continued.
            if self._seed and self._progress.earlier:
                return Outcome(
                    Reason.OUTCOME_UNKNOWN,
                    message="an earlier Pod may have started the agent; the seed protocol cannot ask for its result",
                )
        return None

    def _unguarded(self) -> Outcome:
        # A Pod that replaces this one would start the agent again.
        return Outcome(
            Reason.REQUEST_REFUSED,
            message="the seed protocol has no task ids, so only a record can keep the agent from being started twice: "
            "write MONGODB_URI into the Secret councilor-runner, or set the operator's protocol to current",
        )

    def _take_over(self, earlier: Mapping[str, Any]) -> None:
        """Go on under the ids and times of the Pod that claimed the run first."""
        execution_id, agent_id = earlier.get("execution_id"), earlier.get("agent_id")
        if isinstance(execution_id, str) and isinstance(agent_id, str):
            # A Job that is made again by hand is the same run, also when its Councilor has another agent by now.
            self._settings = self._settings.of_execution(execution_id, agent_id)
            self._contract = self._settings.contract
        if isinstance(earlier.get("started_at"), datetime):
            self._started_at = earlier["started_at"]
        self._fields = claim_fields(self._settings, self._started_at)

    async def _too_late(self) -> bool:
        deadline, scheduled_at = self._contract.execution.starting_deadline_seconds, self._settings.scheduled_at
        if deadline is None or scheduled_at is None:
            return False
        if (self._clock.now() - scheduled_at).total_seconds() <= deadline:
            return False
        if self._store is not None and not self._continued:
            return True
        # This Pod is late, but an earlier one of the Job may have sent the task in time.
        state = await look_up(self._settings.task_id, self._sources)
        return not isinstance(state, TaskState) and (state is Lookup.ABSENT or not self._continued)

    async def _execute(self, prompt: str) -> Outcome:
        contract = self._contract
        synchronous = not self._sources
        request = execution_request(
            contract,
            task_id=self._settings.task_id,
            prompt=build_prompt(contract.task, prompt, ask_severity=contract.verdict.ask_agent),
            instance_id=instance_id(self._fields),
            wait_for_result=synchronous,
        )
        spent = (self._calendar.now() - self._started_at).total_seconds() if self._continued else 0.0
        return await Execution(
            task_id=self._settings.task_id,
            agent_id=contract.agent.id,
            request=request,
            conductor=self._conductor,
            sources=self._sources,
            clock=self._clock,
            timeout_seconds=contract.execution.timeout_seconds,
            already_spent=max(0.0, spent),
            synchronous=synchronous,
            progress=self._progress,
            limits=self._limits,
        ).run()

    def _finished(self, outcome: Outcome, severity: Severity | None) -> Finished:
        # Nor may the end come before the beginning where MongoDB's clock was set back, or another server's is behind.
        return Finished(outcome, severity, self._started_at, max(self._started_at, self._calendar.now()))

    def _judge(self, outcome: Outcome) -> Severity | None:
        if outcome.status != "completed":
            return "error" if outcome.status == "error" else None
        verdict = judge(legible(outcome.text or ""), self._contract.verdict)
        logs.info("judged", severity=verdict.severity, basis=verdict.basis)
        return verdict.severity

    async def _postpone(self, outcome: Outcome) -> RunReport:
        logs.warning("run not finished", reason=str(outcome.reason), detail=outcome.message)
        if self._store is not None and self._claimed:
            from councilor_runner.store import StoreError

            try:
                await self._store.postpone(self._settings.task_id, outcome.reason, outcome.message)
            except StoreError as error:
                logs.warning("reason not noted on the claim", detail=error.message)
        settled = Settled(self._finished(outcome, "error"), recorded=False)
        return compose(self._settings, settled, (), dispatched=self._progress.dispatched)
