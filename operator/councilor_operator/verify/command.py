"""`councilor-operator verify`: makes a Councilor, has it run once, says what came of each step, and deletes it again.

A Pod of `helm test` is the usual place; with a kubeconfig it works from anywhere.
"""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, TextIO

from councilor_operator.api.status import CouncilorStatus, read_status
from councilor_operator.connection import MERGE_PATCH, Connection, connect
from councilor_operator.constants import ANNOTATION_RUN_NOW, API_VERSION, LABEL_JOB_NAME, PLURAL
from councilor_operator.errors import ApiError, ConflictError, NamespaceGoneError, NotFoundError, TransientError
from councilor_operator.observed import RawObject
from councilor_operator.verify import findings
from councilor_operator.verify.config import VerifyConfig
from councilor_operator.verify.findings import Failed, Finding, Noted, Passed, Pending
from councilor_operator.verify.trial import build_trial

EXIT_FAILED: Final = 1
_CLEANING_SECONDS: Final = 15.0
"""How long the deletion is tried: less than a Pod has after SIGTERM."""
_PAUSE_SECONDS: Final = 0.5
_CLOCK_ALLOWANCE: Final = timedelta(minutes=10)
"""How far the operator's node may be ahead of this one."""


async def run(environment: Mapping[str, str], output: TextIO) -> int:
    """Print a line for each step; returns 0 when all of it is proven, else 1.

    Raises `ConfigurationError` where a setting is missing or wrong, or there is no way to the API server.
    """
    config = VerifyConfig.from_environment(environment)
    async with connect(lambda *_: None) as connection:
        return await _Verification(connection, config, output).run()


class _StepFailedError(Exception):
    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


class _Verification:
    def __init__(self, connection: Connection, config: VerifyConfig, output: TextIO) -> None:
        self._connection = connection
        self._config = config
        self._output = output
        self._deadline = monotonic() + config.timeout_seconds
        self._name = f"councilor-verify-{secrets.token_hex(4)}"
        self._path = f"/apis/{API_VERSION}/namespaces/{config.namespace}/{PLURAL}"

    async def run(self) -> int:
        proving = asyncio.ensure_future(self._prove())
        for number in (signal.SIGTERM, signal.SIGINT):
            # A Pod that is deleted must not leave its Councilor behind.
            asyncio.get_running_loop().add_signal_handler(number, proving.cancel)
        try:
            await proving
        except asyncio.CancelledError:
            self._fail("interrupted", "run it again")
        except _StepFailedError as error:
            self._fail(error.problem, error.advice)
        except ApiError as error:
            self._fail(f"the API server: {error.message}", _advice(error))
        proven = not proving.cancelled() and proving.exception() is None
        return 0 if await self._clean_up() and proven else EXIT_FAILED

    async def _prove(self) -> None:
        await self._create()
        await self._reach(lambda councilor, status: findings.ready(councilor, status, self._config))
        job_name = await self._ask()
        await self._start(job_name)
        await self._reach(lambda _, status: findings.ended(status, job_name, self._config))
        await self._reach(lambda _, status: findings.recorded(status, job_name))
        self._say("ok", "all of it works")

    async def _create(self) -> None:
        trial = build_trial(self._config, self._name)
        try:
            # Of a conflict: it is ours, the answer to an earlier attempt was lost.
            with suppress(ConflictError):
                await self._patiently(lambda: self._connection.request("POST", self._path, body=trial))
        except NamespaceGoneError as error:
            raise _StepFailedError(
                f"{self._config.namespace}: {error.message}",
                "create it, or name another one in COUNCILOR_VERIFY_NAMESPACE (verify.namespace in the chart's values)",
            ) from error
        except NotFoundError as error:
            raise _StepFailedError(
                "the API server does not know Councilors",
                "install the type: `kubectl apply --server-side -f` the file in the chart's folder crds",
            ) from error
        self._say("ok", f"the API server took the Councilor {self._config.namespace}/{self._name}")

    async def _ask(self) -> str:
        token = secrets.token_hex(4)
        patch = {"metadata": {"annotations": {ANNOTATION_RUN_NOW: token}}}
        await self._patiently(
            lambda: self._connection.request(
                "PATCH", f"{self._path}/{self._name}", body=patch, content_type=MERGE_PATCH
            )
        )
        status = await self._reach(lambda _, status: findings.asked(status, token))
        # Passed: there is a Job.
        return (status.last_run_now and status.last_run_now.job_name) or ""

    async def _start(self, job_name: str) -> None:
        path = f"/api/v1/namespaces/{self._config.namespace}/pods"
        parameters = {"labelSelector": f"{LABEL_JOB_NAME}={job_name}"}
        pods: list[RawObject] = []

        async def look() -> None:
            answer = await self._patiently(lambda: self._connection.request("GET", path, parameters=parameters))
            pods[:] = answer["items"]

        await self._reach(lambda _, status: findings.started(status, pods, job_name), look)

    async def _reach(
        self, judge: Callable[[RawObject, CouncilorStatus], Finding], look: Callable[[], Awaitable[None]] | None = None
    ) -> CouncilorStatus:
        """Wait until a step has passed and say so; returns the status then.

        Raises `_StepFailedError` with what is wrong, and with what is still missing at the time limit.
        """
        while True:
            if look is not None:
                await look()
            councilor = await self._patiently(lambda: self._connection.request("GET", f"{self._path}/{self._name}"))
            status = read_status(councilor.get("status") or {}, latest=datetime.now(tz=UTC) + _CLOCK_ALLOWANCE)
            match judge(councilor, status):
                case Passed(text):
                    self._say("ok", text)
                    return status
                case Noted(text):
                    self._say("note", text)
                    return status
                case Failed(problem, advice):
                    raise _StepFailedError(problem, advice)
                case Pending(problem, advice):
                    if monotonic() > self._deadline:
                        raise _StepFailedError(f"not within {self._config.timeout_seconds} s: {problem}", advice)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _patiently(self, request: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Send a request, again and again while the API server cannot be reached; until the time limit."""
        while True:
            try:
                return await request()
            except TransientError:
                if monotonic() > self._deadline:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _clean_up(self) -> bool:
        """Delete the Councilor, and with it CronJob, Job and Pod; tells whether it is gone."""
        self._deadline = monotonic() + _CLEANING_SECONDS
        try:
            await self._patiently(lambda: self._connection.request("DELETE", f"{self._path}/{self._name}"))
        except (NotFoundError, NamespaceGoneError):
            return True
        except ApiError as error:
            self._fail(
                f"the Councilor cannot be deleted: {error.message}",
                f"kubectl delete councilor {self._name} -n {self._config.namespace}",
            )
            return False
        self._say("ok", "the Councilor is deleted again")
        return True

    def _fail(self, problem: str, advice: str) -> None:
        self._say("FAIL", problem)
        self._say("", f"what to do: {advice}")

    def _say(self, word: str, text: str) -> None:
        self._output.write(f"{word:<4}  {text}\n")
        self._output.flush()


def _advice(error: ApiError) -> str:
    if isinstance(error, TransientError):
        return "see that Pods of this namespace reach the API server: a NetworkPolicy may be in the way"
    if error.status in {401, 403}:
        return "give this account the rights of councilor_operator.rights.VERIFY_RULES, as the chart does"
    return "see that the installed type is that of this version: `kubectl apply --server-side -f` the chart's crds"
