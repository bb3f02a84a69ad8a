"""Every command that stands on a page, typed as it stands there, on a cluster as the pages take it to be.

`make` targets are left to themselves: that they exist is a unit test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from hack.demo import installation
from hack.demo.manifests import SYNC
from tests.conductor import councilors
from tests.conductor.answers import Answer
from tests.documentation import PAGES, fenced, is_make, page_id
from tests.e2e.environment import Environment
from tests.e2e.reader import ELSEWHERE, NAME, NAMESPACE, Reader
from tests.e2e.workspace import eventually

AGENT = "CoverageReviewer_Agent"
DOCUMENT_AGENT = "MovedOver_Agent"
CONFIG = {
    "title": "Licence counsel",
    "schedule": {"type": "cron", "value": "0 9 * * 1"},
    "task": {"name": "Licence check", "prompt": "List dependencies without a known licence."},
    "notifications": {},
}
FROM_NOTHING = {"README.md", "docs/install.md", "docs/migration.md", "charts/councilor-operator/README.md"}
"""Pages that install something: each has a test of its own, or the fixture `installed` follows it."""
INSTALLED = [
    page_id(page)
    for page in PAGES
    if page_id(page) not in FROM_NOTHING and any(not is_make(block) for block in fenced(page, "sh"))
]


@pytest.fixture(scope="module")
def sitting(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader in a cluster without a release."""
    installation.uninstall(environment.cluster, environment.installation.scope)
    reader = Reader.sits_down(environment, tmp_path_factory.mktemp("reader"))
    environment.conductor.add_agent(AGENT)
    environment.conductor.script(AGENT, Answer(result="Coverage is 91 %.\n\nSEVERITY: success"))
    yield reader
    reader.tidies_up()
    reader.leaves()
    installation.install(environment.cluster, environment.installation)


@pytest.fixture
def reader(sitting: Reader) -> Iterator[Reader]:
    """A reader who begins: nothing of the pages is there."""
    yield sitting
    sitting.tidies_up()


@pytest.fixture(scope="module")
def installed(sitting: Reader) -> Iterator[Reader]:
    """A reader who has followed README.md and docs/migration.md: operator and sync are there, and some Councilors."""
    environment = sitting.environment
    sitting.follow("docs/install.md", "kubectl create namespace")
    sitting.follow("README.md")
    environment.conductor.add_agent(DOCUMENT_AGENT)
    promoted = councilors.promote(environment.database, DOCUMENT_AGENT, CONFIG, cwd="/srv/project")
    said = sitting.follow("docs/migration.md")
    assert "1 Councilor: 0 errors" in said
    sitting.await_operator()
    sitting.await_operator(SYNC)
    eventually(lambda: _synced(sitting), "the document is a Councilor")
    environment.cluster.kubectl("create", "namespace", ELSEWHERE)
    for name in ("backup-check", NAME, "dependency-watch", "license-audit"):
        sitting.type_in(
            f"councilor new {name} --agent {AGENT} --prompt 'Is it?' | kubectl apply --namespace {NAMESPACE} -f -"
        )
    yield sitting
    councilors.delete_instance(environment.database, promoted.instance_id)
    sitting.tidies_up()


def _synced(reader: Reader) -> bool:
    label = "conductor.community/source=mongodb"
    found = reader.environment.cluster.get("councilors", "-n", NAMESPACE, "-l", label)["items"]
    # As the server counted days, 1 is Tuesday.
    return [item["spec"]["schedule"]["value"] for item in found] == ["0 9 * * TUE"]


def test_installation(reader: Reader) -> None:
    said = reader.follow("docs/install.md")
    assert "ok    all of it works" in said
    assert "success: " in said
    run = reader.environment.cluster.get("councilor", NAME, "-n", NAMESPACE)["status"]["lastRun"]
    assert (run["result"], run["recorded"]) == ("success", True)
    record = reader.environment.database.councilor_executions.find_one({"execution_id": run["executionId"]})
    assert record is not None
    assert record["status"] == "completed"
    # The page's last command takes the release away, and nothing of the Councilor.
    assert reader.environment.cluster.find("cronjob", NAME, "-n", NAMESPACE) is not None


def test_the_readme_of_the_chart(reader: Reader) -> None:
    assert "ok    all of it works" in reader.follow("charts/councilor-operator/README.md")
    reader.await_operator()


@pytest.mark.parametrize("page", INSTALLED)
def test_commands(installed: Reader, page: str) -> None:
    if page == "docs/cli.md":
        # The page begins with its own installation, which a reader makes in an environment.
        installed.type_in(f"{sys.executable} -m venv .venv")
    said = installed.follow(page)
    assert said.strip()
