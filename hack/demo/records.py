"""Executions as the runner recorded them in MongoDB."""

from collections.abc import Sequence
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from .progress import DemoError

DATABASE = "conductor_state"
COLLECTION = "councilor_executions"


def executions(uri: str, *, limit: int = 20) -> Sequence[dict[str, Any]]:
    """The newest executions, oldest first, without their output. Raises DemoError when MongoDB does not answer."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        uri, serverSelectionTimeoutMS=5000, tz_aware=True, appname="councilor-demo"
    )
    try:
        cursor = client[DATABASE][COLLECTION].find({}, {"output": False}).sort("started_at", -1).limit(limit)
        return list(cursor)[::-1]
    except PyMongoError as error:
        raise DemoError(
            f"MongoDB does not answer ({type(error).__name__}): see mongodb.log in the logs folder"
        ) from error
    finally:
        client.close()
