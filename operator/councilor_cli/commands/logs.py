"""`councilor logs`."""

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from councilor_cli.errors import CliError
from councilor_cli.options import Context, Kubeconfig, Name, Namespace
from councilor_cli.output import note, plain, print_lines

if TYPE_CHECKING:
    from councilor_cli.cluster import Cluster, Object
    from councilor_cli.summary import Summary


def logs(
    name: Name,
    namespace: Namespace = None,
    job: Annotated[
        str | None, typer.Option(help="Of the run of this Job; `councilor history` names them.", show_default=False)
    ] = None,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the run before the newest.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="The last lines only, so many.", show_default=False)] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The lines as the runner wrote them, JSON.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the log of a run: of the one that goes on, else of the last one."""
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice
    from councilor_cli.loglines import readable
    from councilor_cli.summary import Summary

    if job is not None and previous:
        raise typer.BadParameter("give either --job or --previous")
    if follow and tail is not None:
        raise typer.BadParameter("give either --follow or --tail")

    def show(line: str) -> None:
        if raw:
            sys.stdout.write(f"{plain(line)}\n")
            sys.stdout.flush()
        else:
            print_lines([readable(line)])

    async def run() -> None:
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            councilor = Summary.of(await cluster.councilor(name))
            await _print(cluster, councilor, show)

    async def _print(cluster: "Cluster", councilor: "Summary", show: Callable[[str], None]) -> None:
        from councilor_cli import following
        from councilor_cli.runs import job_of_log
        from councilor_runner.contract import CONTAINER_NAME

        wanted = job or job_of_log(councilor.status, previous=previous)
        if wanted is None:
            raise CliError(_no_run(councilor, previous=previous))
        found = await cluster.job(wanted)
        if found is not None:
            _check_owner(found, councilor)
        if follow and found is not None and not following.is_over(found):
            async for line in following.follow(cluster, wanted):
                show(line)
            return
        pods = await cluster.pods_of(wanted) if found is not None else []
        with_log = [pod for pod in pods if following.has_log(pod)]
        if not with_log:
            waiting = next(filter(None, map(following.waits_for, pods)), None)
            raise CliError(_no_log(councilor, wanted, found is not None, bool(pods), waiting))
        said = False
        for pod in with_log:
            if len(with_log) > 1:
                note(f"Pod {pod['metadata']['name']}:")
            async for line in cluster.log(pod["metadata"]["name"], CONTAINER_NAME, tail=tail):
                said = True
                show(line)
        if not said:
            note(f"the log of the Job {wanted} is empty")

    asyncio.run(run())


def _check_owner(job: "Object", councilor: "Summary") -> None:
    from councilor_operator.constants import LABEL_COUNCILOR
    from councilor_operator.names import label_value

    metadata = job["metadata"]
    if (metadata.get("labels") or {}).get(LABEL_COUNCILOR) != label_value(councilor.name):
        raise CliError(
            f"the Job {metadata['name']} is none of {councilor.name}'s: `councilor history {councilor.name}` names them"
        )


def _no_run(councilor: "Summary", *, previous: bool) -> str:
    if previous:
        return f"{councilor.name} has had no run before: `councilor history {councilor.name}` shows those it had"
    return f"{councilor.name} has not run yet: `councilor run {councilor.name}` starts a run"


def _no_log(councilor: "Summary", job: str, job_exists: bool, pod_exists: bool, waiting: str | None) -> str:
    last = councilor.status.last_run
    execution = last.execution_id if last is not None and last.job_name == job else None
    if pod_exists:
        why = f", {waiting}" if waiting else ""
        return (
            f"the Pod of the Job {job} has not begun{why}: `councilor get -n {councilor.namespace} {councilor.name}` "
            "says what keeps it, --follow waits for it"
        )
    gone = f"the Pod of the Job {job} is gone" if job_exists else f"there is no Job {job}, or not any more"
    answer = f"execution_id {execution}" if execution else f"job {job}"
    return (
        f"{gone}, and so no log. What the run came to is in `councilor history -n {councilor.namespace} "
        f"{councilor.name}`; the whole answer is in MongoDB, councilor_executions, {answer}, if the Secret of the "
        "runner names one"
    )
