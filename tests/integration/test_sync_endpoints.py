"""What Conductor's own endpoints do to documents, down to the CronJob: its UI works unchanged.

Every sequence is one of document changes as the endpoints make them, and after each the CronJob is what it should be.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from councilor_operator.constants import ANNOTATION_DOCUMENT
from councilor_runner.contract import ENV_CONTRACT, RunContract
from tests.conductor import councilors
from tests.conductor.councilors import EndpointError
from tests.conductor.documents import agent_document
from tests.controlplane.api import CRON_JOBS, Api, Object, eventually
from tests.controlplane.councilor import condition
from tests.controlplane.sync import Document, SyncWorld, sync_world
from tests.mongodb import Mongod

pytestmark = pytest.mark.usefixtures("operator_process")

AGENT = "LicenseAuditor_Agent"
LEGACY = f"agents/{AGENT}"
CONFIG: Document = {
    "title": " Licence counsel ",
    "schedule": {"type": "cron", "value": "0 9 * * MON", "enabled": True},
    "task": {"name": "Licence check", "prompt": "List {{dependencies}} without a known licence.\n"},
    "notifications": {"on_success": True, "channels": ["toast", "panel", "toast"]},
}


@pytest.fixture
def sync(api: Api, kubeconfig: Path, namespace: str, any_mongod: Mongod, tmp_path: Path) -> Iterator[SyncWorld]:
    with sync_world(api, kubeconfig, namespace, any_mongod.uri, tmp_path / "sync.log") as world:
        world.database.agents.insert_one(agent_document(AGENT))
        world.process.start()
        yield world


class Outcome:
    """The CronJob of a document, and the contract that its runs get."""

    def __init__(self, sync: SyncWorld, document: str) -> None:
        self.sync, self.document = sync, document

    def cron_job(self) -> Object | None:
        councilor = self.sync.councilors().get(self.document)
        return councilor and self.sync.api.get(CRON_JOBS, self.sync.namespace, councilor["metadata"]["name"])

    def ready(self) -> Object:
        return condition(self.sync.councilors().get(self.document), "Ready")

    def becomes(self, **expected: Any) -> Object:
        """Wait until the CronJob has these values, see `_shown`; returns it."""

        def reached() -> Object | None:
            body = self.cron_job()
            shown = _shown(body) if body is not None else {}
            return body if body is not None and all(shown[key] == expected[key] for key in expected) else None

        return eventually(reached, f"the CronJob of {self.document} has {expected}")

    def goes(self) -> None:
        """Wait until there is neither a Councilor nor a CronJob of the document."""
        before = self.cron_job()
        eventually(lambda: self.document not in self.sync.councilors(), f"the Councilor of {self.document} goes")
        if before is not None:
            name = before["metadata"]["name"]
            eventually(
                lambda: self.sync.api.get(CRON_JOBS, self.sync.namespace, name) is None, f"the CronJob {name} goes"
            )


def _shown(body: Object) -> dict[str, Any]:
    spec = body["spec"]
    container = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    (text,) = (entry["value"] for entry in container["env"] if entry["name"] == ENV_CONTRACT)
    run = RunContract.model_validate_json(text)
    return {
        "uid": body["metadata"]["uid"],
        "schedule": spec["schedule"],
        "suspend": spec["suspend"],
        "agent_id": run.agent.id,
        "instance_id": run.agent.instance_id,
        "task_name": run.task.name,
        "prompt": run.task.prompt,
        "cwd": run.execution.cwd,
    }


def test_one_for_each_agent(sync: SyncWorld) -> None:
    database, legacy = sync.database, Outcome(sync, LEGACY)
    councilors.promote_councilor(database, AGENT, CONFIG, {"display_name": "Lia Paragraph", "color": "#5b21b6"})
    made = legacy.becomes(schedule="0 9 * * MON", suspend=False, agent_id=AGENT, instance_id=None)
    assert _shown(made)["prompt"].startswith("List {{dependencies}} without a known licence.")
    councilor = sync.councilors()[LEGACY]
    assert (councilor["spec"]["title"], councilor["spec"]["displayName"]) == ("Licence counsel", "Lia Paragraph")
    assert councilor["spec"]["notifications"] == {
        "onSuccess": True,
        "onWarning": True,
        "onError": True,
        "onRecovery": True,
        "channels": ["panel", "toast"],
    }
    with pytest.raises(EndpointError, match="409"):
        councilors.promote_councilor(database, AGENT, CONFIG)
    uid = made["metadata"]["uid"]

    councilors.councilor_schedule(database, AGENT, enabled=False)
    legacy.becomes(suspend=True, uid=uid)
    councilors.councilor_schedule(database, AGENT, enabled=True)
    legacy.becomes(suspend=False, uid=uid)
    # The edit form saves intervals only.
    councilors.councilor_config(database, AGENT, schedule={"type": "interval", "value": "30m"})
    legacy.becomes(schedule="@every 30m", suspend=False, uid=uid)
    councilors.councilor_config(database, AGENT, task={"name": "Another", "prompt": "Something else."})
    legacy.becomes(task_name="Another", uid=uid)
    councilors.councilor_config(database, AGENT, notifications={"channels": ["email"]})
    eventually(
        lambda: sync.councilors()[LEGACY]["spec"]["notifications"]["channels"] == ["email"], "the channels follow"
    )
    # Stored as it is, and only logged by Conductor's own scheduler.
    councilors.councilor_config(database, AGENT, schedule={"type": "cron", "value": "99 99 * * 9"})
    legacy.becomes(suspend=True, uid=uid)
    ready = eventually(lambda: (found := legacy.ready()).get("status") == "False" and found, "it is not ready")
    assert ready["reason"] == "InvalidDocument"
    assert "councilor_config.schedule.value" in ready["message"]
    councilors.councilor_config(database, AGENT, schedule={"type": "cron", "value": "0 8 * * TUE"})
    legacy.becomes(schedule="0 8 * * TUE", suspend=False, uid=uid)

    councilors.demote_councilor(database, AGENT)
    legacy.goes()
    councilors.promote_councilor(database, AGENT, CONFIG)
    legacy.becomes(schedule="0 9 * * MON", suspend=False)


def test_several_for_each_agent(sync: SyncWorld) -> None:
    database = sync.database
    first = councilors.promote(database, AGENT, CONFIG, cwd="/srv/first").instance_id
    second = councilors.promote(
        database, AGENT, {**CONFIG, "schedule": {"type": "interval", "value": "45m"}}, cwd="/srv/second"
    ).instance_id
    one, two = Outcome(sync, f"agent_instances/{first}"), Outcome(sync, f"agent_instances/{second}")
    made = one.becomes(schedule="0 9 * * MON", cwd="/srv/first", agent_id=AGENT, instance_id=first)
    two.becomes(schedule="@every 45m", cwd="/srv/second", agent_id=AGENT, instance_id=second)
    uid = made["metadata"]["uid"]

    councilors.instance_schedule(database, first, enabled=False)
    one.becomes(suspend=True, uid=uid)
    councilors.instance_schedule(database, first, enabled=True)
    one.becomes(suspend=False, uid=uid)
    councilors.instance_config(database, first, cwd="/srv/third", display_name="Lia", title="Other")
    one.becomes(cwd="/srv/third", uid=uid)
    spec = sync.councilors()[one.document]["spec"]
    assert (spec["displayName"], spec["title"]) == ("Lia", "Other")
    # Merged without validation.
    councilors.instance_config(database, first, schedule={"type": "interval", "value": "bogus"})
    one.becomes(suspend=True, uid=uid)
    councilors.instance_config(database, first, schedule={"value": "2d"})
    one.becomes(schedule="@every 48h", suspend=False, uid=uid)
    councilors.instance_config(database, first, task={"prompt": ""})
    one.becomes(suspend=True, uid=uid)
    assert (
        "councilor_config.task.prompt"
        in eventually(lambda: (found := one.ready()).get("status") == "False" and found, "it is not ready")["message"]
    )
    councilors.instance_config(database, first, task={"prompt": "Mended."})
    one.becomes(suspend=False, prompt="Mended.", uid=uid)

    # An agent that is a councilor itself, beside its instances.
    councilors.promote_councilor(database, AGENT, CONFIG)
    legacy = Outcome(sync, LEGACY)
    legacy.becomes(instance_id=None, agent_id=AGENT)
    noted = eventually(lambda: (found := legacy.ready()).get("status") == "True" and found, "it is ready")
    assert "note on the document" in noted["message"]
    councilors.demote_councilor(database, AGENT)
    legacy.goes()

    councilors.delete_instance(database, second)
    two.goes()
    one.becomes(suspend=False, uid=uid)
    assert [item["metadata"]["annotations"][ANNOTATION_DOCUMENT] for item in sync.councilors().values()] == [
        one.document
    ]
