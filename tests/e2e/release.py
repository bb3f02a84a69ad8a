"""A release of the chart that a test installs, changes and takes away, and the books of what ran meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from councilor_operator.constants import ANNOTATION_SCHEDULED_AT, LABEL_COUNCILOR, LABEL_PURPOSE, PURPOSE_REPORT
from hack.demo import installation, manifests
from hack.demo.installation import CHART
from hack.demo.manifests import LABEL_COMPONENT, RELEASE
from tests.e2e.environment import Environment
from tests.e2e.workspace import Object, Workspace, eventually

TIMEOUT = ("--wait", "--timeout=90s")
RUN_SECONDS = 150.0
"""Within this time a Councilor that is due each minute has run."""


@dataclass(frozen=True)
class Release:
    """The session's own release, under the same name and with the same values unless a test says otherwise."""

    environment: Environment

    def install(self, *arguments: str, chart: Path = CHART) -> None:
        """`helm install`; `arguments` are Helm's."""
        self._with_values("install", arguments, chart)

    def upgrade(self, *arguments: str, chart: Path = CHART) -> None:
        """`helm upgrade`, with nothing kept of what the release had before."""
        self._with_values("upgrade", arguments, chart)

    def rollback(self, revision: int) -> None:
        self.helm("rollback", RELEASE, str(revision), *TIMEOUT)

    def uninstall(self) -> None:
        installation.uninstall(self.environment.cluster, self.environment.installation.scope)

    def helm(self, *arguments: str, stdin: str | None = None, version: str = "helm") -> str:
        """Helm in the release's namespace; its output. `helm3` is the oldest version that the chart is for.

        Raises CommandError with what Helm said.
        """
        namespace = self.environment.installation.scope.operator_namespace
        return self.environment.cluster.helm(*arguments, "--namespace", namespace, stdin=stdin, version=version)

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the release's namespace; its output."""
        namespace = self.environment.installation.scope.operator_namespace
        return self.environment.cluster.kubectl("-n", namespace, *arguments)

    def version(self) -> str:
        """Chart and version of the release as Helm lists it; empty when there is none."""
        found = yaml.safe_load(self.helm("list", "--output", "json"))
        return next((str(item["chart"]) for item in found if item["name"] == RELEASE), "")

    def operator_image(self) -> str:
        """The image of the one operator that runs."""
        images = self.kubectl(
            *("get", "pods", "-l", f"{LABEL_COMPONENT}=operator", "--field-selector=status.phase=Running"),
            *("-o", "jsonpath={.items[*].spec.containers[0].image}"),
        )
        return images.strip()

    def _with_values(self, command: str, arguments: tuple[str, ...], chart: Path) -> None:
        values = yaml.safe_dump(manifests.values(self.environment.installation))
        self.helm(command, RELEASE, str(chart), "--skip-crds", *TIMEOUT, "--values", "-", *arguments, stdin=values)


def runs_of(workspace: Workspace, name: str) -> list[Object]:
    """The Jobs of a Councilor that are runs."""
    return workspace.items("jobs", f"{LABEL_COUNCILOR}={name},{LABEL_PURPOSE}!={PURPOSE_REPORT}")


def scheduled_times(workspace: Workspace, name: str) -> list[datetime]:
    """The times for which a Councilor's Jobs were made, in order."""
    jobs = runs_of(workspace, name)
    return sorted(datetime.fromisoformat(job["metadata"]["annotations"][ANNOTATION_SCHEDULED_AT]) for job in jobs)


def await_another_run(workspace: Workspace, *names: str) -> None:
    """Waits until each of the Councilors has one more run in its status than now."""
    before = {name: int(workspace.status(name)["stats"]["totalExecutions"]) for name in names}
    for name, count in before.items():
        workspace.await_runs(name, count + 1, seconds=RUN_SECONDS)


def assert_books_agree(workspace: Workspace, name: str, agent: str) -> None:
    """Ends a Councilor's runs, then compares Jobs, status, MongoDB's records and what Conductor was asked: each run is
    in each of them once."""
    workspace.patch(name, {"schedule": {"enabled": False}})
    workspace.await_condition(name, "Scheduled", "False")
    jobs = runs_of(workspace, name)
    status = workspace.await_runs(name, len(jobs))
    tasks = sorted(workspace.task_id(name, job) for job in jobs)
    assert len(set(tasks)) == len(tasks)
    stats = status["stats"]
    assert {key: stats[key] for key in ("totalExecutions", "success")} == {
        "totalExecutions": len(tasks),
        "success": len(tasks),
    }
    assert {key: stats[key] for key in ("failed", "skipped", "missed", "unknown")} == {
        "failed": 0,
        "skipped": 0,
        "missed": 0,
        "unknown": 0,
    }
    database = workspace.environment.database
    records = list(database.councilor_executions.find({"namespace": workspace.namespace, "councilor": name}))
    assert sorted(record["task_id"] for record in records) == tasks
    assert {record["status"] for record in records} == {"completed"}
    asked = [
        request.json["task_id"]
        for request in workspace.environment.conductor.requests.of("submit")
        if f"/{agent}/" in request.path
    ]
    assert sorted(asked) == tasks
    assert [workspace.executions(task) for task in tasks] == [1] * len(tasks)
    counted = eventually(lambda: database.agents.find_one({"agent_id": agent}), "the agent has a document")
    assert counted["stats"]["total_executions"] == len(tasks)
