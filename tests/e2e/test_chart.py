"""The chart's life in a cluster: install, upgrade, rollback, uninstall, while Councilors run each minute.

The session's release makes room for the releases of these tests, since two operators would both answer, and is there
again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from councilor_operator.constants import GROUP, PLURAL
from hack.demo import installation
from hack.demo.commands import CommandError
from hack.demo.manifests import LABEL_INSTANCE, RELEASE, image
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.e2e.previous import TAG, VERSION, load_images_as, previous_chart
from tests.e2e.release import (
    RUN_SECONDS,
    Release,
    assert_books_agree,
    await_another_run,
    runs_of,
    scheduled_times,
)
from tests.e2e.workspace import NEVER, Workspace, eventually

CRD = f"{PLURAL}.{GROUP}"
VERIFY_POD = f"{RELEASE}-verify"
EACH_MINUTE = {
    "minutely": {"type": "cron", "value": "* * * * *"},
    "often": {"type": "interval", "value": "1m"},
}
IDLE = {
    "yearly": NEVER,
    "paused": {"type": "cron", "value": "* * * * *", "enabled": False},
}
SUCCESS = Answer(result="SEVERITY: success")
# As many Jobs as a test ever makes: nothing that ran may be gone when the books are compared. And a run that starts
# late, on a machine that is busy, keeps no other one from its time.
KEPT = {"history": {"successfulRuns": 50, "failedRuns": 50}, "concurrencyPolicy": "Allow"}


@pytest.fixture(scope="module")
def room(environment: Environment) -> Iterator[Environment]:
    """No release but those of the tests."""
    installation.uninstall(environment.cluster, environment.installation.scope)
    yield environment
    installation.install(environment.cluster, environment.installation)


@pytest.fixture
def release(room: Environment) -> Iterator[Release]:
    """A release that is not installed yet."""
    found = Release(room)
    yield found
    found.uninstall()


def cron_jobs(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in workspace.items("cronjobs")}


def runner_image(cron_job: dict[str, Any]) -> str:
    return str(cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"])


def generations(found: dict[str, dict[str, Any]]) -> dict[str, tuple[str, int]]:
    return {name: (item["metadata"]["uid"], item["metadata"]["generation"]) for name, item in found.items()}


def versions(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Of those that do not fire: nothing at all may have been written to them."""
    return {name: found[name]["metadata"]["resourceVersion"] for name in IDLE}


def await_images(workspace: Workspace, tag: str) -> dict[str, dict[str, Any]]:
    """Waits until each CronJob has the runner's image of this tag."""

    def all_have_it() -> dict[str, dict[str, Any]] | None:
        found = cron_jobs(workspace)
        return found if {runner_image(item).rpartition(":")[2] for item in found.values()} == {tag} else None

    return eventually(all_have_it, f"every CronJob has the image {tag}", state=lambda: cron_jobs(workspace))


def test_upgrade_and_rollback_lose_no_run_double_none_and_start_none(
    release: Release, workspace: Workspace, tmp_path: Path
) -> None:
    environment = release.environment
    tag = image(environment.installation.runner_image)["tag"]
    operator = image(environment.installation.operator_image)
    load_images_as(environment, TAG, tmp_path)
    release.install("--set", f"image.tag={TAG}", chart=previous_chart(tmp_path))
    assert release.version() == f"{RELEASE}-{VERSION}"
    assert release.operator_image() == f"{operator['repository']}:{TAG}"
    agents = {name: workspace.agent(name.title(), SUCCESS) for name in (*EACH_MINUTE, *IDLE)}
    for name, schedule in (EACH_MINUTE | IDLE).items():
        workspace.create(name, agents[name], schedule=schedule, **KEPT)
    for name in EACH_MINUTE:
        workspace.await_runs(name, 1, seconds=RUN_SECONDS)
    before = cron_jobs(workspace)
    assert before.keys() == agents.keys()

    # Another operator, another chart, other resources of its Pod: nothing that a CronJob is made of.
    release.upgrade("--set", "operator.resources.requests.cpu=40m")
    assert release.version() != f"{RELEASE}-{VERSION}"
    assert release.operator_image() == environment.installation.operator_image
    await_another_run(workspace, *EACH_MINUTE)
    upgraded = cron_jobs(workspace)
    assert generations(upgraded) == generations(before)
    assert versions(upgraded) == versions(before)

    # Another runner: each CronJob changes once.
    release.upgrade("--set", f"runner.image.tag={TAG}")
    changed = await_images(workspace, TAG)
    await_another_run(workspace, *EACH_MINUTE)
    assert generations(changed) == {name: (uid, number + 1) for name, (uid, number) in generations(before).items()}
    assert generations(cron_jobs(workspace)) == generations(changed)

    release.rollback(1)
    assert release.version() == f"{RELEASE}-{VERSION}"
    assert release.operator_image() == f"{operator['repository']}:{TAG}"
    back = await_images(workspace, tag)
    await_another_run(workspace, *EACH_MINUTE)
    assert generations(back) == {name: (uid, number + 2) for name, (uid, number) in generations(before).items()}
    assert versions(cron_jobs(workspace)) == versions(back)

    times = scheduled_times(workspace, "minutely")
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=1)}
    ran = {
        job["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        for job in runs_of(workspace, "minutely")
    }
    assert ran == {tag, TAG}
    for name in EACH_MINUTE:
        assert_books_agree(workspace, name, agents[name])
    assert {name: runs_of(workspace, name) for name in IDLE} == {name: [] for name in IDLE}


def test_councilors_run_while_nothing_is_installed_and_are_counted_afterwards(
    release: Release, workspace: Workspace
) -> None:
    release.install()
    agent = workspace.agent("Lonely", SUCCESS)
    workspace.create("lonely", agent, schedule=EACH_MINUTE["minutely"], **KEPT)
    workspace.await_runs("lonely", 1, seconds=RUN_SECONDS)
    before = generations(cron_jobs(workspace))

    release.uninstall()
    assert release.version() == ""
    left = ("get", "deployments,pods,serviceaccounts", "-l", f"{LABEL_INSTANCE}={RELEASE}", "-o", "name")
    eventually(lambda: release.kubectl(*left) == "", "nothing of the release is left")
    assert release.environment.cluster.find("crd", CRD) is not None
    counted = workspace.status("lonely")["stats"]["totalExecutions"]
    finished = {"namespace": workspace.namespace, "status": "completed"}
    records = release.environment.database.councilor_executions
    eventually(
        lambda: records.count_documents(finished) > counted,
        "a run is recorded although nobody is there",
        seconds=RUN_SECONDS,
        state=lambda: workspace.items("jobs"),
    )
    assert generations(cron_jobs(workspace)) == before
    assert workspace.status("lonely")["stats"]["totalExecutions"] == counted

    release.install()
    workspace.await_runs("lonely", counted + 1)
    assert generations(cron_jobs(workspace)) == before
    assert_books_agree(workspace, "lonely", agent)


def test_a_release_for_some_namespaces_is_proven_by_helm_test(release: Release, workspace: Workspace) -> None:
    environment = release.environment
    workspace.create("here", workspace.agent("Here", SUCCESS))
    elsewhere = Workspace(environment, f"{workspace.namespace.removeprefix('e2e-')[:40]}-other")
    try:
        elsewhere.create("there", elsewhere.agent("There", SUCCESS))
        # The namespace of the check is the first of those that the operator serves.
        release.install(
            *("--set", f"namespaces={{{workspace.namespace}}}", "--set", "sync.enabled=false"),
            *("--set-string", "verify.namespace="),
        )
        workspace.run_by_hand("here", "by-hand")
        assert workspace.await_runs("here", 1)["lastRun"]["result"] == "success"

        for version in ("helm", "helm3"):
            proof = release.helm("test", RELEASE, "--logs", "--timeout=180s", version=version)
            assert "ok    all of it works" in proof
            assert "FAIL" not in proof
        assert [item["metadata"]["name"] for item in workspace.items("councilors")] == ["here"]
        assert elsewhere.status("there") == {}
        assert elsewhere.items("cronjobs") == []

        environment.conductor.refuse("conductor")
        try:
            with pytest.raises(CommandError):
                release.helm("test", RELEASE, "--timeout=180s")
        finally:
            environment.conductor.accept("conductor")
        said = release.kubectl("logs", VERIFY_POD)
        assert "FAIL  the run ended with ConductorUnreachable" in said
        assert "what to do: set COUNCILOR_CONDUCTOR_URL of the operator (conductor.url in the chart's values)" in said
        assert environment.mongod.address not in said
        assert [item["metadata"]["name"] for item in workspace.items("councilors")] == ["here"]
    finally:
        release.kubectl("delete", "pod", VERIFY_POD, "--ignore-not-found")
        elsewhere.close()
