"""Entry point: `councilor-runner run` or `report`, or `python -m councilor_runner run`.

However it ends, the process leaves a termination message and one of the exit codes of `contract.ExitCode`. Heavy
imports come after the signal handlers, so that a Pod which is deleted while it starts ends in order, too.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from councilor_runner.interruption import Interruption

if TYPE_CHECKING:
    import httpx

    from councilor_runner.contract import Reason, RunReport
    from councilor_runner.settings import Settings
    from councilor_runner.store import Store

_CLOSING_SECONDS = 1.0

_USAGE = """usage: councilor-runner run | report

run     executes one run of a councilor
report  records and tells one that ended without being able to do so itself; never starts an agent

Everything else comes from the environment.
"""


def main() -> NoReturn:
    """Run and end the process."""
    interruption = Interruption()
    interruption.install()
    # Until the run begins: what start-up makes stays, and looking through it for garbage takes long.
    gc.disable()
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
    from councilor_runner.settings import SettingsError

    logs.configure(pod=environment.get(contract.ENV_POD_NAME), job=environment.get(contract.ENV_JOB_NAME))
    try:
        report, code = _carry_out(arguments, environment, interruption)
    except SettingsError as error:
        logs.error("cannot start", reason=error.reason.value, detail=error.message)
        report, code = _refusal(error.reason, error.message)
    except Exception as error:
        logs.error("internal error", error)
        report, code = _refusal(contract.Reason.INTERNAL_ERROR, f"internal error ({type(error).__name__})")
    path = Path(environment.get(contract.ENV_TERMINATION_MESSAGE_PATH) or contract.TERMINATION_MESSAGE_PATH)
    termination.write(report, path)
    logs.info("done", exitCode=code, reason=report.reason, recorded=report.recorded)
    return code


def _carry_out(
    arguments: Sequence[str], environment: Mapping[str, str], interruption: Interruption
) -> "tuple[RunReport, int]":
    """Return the report and the exit code. Raises SettingsError."""
    from councilor_runner import logs
    from councilor_runner.settings import SettingsError, read_settings, read_told

    if list(arguments) not in (["run"], ["report"]):
        raise SettingsError("the container's arguments have to be: run, or: report")
    settings, told = read_settings(environment), None
    if arguments[0] == "report":
        settings, told = read_told(environment, settings)
    logs.configure(executionId=settings.execution_id, taskId=settings.task_id)
    try:
        from councilor_runner.egress import prepare

        prepare(os.environ, settings.ca_file, settings.proxy_credentials)
        store = _store(settings)
    except SettingsError as error:
        if told is None:
            raise
        from councilor_runner.reporting import unrecorded

        return unrecorded(settings, told, error.message, temporary=False)
    return _work(settings, told, store, interruption)


def _work(
    settings: "Settings", told: "RunReport | None", store: "Store | None", interruption: Interruption
) -> "tuple[RunReport, int]":
    """Execute the run; with `told`, record and tell that one instead."""
    import asyncio

    from councilor_runner.clock import SystemClock
    from councilor_runner.connection import http_client
    from councilor_runner.trust import trust

    async def work(client: "httpx.AsyncClient") -> "tuple[RunReport, int]":
        clock = SystemClock()
        if told is not None:
            from councilor_runner.reporting import Reporter

            return await Reporter(
                settings, told, client=client, store=store, clock=clock, interruption=interruption
            ).run()
        from councilor_runner.session import Session

        report = await Session(settings, client=client, store=store, clock=clock, interruption=interruption).run()
        return report, report.exit_code

    async def connected() -> "tuple[RunReport, int]":
        interruption.attach(asyncio.get_running_loop())
        gc.freeze()
        gc.enable()
        endpoints = settings.contract.endpoints
        client = http_client(endpoints.headers, settings.conductor_token, trust(endpoints))
        try:
            return await work(client)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await client.aclose()
                    if store is not None:
                        await store.close()

    # Not asyncio.run: at its end it waits for the resolver's threads, see main().
    return asyncio.new_event_loop().run_until_complete(connected())


def _store(settings: "Settings") -> "Store | None":
    if settings.mongodb_uri is None:
        return None
    from councilor_runner.settings import SettingsError
    from councilor_runner.store import Store, StoreError

    try:
        return Store(settings.mongodb_uri, settings.contract.endpoints.database)
    except StoreError as error:
        raise SettingsError(error.message, error.reason) from None


def _refusal(reason: "Reason", message: str) -> "tuple[RunReport, int]":
    """Return the report of a process that did not get as far as a run; ids it does not know stay empty."""
    from councilor_runner.clock import SystemClock
    from councilor_runner.contract import RunReport
    from councilor_runner.outcome import EXIT_CODES

    now = SystemClock().now()
    report = RunReport(
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
    return report, report.exit_code


if __name__ == "__main__":
    main()
