"""`councilor run`."""

import asyncio
import secrets
import sys
from typing import Annotated, Any

import typer

from councilor_cli.errors import EXIT_INTERRUPTED, EXIT_NO_RUN, CliError
from councilor_cli.options import Context, Kubeconfig, Name, Namespace
from councilor_cli.output import Format, note, print_document, print_lines


def run(
    name: Name,
    namespace: Namespace = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result.")] = True,
    logs: Annotated[bool, typer.Option("--logs/--no-logs", help="Show the log of the run while it goes on.")] = True,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds to wait at most; the run goes on after it.", show_default=False),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the run.")] = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run a Councilor now, also a paused one, and wait for the verdict.

    Exit codes tell the verdict: 0 success, 10 warning, 11 error, 12 failed, 13 refused or skipped, 14 not known (out of
    time, no operator, Job gone). Others are 1 for errors, 2 for wrong usage, 130 for Ctrl-C.
    """
    from councilor_cli import page
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice
    from councilor_cli.following import Follower, how_to_follow
    from councilor_cli.loglines import readable
    from councilor_cli.runs import EXIT_CODES
    from councilor_cli.summary import Summary

    # What Ctrl-C has to say.
    progress = "nothing was started"

    async def execute() -> int:
        nonlocal progress
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            councilor = Summary.of(await cluster.councilor(name))
            follower = Follower(cluster, name, note, timeout=timeout)
            progress = f"a run may have been started, {how_to_follow(cluster.namespace, name)}"
            answer = await follower.start(f"councilor-{secrets.token_hex(8)}")
            if answer.job_name is None:
                raise CliError(f"no run, {answer.reason}: {answer.message}", exit_code=EXIT_NO_RUN)
            progress = f"the run goes on, {how_to_follow(cluster.namespace, name)}"
            job = answer.job_name
            note(f"Job {job} started")
            if not wait:
                if output is not Format.TABLE:
                    print_document({"jobName": job}, output)
                return 0
            if logs:
                found = await follower.wait_with_log(job, lambda line: print_lines([readable(line)], error=True))
            else:
                found = await follower.wait(job)
        if output is not Format.TABLE:
            print_document(_plain(found.run or found.line), output)
        elif found.run is not None:
            print_lines(page.verdict(councilor, found.run))
        else:
            sys.stdout.write(f"{found.line.result}: another run has ended since, so there is no more to tell\n")
        return EXIT_CODES[found.line.result]

    try:
        code = asyncio.run(execute())
    except KeyboardInterrupt:
        raise CliError(f"interrupted: {progress}", exit_code=EXIT_INTERRUPTED) from None
    raise typer.Exit(code)


def _plain(run: Any) -> dict[str, Any]:
    found: dict[str, Any] = run.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found
