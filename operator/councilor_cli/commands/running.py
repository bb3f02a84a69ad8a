"""`councilor run`: start a run now, show what it says, wait for the verdict, and exit accordingly."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import typer

from councilor_cli.cluster import Access, Cluster, connect
from councilor_cli.errors import EXIT_ERROR, EXIT_SKIPPED, EXIT_WAITING, RESULT_CODES, CliError
from councilor_cli.logs import show_log
from councilor_cli.options import Context, Kubeconfig, Name, Namespace, Output
from councilor_cli.output import Format, console, print_document, say
from councilor_cli.text import one_line
from councilor_cli.view import STYLES, last_run
from councilor_operator.constants import ANNOTATION_RUN_NOW, LABEL_NAME

Object = dict[str, Any]
Found = TypeVar("Found")

LOOK_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 30.0
"""How long the operator may take to heed the annotation."""
GRACE_SECONDS: Final = 300.0
"""Beside the agent's own limit: scheduling, pulling the image, recording, telling."""


def run(
    name: Name,
    namespace: Namespace = None,
    wait: Annotated[bool, typer.Option(help="Wait for the run's end.")] = True,
    logs: Annotated[bool, typer.Option(help="Show the runner's log while waiting.")] = True,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds to wait for the end; the agent's own limit and five minutes if not given.", min=1),
    ] = None,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run a Councilor now, also while it is paused, and wait for its verdict.

    Exit codes: 0 success, 10 warning, 11 error, 12 the run failed, 13 it was refused or skipped, 14 it still goes on;
    1 for any other error, 2 for wrong usage, 130 for Ctrl-C (the run goes on).
    """
    access = Access(namespace, context, kubeconfig)
    code = asyncio.run(
        _run(access, name, wait=wait, logs=logs and not output.is_document, limit=timeout, output=output)
    )
    raise typer.Exit(code)


async def _run(access: Access, name: str, *, wait: bool, logs: bool, limit: float | None, output: Format) -> int:
    async with connect(access) as cluster:
        councilor = await cluster.councilor(name)
        if "deletionTimestamp" in councilor["metadata"]:
            raise CliError(f"Councilor {name} is being deleted")
        token = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        await cluster.patch(name, {"metadata": {"annotations": {ANNOTATION_RUN_NOW: token}}})
        handled = await _handled(cluster, name, token)
        if not (job := handled.get("jobName")):
            say(f"refused: {handled.get('reason')}: {one_line(str(handled.get('message') or ''))}")
            return EXIT_SKIPPED
        if not wait:
            if output.is_document:
                print_document({"jobName": job}, output)
            else:
                say(f"Job {job} was started; `councilor logs {name} --job {job} --follow` shows what it says")
            return 0
        of_the_agent = float((councilor["spec"].get("execution") or {}).get("timeoutSeconds") or 600)
        seconds = limit or of_the_agent + GRACE_SECONDS
        try:
            async with asyncio.timeout(seconds):
                ended = await _until_the_end(cluster, name, job, logs=logs)
        except TimeoutError:
            say(f"still going on after {seconds:.0f} s: Job {job}; `councilor get {name}` shows how it ends")
            return EXIT_WAITING
        except asyncio.CancelledError:
            say(f"the run goes on: Job {job}; `councilor get {name}` shows how it ends")
            raise
        return _report(ended, output)


async def _handled(cluster: Cluster, name: str, token: str) -> Object:
    """What the operator made of the annotation."""

    async def look() -> Object | None:
        found: Object = ((await cluster.councilor(name)).get("status") or {}).get("lastRunNow") or {}
        return found if found.get("token") == token else None

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _eventually(look)
    except TimeoutError:
        raise CliError(
            f"the operator has not answered for {ANSWER_SECONDS:.0f} s; the run starts once it does. Is it running, "
            f"and does it watch namespace {cluster.namespace}? See `kubectl get deployments -A -l "
            f"{LABEL_NAME}=councilor-operator`"
        ) from None


async def _until_the_end(cluster: Cluster, name: str, job: str, *, logs: bool) -> Object:
    """The run as the status tells it once it has ended; its log meanwhile."""
    told: set[str] = set()

    async def look() -> Object | None:
        status = (await cluster.councilor(name)).get("status") or {}
        if (found := status.get("lastRun") or {}).get("jobName") == job:
            return dict(found)
        for entry in status.get("recentRuns") or []:
            if entry.get("jobName") == job:  # another one has ended since
                return dict(entry)
        for active in status.get("active") or []:
            if active.get("jobName") == job and (reason := active.get("reason")) and reason not in told:
                told.add(reason)
                say(f"waiting: {reason}: {one_line(str(active.get('message') or ''))}")
        return None

    watching = asyncio.create_task(_eventually(look))
    logging = asyncio.create_task(_log(cluster, job)) if logs else None
    try:
        ended = await watching
        if logging is not None:
            # The Pod has ended: what is left of its log comes at once.
            await asyncio.wait([logging], timeout=5)
        return ended
    finally:
        for task in (watching, logging):
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, (watching, logging)), return_exceptions=True)


async def _log(cluster: Cluster, job: str) -> None:
    """The log of the Job's Pod; a run is not worse for a log that cannot be read."""
    try:
        await show_log(cluster, job, follow=True, out=console(error=True))
    except CliError as error:
        say(f"no log: {error}")


async def _eventually(look: Callable[[], Awaitable[Found | None]]) -> Found:
    while True:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(LOOK_SECONDS)


def _report(ended: Object, output: Format) -> int:
    result = str(ended.get("result") or "")
    if output.is_document:
        print_document(ended, output)
    else:
        from rich.text import Text

        head, _, rest = last_run(ended, datetime.now(UTC)).partition("\n")
        first = head.partition(",")[0]
        console().print(Text(first, style=STYLES.get(first, "")) + Text(head.removeprefix(first)))
        if rest:
            console().print(Text(rest))
    return RESULT_CODES.get(result, EXIT_ERROR)
