"""A stub of Conductor, faithful in what the runner can see: real HTTP, a genuine MongoDB, scripted agents, faults."""

from tests.conductor.answers import (
    JUST_UNDER_LIMIT,
    ODD_ANSWERS,
    Answer,
    Delegation,
    ScriptFileError,
    read_scripts,
)
from tests.conductor.condition import wait_until
from tests.conductor.documents import DATABASE
from tests.conductor.faults import Fault
from tests.conductor.request_log import RecordedRequest
from tests.conductor.settings import Settings
from tests.conductor.stub import StubConductor, StubConductorError

__all__ = [
    "DATABASE",
    "JUST_UNDER_LIMIT",
    "ODD_ANSWERS",
    "Answer",
    "Delegation",
    "Fault",
    "RecordedRequest",
    "ScriptFileError",
    "Settings",
    "StubConductor",
    "StubConductorError",
    "read_scripts",
    "wait_until",
]
