"""Following a run to its end: the status tells what becomes of it, the Pods what it says meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from councilor_cli import runs
from councilor_cli.cluster import Cluster, Object
from councilor_cli.errors import EXIT_UNKNOWN, CliError, ForbiddenError, MissingError, UnreachableError
from councilor_cli.page import OPERATOR_CHECK
from councilor_cli.runs import Ended
from councilor_cli.summary import Summary
from councilor_operator.api.status import RunNow
from councilor_operator.constants import ANNOTATION_RUN_NOW
from councilor_runner.contract import CONTAINER_NAME

ANSWER_SECONDS: Final = 30.0
"""How long the operator may take to see what is asked of it; a healthy one takes less than one."""
_PAUSE: Final = 0.5
_GONE_SECONDS: Final = 15.0
"""How long after a Job is gone its result may still arrive in the status."""
_LAST_LINES_SECONDS: Final = 2.0
"""How long the log may lag behind the result."""


class Follower:
    """A run that was asked for. `tell` is given what a person should know on the way, each thing once."""

    def __init__(self, cluster: Cluster, name: str, tell: Callable[[str], None], *, timeout: float | None) -> None:
        self._cluster = cluster
        self._name = name
        self._tell = tell
        self._told: set[str] = set()
        self._deadline = None if timeout is None else monotonic() + timeout

    async def start(self, token: str) -> RunNow:
        """Ask for a run; returns what the operator did about it."""
        await self._cluster.change(self._name, {"metadata": {"annotations": {ANNOTATION_RUN_NOW: token}}})
        patience = monotonic() + ANSWER_SECONDS
        if self._deadline is not None:
            patience = min(patience, self._deadline)
        while True:
            if (found := runs.handled((await self._councilor()).status, token)) is not None:
                return found
            if monotonic() > patience:
                raise CliError(
                    f"the operator has not answered. The run is asked for and starts when it does; to call it off: "
                    f"`kubectl annotate councilor -n {self._cluster.namespace} {self._name} {ANNOTATION_RUN_NOW}-`. "
                    f"Is the operator running? {OPERATOR_CHECK}",
                    exit_code=EXIT_UNKNOWN,
                )
            await asyncio.sleep(_PAUSE)

    async def wait(self, job: str) -> Ended:
        """Wait for the result of a Job's run."""
        gone_since: float | None = None
        while True:
            status = (await self._councilor()).status
            if (found := runs.ended(status, job)) is not None:
                return found
            active = runs.going_on(status, job)
            if active is not None and active.reason is not None:
                self._say(f"Job {job} does not start, {active.reason}: {active.message or ''}")
            if active is None and await self._is_gone(job):
                gone_since = gone_since or monotonic()
                if monotonic() - gone_since > _GONE_SECONDS:
                    raise CliError(
                        f"the Job {job} is gone and nobody saw its result: councilor_executions in MongoDB has it, if "
                        "the Secret of the runner names one",
                        exit_code=EXIT_UNKNOWN,
                    )
            if self._deadline is not None and monotonic() > self._deadline:
                advice = how_to_follow(self._cluster.namespace, self._name)
                raise CliError(f"no result within --timeout; the run goes on, {advice}", exit_code=EXIT_UNKNOWN)
            await asyncio.sleep(_PAUSE)

    async def wait_with_log(self, job: str, show: Callable[[str], None]) -> Ended:
        """Wait for the result, and give each line of the run's log to `show` meanwhile."""
        log = asyncio.ensure_future(self._show_log(job, show))
        try:
            found = await self.wait(job)
            # The last lines may still be on their way. A Pod that is gone, or never was, has none.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_LINES_SECONDS):
                    await asyncio.shield(log)
            return found
        finally:
            log.cancel()
            with suppress(asyncio.CancelledError):
                await log

    async def _show_log(self, job: str, show: Callable[[str], None]) -> None:
        try:
            async for line in follow(self._cluster, job):
                show(line)
        except ForbiddenError as error:
            self._say(f"without its log: {error}")
        except CliError:
            # The result is what counts, and `wait` says when the cluster is away.
            self._say(f"without its log, which cannot be had; `councilor logs {self._name}` tells why")

    async def _is_gone(self, job: str) -> bool:
        try:
            return await self._cluster.job(job) is None
        except (ForbiddenError, UnreachableError):
            # Whoever may not read Jobs, or cannot now, waits for the status.
            return False

    async def _councilor(self) -> Summary:
        while True:
            try:
                return Summary.of(await self._cluster.councilor(self._name))
            except MissingError:
                raise CliError(
                    f"the Councilor {self._name} was deleted, and its run with it", exit_code=EXIT_UNKNOWN
                ) from None
            except UnreachableError as error:
                if self._deadline is not None and monotonic() > self._deadline:
                    raise CliError(str(error), exit_code=EXIT_UNKNOWN) from error
                self._say(f"{error}; waiting for it to come back")
                await asyncio.sleep(_PAUSE)

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def how_to_follow(namespace: str, name: str) -> str:
    """Say how to see more of a run that goes on."""
    return f"see `councilor logs -n {namespace} {name} --follow` and `councilor get -n {namespace} {name}`"


async def follow(cluster: Cluster, job: str) -> AsyncIterator[str]:
    """Yield what the Pods of a Job say, one Pod after the other, until the Job has ended."""
    heard: set[str] = set()
    while True:
        found = await cluster.job(job)
        over = found is None or is_over(found)
        for pod in await cluster.pods_of(job):
            name = pod["metadata"]["name"]
            if name not in heard and has_log(pod):
                heard.add(name)
                async for line in cluster.log(name, CONTAINER_NAME, follow=True):
                    yield line
        if over:
            return
        await asyncio.sleep(_PAUSE)


def has_log(pod: Object) -> bool:
    """Tell whether the runner's container has begun."""
    return any("running" in state or "terminated" in state for state in _states(pod))


def waits_for(pod: Object) -> str | None:
    """Return why the runner's container has not begun, in a word; None where nobody says."""
    return next(
        (str(state["waiting"]["reason"]) for state in _states(pod) if state.get("waiting", {}).get("reason")), None
    )


def _states(pod: Object) -> list[dict[str, Any]]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return [status.get("state") or {} for status in statuses if status.get("name") == CONTAINER_NAME]


def is_over(job: Object) -> bool:
    """Tell whether a Job has ended (batch/v1, JobStatus)."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(entry["type"] in {"Complete", "Failed"} and entry["status"] == "True" for entry in conditions)
