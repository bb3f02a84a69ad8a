"""Councilors that are made in Conductor: the sync as an installation has it, from the document to the run and back."""

from __future__ import annotations

from typing import Any

from councilor_operator.constants import ANNOTATION_DOCUMENT
from tests.conductor import councilors
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.e2e.workspace import Workspace, eventually

CONFIG = {
    "title": "Licence counsel",
    "schedule": {"type": "interval", "value": "1m"},
    "task": {"name": "Licence check", "prompt": "List dependencies without a known licence."},
    "notifications": {},
}


def test_promoted_agents_run_and_get_their_statistics(environment: Environment, workspace: Workspace) -> None:
    database = environment.database
    legacy = workspace.agent("Legacy", Answer(result="All is well.\n\nSEVERITY: success"))
    agent = workspace.agent("Several", Answer(result="One is missing.\n\nSEVERITY: warning"))
    # No endpoint writes one for this kind, and this installation has no default.
    database.agents.update_one({"agent_id": legacy}, {"$set": {"cwd": "/srv/project"}})
    councilors.promote_councilor(database, legacy, CONFIG)
    instance = councilors.promote(database, agent, CONFIG, cwd="/srv/project").instance_id
    documents = (f"agents/{legacy}", f"agent_instances/{instance}")
    eventually(lambda: set(documents) <= synced(environment).keys(), "both have a Councilor")

    def statistics() -> tuple[dict[str, Any], dict[str, Any]] | None:
        one = (database.agents.find_one({"agent_id": legacy}) or {}).get("stats") or {}
        two = (database.agent_instances.find_one({"instance_id": instance}) or {})["statistics"]
        return (one, two) if one.get("total_executions") and two.get("total_executions") else None

    one, two = eventually(statistics, "both ran and were counted", seconds=150)
    assert one["success_rate"] == 100.0
    assert two["success_rate"] == 0.0
    # The operator hears of the end of a run after MongoDB does.
    run = eventually(lambda: synced(environment)[documents[0]]["status"].get("lastRun"), "the run is in the status")
    assert run["severity"] == "success"
    assert run["recorded"] is True

    councilors.demote_councilor(database, legacy)
    councilors.delete_instance(database, instance)
    eventually(lambda: not set(documents) & synced(environment).keys(), "neither has a Councilor")


def synced(environment: Environment) -> dict[str, dict[str, Any]]:
    """The Councilors of the sync's namespace, by document."""
    found = environment.cluster.get("councilors", "-n", environment.installation.scope.councilor_namespace)["items"]
    return {item["metadata"].get("annotations", {}).get(ANNOTATION_DOCUMENT, ""): item for item in found}
