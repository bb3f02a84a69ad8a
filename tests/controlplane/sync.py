"""The sync as a process, and a namespace that it keeps equal to a database: what the tests of the sync work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database

from councilor_operator.constants import ANNOTATION_DOCUMENT
from tests.controlplane.account import Account, make_sync_account
from tests.controlplane.api import COUNCILORS, EVENTS, Api, Object, eventually
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port

DATABASE = "conductor_state"
Document = dict[str, Any]


class SyncProcess(OperatorProcess):
    """Start, kill -9 and end the sync; its log is kept in a file."""

    command = "sync"


@dataclass(frozen=True)
class SyncWorld:
    """A namespace, a database and the sync between them."""

    api: Api
    namespace: str
    database: Database[Document]
    process: SyncProcess

    def councilors(self) -> dict[str, Object]:
        """Return the Councilors of the namespace by the document that each is made from, else by name."""
        found = self.api.list(COUNCILORS, self.namespace)
        return {
            item["metadata"].get("annotations", {}).get(ANNOTATION_DOCUMENT, item["metadata"]["name"]): item
            for item in found
        }

    def wait_for(self, *documents: str, seconds: float = 60.0) -> dict[str, Object]:
        """Wait until there are exactly the Councilors of these documents."""
        wanted = set(documents)
        found: dict[str, Object] = {}

        def reached() -> bool:
            found.clear()
            found.update(self.councilors())
            return set(found) == wanted

        eventually(reached, f"Councilors of {sorted(wanted)} and no others", seconds=seconds)
        return found

    def wait_for_spec(self, document: str, **spec: Any) -> Object:
        """Wait until fields of a Councilor's spec have these values."""

        def reached() -> Object | None:
            item = self.councilors().get(document)
            return item if item is not None and all(item["spec"].get(key) == spec[key] for key in spec) else None

        return eventually(reached, f"{document} has {spec}")

    def event_reasons(self) -> list[str]:
        """Return the reasons of the sync's events in the namespace."""
        events = self.api.list(EVENTS, self.namespace)
        return [event["reason"] for event in events if event["reportingController"].endswith("councilor-sync")]

    def event(self, reason: str) -> Object:
        """Wait for an event of the sync and return it."""

        def found() -> Object | None:
            return next((item for item in self.api.list(EVENTS, self.namespace) if item["reason"] == reason), None)

        return eventually(found, f"an event {reason}")

    def event_about(self, councilor: Object, reason: str) -> Object:
        """Wait for an event of the sync about one Councilor and return it."""

        def found() -> Object | None:
            return next(
                (
                    item
                    for item in self.api.list(EVENTS, self.namespace)
                    if item["reason"] == reason and item["regarding"].get("uid") == councilor["metadata"]["uid"]
                ),
                None,
            )

        return eventually(found, f"an event {reason} about {councilor['metadata']['name']}")

    def sample(self, metric: str, **labels: str) -> float:
        """Return a sample of the sync's metrics, 0 for one that is not there."""
        return self.process.sample(f"councilor_sync_{metric}", **labels) or 0.0

    def writes(self) -> float:
        """Return how many writes of Councilors the sync has made."""
        return sum(self.sample("writes_total", verb=verb) for verb in ("create", "update", "delete"))

    def rounds(self) -> float:
        """Return how many rounds have ended."""
        results = ("unchanged", "changed", "incomplete", "failed")
        return sum(self.sample("rounds_total", result=result) for result in results)

    def round_passes(self) -> None:
        """Ask for a round by a document that is no councilor's yet, and wait for its end: all before has been seen."""
        before = self.rounds()
        self.database.agents.insert_one({"agent_id": f"Barrier_{before}_Agent"})
        eventually(lambda: self.rounds() > before, "a round ends")


def agent(agent_id: str = "Auditor_Agent", **config: Any) -> Document:
    """Return a document of `agents` that is a councilor's; `config` replaces fields of its configuration."""
    return {
        "agent_id": agent_id,
        "definition": {"name": agent_id, "description": "Reads licences", "emoji": "📜"},
        "is_councilor": True,
        "councilor_config": configuration(**config),
        "customization": None,
        "stats": {"total_executions": 0, "last_execution": None, "success_rate": 0.0},
    }


def instance(agent_id: str = "Auditor_Agent", number: int = 1, **config: Any) -> Document:
    """Return a document of `agent_instances` that is a councilor's."""
    return {
        "instance_id": f"councilor_{agent_id}_{1770797722450 + number}",
        "agent_id": agent_id,
        "cwd": "/srv/project",
        "status": "idle",
        "definition": {"title": agent_id, "description": "Reads licences", "unicode": ""},
        "statistics": {"task_count": 0, "total_executions": 0, "success_rate": 0.0, "last_execution": None},
        "is_councilor_instance": True,
        "councilor_config": configuration(**config),
        "customization": None,
    }


def configuration(**fields: Any) -> Document:
    """Return a `councilor_config`; `fields` replace whole fields."""
    return {
        "title": "Licence counsel",
        "schedule": {"type": "cron", "value": "0 0 1 1 *", "enabled": True},
        "task": {"name": "Licence check", "prompt": "List dependencies without a known licence."},
        "notifications": {"on_success": False, "on_warning": True, "on_error": True, "channels": ["toast", "panel"]},
        **fields,
    }


def sync_account(api: Api, kubeconfig: Path, folder: Path, namespace: str) -> Account:
    """Return the sync's account in a namespace, the same one each time."""
    there = Account(namespace, "councilor-sync", folder / f"{namespace}-councilor-sync.kubeconfig")
    return there if there.kubeconfig.exists() else make_sync_account(api, kubeconfig, folder, namespace)


@contextmanager
def sync_world(api: Api, kubeconfig: Path, namespace: str, uri: str, log: Path, **settings: str) -> Iterator[SyncWorld]:
    """Return a namespace, a database and a sync that is not started yet; it ends with the block.

    The sync has no more rights than an installation gives it; `kubeconfig` is the administrator's.
    """
    account = sync_account(api, kubeconfig, log.parent, namespace)
    process = SyncProcess(
        account.kubeconfig,
        log,
        health_port=free_port(),
        MONGODB_URI=uri,
        COUNCILOR_SYNC_NAMESPACE=namespace,
        **{
            "COUNCILOR_METRICS_PORT": str(free_port()),
            "COUNCILOR_SYNC_CONFIRMATION_SECONDS": "2",
            "COUNCILOR_SYNC_POLL_SECONDS": "1",
            **settings,
        },
    )
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(uri)
    try:
        with process.faultless():
            yield SyncWorld(api, namespace, client[DATABASE], process)
    finally:
        process.stop()
        client.close()
