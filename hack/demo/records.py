"""What the runner left in MongoDB: executions, and the statistics that Conductor's UI shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from .progress import DemoError

DATABASE = "conductor_state"
COLLECTION = "councilor_executions"


@dataclass(frozen=True)
class Statistics:
    """What a councilor's document says of its runs."""

    document: str
    """Collection and id."""
    counted: dict[str, Any]
    """`stats` of an agent, `statistics` of an instance."""


def executions(uri: str, *, limit: int = 20) -> Sequence[dict[str, Any]]:
    """The newest executions, oldest first, without their output. Raises DemoError when MongoDB does not answer."""
    with conductor_state(uri) as database:
        return list(database[COLLECTION].find({}, {"output": False}).sort("started_at", -1).limit(limit))[::-1]


def statistics(uri: str) -> Sequence[Statistics]:
    """The councilors that Conductor knows. Raises DemoError when MongoDB does not answer."""
    with conductor_state(uri) as database:
        agents = database.agents.find({"is_councilor": True}).sort("agent_id")
        instances = database.agent_instances.find({"is_councilor_instance": True}).sort("instance_id")
        return [
            *(Statistics(f"agents/{found['agent_id']}", found.get("stats") or {}) for found in agents),
            *(
                Statistics(f"agent_instances/{found['instance_id']}", found.get("statistics") or {})
                for found in instances
            ),
        ]


@contextmanager
def conductor_state(uri: str) -> Iterator[Database[dict[str, Any]]]:
    """Conductor's database. Errors of MongoDB in the block become DemoErrors."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        uri, serverSelectionTimeoutMS=5000, tz_aware=True, appname="councilor-demo"
    )
    try:
        yield client[DATABASE]
    except PyMongoError as error:
        raise DemoError(
            f"MongoDB does not answer ({type(error).__name__}): see mongodb.log in the logs folder"
        ) from error
    finally:
        client.close()
