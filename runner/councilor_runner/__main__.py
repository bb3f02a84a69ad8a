"""Entry point: `councilor-runner run`, or `python -m councilor_runner run`.

However it ends, the process leaves a termination message and one of the exit codes of `contract.ExitCode`. Heavy
imports come after the signal handlers, so that a Pod which is deleted while it starts ends in order, too.
"""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from councilor_runner.interruption import Interruption

if TYPE_CHECKING:
    from councilor_runner.contract import Reason, RunReport
    from councilor_runner.settings import Settings
    from councilor_runner.store import Store

_CLOSING_SECONDS = 1.0

_USAGE = "usage: councilor-runner run\n\nExecutes one run of a councilor; everything else comes from the environment.\n"


def main() -> NoReturn:
    """Run and end the process."""
    interruption = Interruption()
    interruption.install()
    code = execute(sys.argv[1:], os.environ, interruption)
    sys.stderr.flush()
    # Not sys.exit: a resolver thread that waits for a dead name server would hold up the end of the Pod for a minute.
    os._exit(code)


def execute(arguments: Sequence[str], environment: Mapping[str, str], interruption: Interruption) -> int:
    """Carry out the command, write the termination message, return the exit code."""
    if list(arguments) in (["--help"], ["-h"]):
        sys.stdout.write(_USAGE)
        sys.stdout.flush()
        return 0
    from councilor_runner import contract, logs, termination
    from councilor_runner.settings import SettingsError, read_settings

    logs.configure(pod=environment.get(contract.ENV_POD_NAME), job=environment.get(contract.ENV_JOB_NAME))
    try:
        _check(arguments)
        settings = read_settings(environment)
        logs.configure(executionId=settings.execution_id, taskId=settings.task_id)
        report = _run(settings, interruption)
    except SettingsError as error:
        logs.error("the run cannot start", reason=error.reason.value, detail=error.message)
        report = _refusal(error.reason, error.message)
    except Exception as error:
        logs.error("internal error", error)
        report = _refusal(contract.Reason.INTERNAL_ERROR, f"internal error ({type(error).__name__})")
    path = Path(environment.get(contract.ENV_TERMINATION_MESSAGE_PATH) or contract.TERMINATION_MESSAGE_PATH)
    termination.write(report, path)
    logs.info("done", exitCode=report.exit_code, reason=report.reason, recorded=report.recorded)
    return report.exit_code


def _check(arguments: Sequence[str]) -> None:
    from councilor_runner.settings import SettingsError

    if list(arguments) != ["run"]:
        raise SettingsError("the container's arguments have to be: run")


def _run(settings: "Settings", interruption: Interruption) -> "RunReport":
    import asyncio

    from councilor_runner.clock import SystemClock
    from councilor_runner.connection import http_client
    from councilor_runner.session import Session

    async def session() -> "RunReport":
        interruption.attach(asyncio.get_running_loop())
        store = _store(settings)
        client = http_client(settings.contract.endpoints.headers, settings.conductor_token)
        try:
            return await Session(
                settings, client=client, store=store, clock=SystemClock(), interruption=interruption
            ).run()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await client.aclose()
                    if store is not None:
                        await store.close()

    # Not asyncio.run: at its end it waits for the resolver's threads, see main().
    return asyncio.new_event_loop().run_until_complete(session())


def _store(settings: "Settings") -> "Store | None":
    if settings.mongodb_uri is None:
        return None
    from councilor_runner.settings import SettingsError
    from councilor_runner.store import Store, StoreError

    try:
        return Store(settings.mongodb_uri, settings.contract.endpoints.database)
    except StoreError as error:
        raise SettingsError(error.message, error.reason) from None


def _refusal(reason: "Reason", message: str) -> "RunReport":
    """Return the report of a process that did not get as far as a run; ids it does not know stay empty."""
    from councilor_runner.clock import SystemClock
    from councilor_runner.contract import RunReport
    from councilor_runner.outcome import EXIT_CODES

    now = SystemClock().now()
    return RunReport(
        execution_id="",
        task_id="",
        trigger="scheduled",
        status="error",
        severity="error",
        exit_code=EXIT_CODES[reason],
        reason=reason,
        message=message,
        started_at=now,
        completed_at=now,
        duration_ms=0,
    )


if __name__ == "__main__":
    main()
