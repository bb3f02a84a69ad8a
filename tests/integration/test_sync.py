"""The sync as a process between a real mongod and a real API server: both ways, level-based, and never too much."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from councilor_operator.constants import ANNOTATION_DOCUMENT, ANNOTATION_INSTANCE, LABEL_SOURCE
from tests.controlplane.api import COUNCILORS, Api, eventually
from tests.controlplane.councilor import new_councilor
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.sync import Document, SyncWorld, agent, instance, sync_world
from tests.mongodb import Mongod

AUDITOR = "agents/Auditor_Agent"
REVIEWER = "agents/Reviewer_Agent"


@pytest.fixture
def sync(api: Api, kubeconfig: Path, namespace: str, any_mongod: Mongod, tmp_path: Path) -> Iterator[SyncWorld]:
    """On both shapes of MongoDB: by change stream, and by polling."""
    with sync_world(api, kubeconfig, namespace, any_mongod.uri, tmp_path / "sync.log") as world:
        yield world


@pytest.fixture
def streaming(api: Api, kubeconfig: Path, namespace: str, mongod: Mongod, tmp_path: Path) -> Iterator[SyncWorld]:
    """On a replica set."""
    with sync_world(api, kubeconfig, namespace, mongod.uri, tmp_path / "sync.log") as world:
        yield world


def test_documents_become_councilors(sync: SyncWorld) -> None:
    sync.database.agents.insert_many([agent(), {"agent_id": "Other_Agent", "is_councilor": False}])
    sync.database.agent_instances.insert_one(instance())
    sync.process.start()
    found = sync.wait_for(AUDITOR, "agent_instances/councilor_Auditor_Agent_1770797722451")
    legacy, chamber = found[AUDITOR], found["agent_instances/councilor_Auditor_Agent_1770797722451"]
    assert legacy["metadata"]["labels"][LABEL_SOURCE] == "mongodb"
    assert legacy["spec"]["agentId"] == chamber["spec"]["agentId"] == "Auditor_Agent"
    assert legacy["spec"]["schedule"] == {"type": "cron", "value": "0 0 1 1 *", "enabled": True}
    assert legacy["spec"]["notifications"]["channels"] == ["panel", "toast"]
    assert chamber["spec"]["execution"]["cwd"] == "/srv/project"
    annotations = chamber["metadata"]["annotations"]
    assert annotations[ANNOTATION_INSTANCE] == "councilor_Auditor_Agent_1770797722451"
    assert ANNOTATION_INSTANCE not in legacy["metadata"]["annotations"]
    assert legacy["metadata"]["name"] != chamber["metadata"]["name"]


def test_a_document_that_comes_later(sync: SyncWorld) -> None:
    sync.process.start()
    sync.database.agents.insert_one(agent())
    sync.wait_for(AUDITOR)


def test_a_document_that_changes(sync: SyncWorld) -> None:
    sync.database.agents.insert_one(agent())
    sync.process.start()
    before = sync.wait_for(AUDITOR)[AUDITOR]
    schedule = {"type": "interval", "value": "6h", "enabled": True}
    sync.database.agents.update_one({}, {"$set": {"councilor_config.schedule": schedule}})
    after = sync.wait_for_spec(AUDITOR, schedule=schedule)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_pause_is_no_removal(sync: SyncWorld) -> None:
    sync.database.agents.insert_one(agent())
    sync.process.start()
    before = sync.wait_for(AUDITOR)[AUDITOR]
    sync.database.agents.update_one({}, {"$set": {"councilor_config.schedule.enabled": False}})
    after = sync.wait_for_spec(AUDITOR, schedule={**before["spec"]["schedule"], "enabled": False})
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


REMOVALS: dict[str, Callable[[SyncWorld], object]] = {
    "document gone": lambda sync: sync.database.agents.delete_one({"agent_id": "Auditor_Agent"}),
    "flag off": lambda sync: sync.database.agents.update_one(
        {"agent_id": "Auditor_Agent"}, {"$set": {"is_councilor": False}}
    ),
    "configuration gone": lambda sync: sync.database.agents.update_one(
        {"agent_id": "Auditor_Agent"}, {"$unset": {"councilor_config": ""}}
    ),
    "configuration null": lambda sync: sync.database.agents.update_one(
        {"agent_id": "Auditor_Agent"}, {"$set": {"councilor_config": None}}
    ),
    "deleted softly": lambda sync: sync.database.agents.update_one(
        {"agent_id": "Auditor_Agent"}, {"$set": {"isDeleted": True}}
    ),
}


def test_what_ends_a_councilor(streaming: SyncWorld) -> None:
    others = [f"Other{number}_Agent" for number in range(2)]
    names = [f"agents/{other}" for other in others]
    streaming.database.agents.insert_many([agent(name) for name in others])
    streaming.process.start()
    for how, removal in REMOVALS.items():
        streaming.database.agents.delete_many({"agent_id": "Auditor_Agent"})
        streaming.database.agents.insert_one(agent())
        there = streaming.wait_for(AUDITOR, *names)[AUDITOR]
        removal(streaming)
        streaming.wait_for(*names)
        told = streaming.event_about(there, "Removed")
        assert "is gone or no councilor's" in told["note"], how


def test_a_removal_while_the_sync_is_away(sync: SyncWorld) -> None:
    sync.database.agents.insert_many([agent(), agent("Reviewer_Agent"), agent("Third_Agent")])
    sync.process.start()
    sync.wait_for(AUDITOR, REVIEWER, "agents/Third_Agent")
    sync.process.kill()
    sync.database.agents.delete_one({"agent_id": "Auditor_Agent"})
    sync.database.agents.insert_one(agent("Fourth_Agent"))
    sync.process.start()
    sync.wait_for(REVIEWER, "agents/Third_Agent", "agents/Fourth_Agent")


def test_a_councilor_deleted_by_hand_comes_back(sync: SyncWorld) -> None:
    sync.database.agents.insert_one(agent())
    sync.process.start()
    before = sync.wait_for(AUDITOR)[AUDITOR]
    sync.api.delete(COUNCILORS, sync.namespace, before["metadata"]["name"])
    eventually(
        lambda: (item := sync.councilors().get(AUDITOR)) and item["metadata"]["uid"] != before["metadata"]["uid"],
        "it is there again",
    )
    assert "still asks for it" in sync.event("Recreated")["note"]


EDITS: dict[str, Document] = {
    "prompt": {"spec": {"task": {"prompt": "Something else."}}},
    "a field that the document does not have": {"spec": {"suspendAfterFailures": 1}},
    "a whole object that it does not have": {"spec": {"verdict": {"errorKeywords": ["doom"]}}},
    "schedule": {"spec": {"schedule": {"value": "* * * * *"}}},
    "zone": {"spec": {"schedule": {"timeZone": "Europe/Berlin"}}},
    "annotation": {"metadata": {"annotations": {"conductor.community/document-note": "mine"}}},
    "annotation removed": {"metadata": {"annotations": {"conductor.community/instance-id": None}}},
}


def test_an_edit_is_undone(streaming: SyncWorld) -> None:
    streaming.database.agent_instances.insert_one(instance())
    streaming.process.start()
    (before,) = eventually(lambda: list(streaming.councilors().values()), "there is a Councilor")
    streaming.round_passes()
    for edit, patch in EDITS.items():
        changed = streaming.api.patch(COUNCILORS, streaming.namespace, before["metadata"]["name"], patch)
        assert what_is_asked(changed) != what_is_asked(before), edit

        def undone(changed: Document = changed) -> bool:
            (now,) = streaming.api.list(COUNCILORS, streaming.namespace)
            is_newer = now["metadata"]["resourceVersion"] != changed["metadata"]["resourceVersion"]
            return is_newer and what_is_asked(now) == what_is_asked(before)

        eventually(undone, f"the edit is undone: {edit}")
    assert "change it in Conductor" in streaming.event("EditReverted")["note"]


def what_is_asked(councilor: Document) -> tuple[object, object]:
    return councilor["spec"], councilor["metadata"]["annotations"]


def test_what_other_people_add_stays(streaming: SyncWorld) -> None:
    """Labels and annotations of others, above all the one that starts a run, are no edit of the councilor."""
    streaming.database.agents.insert_one(agent())
    streaming.process.start()
    name = streaming.wait_for(AUDITOR)[AUDITOR]["metadata"]["name"]
    added = {"labels": {"team": "legal"}, "annotations": {"conductor.community/run-now": "1"}}
    streaming.api.patch(COUNCILORS, streaming.namespace, name, {"metadata": added})
    writes = streaming.writes()
    streaming.round_passes()
    now = streaming.councilors()[AUDITOR]["metadata"]
    assert now["labels"]["team"] == "legal"
    assert now["annotations"]["conductor.community/run-now"] == "1"
    assert streaming.writes() == writes == 1


def test_nothing_is_written_when_nothing_changed(sync: SyncWorld, control_plane: ControlPlane) -> None:
    sync.database.agents.insert_many([agent(), agent("Reviewer_Agent", notifications={})])
    sync.database.agent_instances.insert_many([instance(), instance(number=2)])
    sync.process.start()
    eventually(lambda: len(sync.councilors()) == 4, "there are four Councilors")
    mark = control_plane.audit_mark()
    before = {key: item["metadata"]["resourceVersion"] for key, item in sync.councilors().items()}
    sync.process.kill()
    sync.process.start()
    # The same set in another order, and what is no part of a councilor.
    channels = {"councilor_config.notifications.channels": ["panel", "toast", "panel"], "updated_at": "2026-01-01"}
    sync.database.agents.update_one({"agent_id": "Auditor_Agent"}, {"$set": channels})
    sync.round_passes()
    assert sync.writes() == 0
    assert {key: item["metadata"]["resourceVersion"] for key, item in sync.councilors().items()} == before
    assert control_plane.operator_writes(sync.namespace, since=mark) == []


def test_hand_made_councilors_are_never_touched(streaming: SyncWorld) -> None:
    streaming.database.agents.insert_one(agent())
    streaming.process.start()
    synced = streaming.wait_for(AUDITOR)[AUDITOR]
    streaming.process.stop()
    name = synced["metadata"]["name"]
    streaming.api.delete(COUNCILORS, streaming.namespace, name)
    streaming.api.wait_for_none(COUNCILORS, streaming.namespace)
    # One under the name that the document needs, one that only looks like the sync's, one that is copied from its own.
    streaming.api.create(COUNCILORS, streaming.namespace, new_councilor(name))
    labelled = new_councilor("labelled")
    labelled["metadata"]["labels"] = {LABEL_SOURCE: "mongodb"}
    streaming.api.create(COUNCILORS, streaming.namespace, labelled)
    copy = new_councilor("copied")
    copy["metadata"] |= {"labels": {LABEL_SOURCE: "mongodb"}, "annotations": {ANNOTATION_DOCUMENT: AUDITOR}}
    streaming.api.create(COUNCILORS, streaming.namespace, copy)
    before = {
        item["metadata"]["name"]: item["metadata"]["resourceVersion"]
        for item in streaming.api.list(COUNCILORS, streaming.namespace)
    }
    streaming.process.start()
    taken = streaming.event("NameTaken")
    assert taken["regarding"]["name"] == name
    streaming.round_passes()
    assert {
        item["metadata"]["name"]: item["metadata"]["resourceVersion"]
        for item in streaming.api.list(COUNCILORS, streaming.namespace)
    } == before
    assert streaming.sample("collisions") == 1
    # Once the name is free, the document has its Councilor.
    streaming.api.delete(COUNCILORS, streaming.namespace, name)
    eventually(
        lambda: any(
            item["metadata"]["name"] == name and item["metadata"].get("labels", {}).get(LABEL_SOURCE) == "mongodb"
            for item in streaming.api.list(COUNCILORS, streaming.namespace)
        ),
        "the document has its Councilor",
    )
    assert streaming.event_reasons().count("NameTaken") == 1


def test_an_empty_source_deletes_nothing_until_it_is_confirmed(
    api: Api, kubeconfig: Path, namespace: str, any_mongod: Mongod, tmp_path: Path
) -> None:
    log = tmp_path / "sync.log"
    # Longer than any test: what is held stays held.
    with sync_world(
        api, kubeconfig, namespace, any_mongod.uri, log, COUNCILOR_SYNC_CONFIRMATION_SECONDS="3600"
    ) as sync:
        sync.database.agents.insert_many([agent(f"A{number}_Agent") for number in range(3)])
        sync.process.start()
        there = set(sync.wait_for(*(f"agents/A{number}_Agent" for number in range(3))))
        sync.database.agents.update_many({}, {"$set": {"is_councilor": False}})
        assert "not one of the documents of 3 Councilors" in sync.event("SourceEmpty")["note"]
        sync.database.agents.drop()
        sync.round_passes()
        assert sync.sample("refusals_total", reason="SourceEmpty") == 3
        # Each is told and counted once, however many rounds look at it.
        sync.database.agents.insert_many([agent("A0_Agent")])
        assert "those of 2 Councilors" in sync.event("SourceHalved")["note"]
        assert sync.sample("held_councilors", reason="SourceHalved") == 2
        assert set(sync.councilors()) == there
        sync.database.agents.insert_many([agent("A1_Agent"), agent("A2_Agent")])
        eventually(lambda: sync.sample("held_councilors", reason="SourceHalved") == 0, "none is held")
        assert set(sync.councilors()) == there
        assert sync.writes() == 3
        assert sync.event_reasons().count("SourceEmpty") == 1


def test_a_confirmed_loss_is_carried_out_a_few_at_a_time(
    api: Api, kubeconfig: Path, namespace: str, any_mongod: Mongod, tmp_path: Path
) -> None:
    log = tmp_path / "sync.log"
    settings = {"COUNCILOR_SYNC_CONFIRMATION_SECONDS": "1", "COUNCILOR_SYNC_MAX_DELETIONS": "2"}
    with sync_world(api, kubeconfig, namespace, any_mongod.uri, log, **settings) as sync:
        sync.database.agents.insert_many([agent(f"A{number}_Agent") for number in range(5)])
        sync.process.start()
        sync.wait_for(*(f"agents/A{number}_Agent" for number in range(5)))
        sync.database.agents.delete_many({})
        sync.wait_for()
        assert sync.sample("refusals_total", reason="SourceEmpty") == 5
        assert sync.sample("refusals_total", reason="DeletionLimit") == 3
        assert "3 Councilors more are to be deleted" in sync.event("DeletionLimit")["note"]


def test_a_source_that_cannot_be_reached_deletes_nothing(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    with (
        Mongod("replica-set") as mongod,
        sync_world(api, kubeconfig, namespace, mongod.uri, tmp_path / "sync.log") as sync,
    ):
        sync.database.agents.insert_many([agent(), agent("Reviewer_Agent")])
        sync.process.start()
        before = sync.wait_for(AUDITOR, REVIEWER)
        mongod.kill()
        # A hand edit asks for a round, which cannot be made.
        name = before[AUDITOR]["metadata"]["name"]
        sync.api.patch(COUNCILORS, namespace, name, {"spec": {"suspendAfterFailures": 1}})
        assert "none is deleted for it" in sync.event("SourceFailed")["note"]
        eventually(lambda: sync.sample("source_errors_total", cause="unreachable") >= 2, "it is tried again")
        assert set(sync.councilors()) == {AUDITOR, REVIEWER}
        mongod.start()
        eventually(lambda: sync.councilors()[AUDITOR]["spec"]["suspendAfterFailures"] == 5, "the edit is undone")
        assert sync.event_reasons().count("SourceFailed") == 1
        assert {item["metadata"]["uid"] for item in sync.councilors().values()} == {
            item["metadata"]["uid"] for item in before.values()
        }


def test_statistics_of_runs_cause_no_round(streaming: SyncWorld) -> None:
    """What runner, watcher and UI write to these documents again and again is none of the sync's business."""
    streaming.database.agents.insert_one(agent())
    streaming.database.agent_instances.insert_one(instance())
    streaming.process.start()
    eventually(lambda: len(streaming.councilors()) == 2, "there are two Councilors")
    streaming.round_passes()
    asked = streaming.sample("round_causes_total", cause="change")
    for number in range(20):
        stats = {"stats.total_executions": number, "stats.success_rate": 50.0, "councilor_runs.recent": [str(number)]}
        streaming.database.agents.update_one({"agent_id": "Auditor_Agent"}, {"$set": stats})
        moved = {"statistics": {"task_count": number}, "status": "running", "position": {"x": number, "y": 1}}
        streaming.database.agent_instances.update_one({}, {"$set": moved})
    streaming.round_passes()
    assert streaming.sample("round_causes_total", cause="change") == asked + 1


def test_two_syncs_at_once_are_harmless(
    api: Api, kubeconfig: Path, namespace: str, mongod: Mongod, tmp_path: Path
) -> None:
    with (
        sync_world(api, kubeconfig, namespace, mongod.uri, tmp_path / "one.log") as one,
        sync_world(api, kubeconfig, namespace, mongod.uri, tmp_path / "two.log") as two,
    ):
        one.process.launch()
        two.process.start()
        one.process.await_ready()
        one.database.agents.insert_many([agent(f"A{number}_Agent") for number in range(20)])
        names = [f"agents/A{number}_Agent" for number in range(20)]
        before = one.wait_for(*names)
        one.database.agents.update_many({}, {"$set": {"councilor_config.title": "Counsel"}})
        eventually(lambda: all(item["spec"]["title"] == "Counsel" for item in one.councilors().values()), "all follow")
        one.database.agents.delete_one({"agent_id": "A0_Agent"})
        after = one.wait_for(*names[1:])
        assert all(after[name]["metadata"]["uid"] == before[name]["metadata"]["uid"] for name in names[1:])
        for each in (one, two):
            eventually(partial(each.sample, "rounds_total", result="unchanged"), "both come to rest")
