"""A genuine mongod for tests and the demo: no container, no root, loopback unless told otherwise."""

from tests.mongodb.binary import MongodUnavailableError, mongod_binary
from tests.mongodb.replica_set import ReplicaSet
from tests.mongodb.server import Mongod, MongodError, Shape

__all__ = ["Mongod", "MongodError", "MongodUnavailableError", "ReplicaSet", "Shape", "mongod_binary"]
