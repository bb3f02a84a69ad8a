"""What passes between reading documents and comparing Councilors: the documents as read, and what each asks for. Pure
values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from councilor_operator.api.spec import CouncilorSpec

Collection = Literal["agents", "agent_instances"]
"""A collection of Conductor's database that holds councilors: `agents` the earlier form, one for each agent."""


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A live councilor's document, as far as it was read: flag set, configuration there, not deleted."""

    collection: Collection
    key: str
    """`_id` as text: hexadecimal digits of an ObjectId, else whatever stands there. Unique within the collection."""
    body: Mapping[str, Any]
    """The document without `_id`, limited to the fields that say what the councilor is (`documents.PROJECTION`)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The Councilor that a document asks for.

    `spec` is one that the CRD accepts, whatever the document holds: with a `problem` the fields in question have
    stand-ins and the schedule is not enabled.
    """

    document: str
    """Collection and exact id, `agents/LicenseAuditor_Agent`."""
    key: str
    """`_id` as text."""
    name: str
    """Name of the Councilor; follows from `document` alone."""
    spec: CouncilorSpec
    instance_id: str | None
    """For a document of `agent_instances`: where the runs are counted."""
    problem: str | None
    """Why no run may come of it, naming the document's field and what to write there; no content of the document but
    what a schedule says."""
    notes: tuple[str, ...]
    """What is odd about it, or read otherwise than Conductor reads it; each names the document's field."""
