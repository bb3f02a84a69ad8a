"""A demo from `up` to `down`: what happens in between, and how all of it is ended, also after a crash."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from councilor_operator.constants import LABEL_SOURCE, SOURCE_MONGODB
from hack.cluster.launcher.processes import stop

from . import images, installation, presentation, promotion, records, services
from .assembly import assemble
from .cluster import LAUNCHER, Cluster
from .commands import ROOT, Commands
from .manifests import Scope
from .observation import Councilor, CouncilorWatch, changes, total_runs
from .progress import DemoError, say, step
from .state import Record, State

SCOPE = Scope(instance="demo", operator_namespace="councilor-operator", councilor_namespace="councilors")
EXAMPLES = ROOT / "examples"
FIRST_RUNS_WITHIN = timedelta(seconds=150)
"""Councilors whose first run is due within this time are waited for: the slowest example runs every second minute."""
SYNCED_WITHIN = 30.0
"""Seconds until a document that was just written has its Councilor."""
RUN_ALLOWANCE = timedelta(seconds=60)
FOREGROUND_GRACE = 180.0
"""Seconds that a demo in another terminal may take to end everything."""


def begin(state: State, cluster: Cluster) -> Record:
    """Records what is about to be started, before anything is. Raises DemoError when there is no cluster to use."""
    is_running = cluster.is_running()
    if cluster.kind == "current" and not is_running:
        cluster.up()  # says why it does not answer
    record = Record(
        cluster=cluster.kind,
        kubeconfig=os.environ.get("KUBECONFIG", ""),
        context=cluster.context(),
        owns_cluster=not is_running,
    )
    state.write(record)
    return record


@dataclass(frozen=True)
class Demo:
    """A demo with its state in a folder, working through `commands`."""

    state: State
    commands: Commands
    scope: Scope = SCOPE

    def up(self) -> None:
        """Starts everything, or nothing when all of it runs. Raises DemoError; the caller then calls `clear`."""
        self.state.prepare()
        if self.state.record() is not None:
            if self._is_whole():
                say("running already; `make demo-down` ends it")
                return
            say("clearing what an earlier demo left behind")
            self.clear(keep_logs=False)
            self.state.prepare()
        began = time.monotonic()
        cluster = Cluster(self.commands)
        ready_made = images.named(os.environ, cluster=cluster.kind)
        self.state.add_process("demo", os.getpid())
        record = begin(self.state, cluster)
        installed = assemble(
            self.commands,
            cluster,
            self.scope,
            ready_made=ready_made,
            serve=lambda address: services.start(self.state, address),
            default_cwd=promotion.DEFAULT_CWD,
        )
        with step("creating the Councilors of examples/"):
            cluster.kubectl("apply", "--server-side", "-n", self.scope.councilor_namespace, "-f", str(EXAMPLES))
        with step("promoting two agents as Conductor's UI does"):
            self._await_synced(promotion.promote(installed.mongodb_uri))
        self.state.write(replace(record, mongodb_uri=installed.mongodb_uri))
        say(f"everything runs after {time.monotonic() - began:.1f} s")

    def await_first_runs(self, tell: Callable[[str], None]) -> None:
        """Waits until every Councilor that is due soon has run once, telling what happens. Raises DemoError."""
        names = {item["metadata"]["name"] for item in self._councilors()}
        began = datetime.now(UTC)
        say("waiting for first runs (a minute is the shortest interval, the slowest example takes two) …")
        waiting = set(names)
        with CouncilorWatch(self._cluster(), self.scope.councilor_namespace) as watch:
            story = Story(tell)
            while waiting:
                if datetime.now(UTC) > began + FIRST_RUNS_WITHIN + RUN_ALLOWANCE:
                    raise DemoError(
                        f"no run of {', '.join(sorted(waiting))} has ended by now.\n"
                        + installation.diagnosis(self._cluster(), self.scope)
                    )
                if (seen := watch.next(1.0)) is not None:
                    story.add(seen)
                    _refuse_invalid(seen)
                    if not _is_due(seen, before=began + FIRST_RUNS_WITHIN):
                        waiting.discard(seen["metadata"]["name"])

    def follow(self, tell: Callable[[str], None]) -> None:
        """Tells what happens until interrupted."""
        with CouncilorWatch(self._cluster(), self.scope.councilor_namespace) as watch:
            story = Story(tell, known={item["metadata"]["name"]: item for item in self._councilors()})
            while True:
                if (seen := watch.next(1.0)) is not None:
                    story.add(seen)

    def summary(self, *, foreground: bool) -> str:
        """Councilors, executions and the commands to look further with. Raises DemoError when nothing runs."""
        record = self.state.record()
        if record is None or not record.mongodb_uri:
            raise DemoError(f"no demo runs with its state in {self.state.folder}: start one with `make demo`")
        cluster = self._cluster()
        ended = [item["status"]["lastRun"]["jobName"] for item in self._councilors() if total_runs(item)]
        own_kubectl = shutil.which("kubectl") is not None
        return "\n\n".join(
            [
                cluster.kubectl("get", "councilors", "-n", self.scope.councilor_namespace).rstrip(),
                "Executions in MongoDB, oldest first:\n"
                + presentation.records_table(records.executions(record.mongodb_uri)),
                "Statistics in Conductor's documents:\n"
                + presentation.statistics_table(records.statistics(record.mongodb_uri)),
                presentation.hints(
                    self.scope,
                    kubectl="kubectl" if own_kubectl else str(LAUNCHER.relative_to(ROOT)) + " kubectl",
                    kubeconfig=cluster.kubeconfig() if own_kubectl and record.cluster != "current" else None,
                    job=ended[0] if ended else None,
                    show=f"{_python()} -m hack.demo show",
                    mongodb_uri=record.mongodb_uri,
                    logs=str(self.state.logs),
                    stop="Stop: Ctrl-C here, or `make demo-down`." if foreground else "Stop: `make demo-down`.",
                ),
            ]
        )

    def end_foreground(self) -> None:
        """Ends a demo that runs in another terminal, which then cleans up itself."""
        other = self.state.processes().get("demo")
        if other is not None and other.pid != os.getpid() and other.running():
            with step("waiting for the demo in the other terminal to end"):
                stop([other], FOREGROUND_GRACE)

    def clear(self, *, keep_logs: bool) -> None:
        """Ends and removes everything that was recorded; nothing is no error."""
        record = self.state.record()
        services.end(self.state)
        if record is not None:
            cluster = Cluster(self.commands, kind=record.cluster, kubeconfig=record.kubeconfig)
            if record.owns_cluster:
                with step("ending the cluster"):
                    cluster.down()
            else:
                self._leave(cluster, record)
        self.state.discard(keep_logs=keep_logs)

    def _leave(self, cluster: Cluster, record: Record) -> None:
        """Takes everything out of a cluster that stays. Raises DemoError when that cluster cannot be reached now."""
        if (context := cluster.context()) != record.context:
            raise DemoError(
                f"kubectl's current context is {context!r} now, but the demo is in the cluster of {record.context!r}: "
                f"`kubectl config use-context {record.context}`, then `make demo-down`"
            )
        if cluster.is_running():
            with step("taking everything out of the cluster, which stays"):
                installation.remove(cluster, self.scope)
        elif cluster.kind == "current":
            raise DemoError(
                f"the cluster of the context {context!r} does not answer, and the demo is still in it: run "
                "`make demo-down` when it does"
            )

    def _await_synced(self, count: int) -> None:
        """Waits until the sync has made so many Councilors. Raises DemoError."""
        deadline = time.monotonic() + SYNCED_WITHIN
        while sum(_is_synced(item) for item in self._councilors()) < count:
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the sync has not made a Councilor of each document within {SYNCED_WITHIN:.0f} s.\n"
                    + installation.diagnosis(self._cluster(), self.scope)
                )
            time.sleep(0.2)

    def _is_whole(self) -> bool:
        record = self.state.record()
        known = self.state.processes()
        parts = [known.get(name) for name in ("mongodb", "mongod", "conductor")]
        return (
            record is not None
            and bool(record.mongodb_uri)
            and all(part is not None and part.running() for part in parts)
            and self._cluster().is_running()
        )

    def _cluster(self) -> Cluster:
        record = self.state.record()
        if record is None:
            return Cluster(self.commands)
        return Cluster(self.commands, kind=record.cluster, kubeconfig=record.kubeconfig)

    def _councilors(self) -> list[Councilor]:
        found: list[dict[str, Any]] = self._cluster().get("councilors", "-n", self.scope.councilor_namespace)["items"]
        return found


class Story:
    """Tells what is new about Councilors, and nothing twice."""

    def __init__(self, tell: Callable[[str], None], known: dict[str, Councilor] | None = None) -> None:
        self._tell = tell
        self._known = dict(known or {})

    def add(self, seen: Councilor) -> None:
        name = seen["metadata"]["name"]
        for change in changes(self._known.get(name), seen):
            self._tell(presentation.change_line(datetime.now(UTC), name, change))
        self._known[name] = seen


def _is_synced(councilor: Councilor) -> bool:
    return (councilor["metadata"].get("labels") or {}).get(LABEL_SOURCE) == SOURCE_MONGODB


def _refuse_invalid(councilor: Councilor) -> None:
    """Raises DemoError for a Councilor the operator makes no CronJob of: an example is never meant to be one."""
    status = councilor.get("status", {})
    if status.get("phase") == "Invalid":
        reasons = [item["message"] for item in status["conditions"] if item["type"] == "Ready"]
        raise DemoError(f"Councilor {councilor['metadata']['name']} is invalid: {'; '.join(reasons)}")


def _is_due(councilor: Councilor, *, before: datetime) -> bool:
    """Whether a first run is still to come before a time. Nobody knows until the operator has seen the Councilor."""
    status = councilor.get("status", {})
    if not status.get("phase"):
        return True
    following = status.get("nextRunTimes") or []
    is_soon = bool(following) and datetime.fromisoformat(following[0]) < before
    return total_runs(councilor) == 0 and (is_soon or status["phase"] == "Running")


def _python() -> str:
    """This Python, as short as it can be written in the repository's root."""
    path = Path(sys.executable)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
