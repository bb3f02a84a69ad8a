"""Which documents of Conductor's database are councilors, and which of their fields say what the councilor is. Pure.

The conditions are those of Conductor's own scheduler, without `schedule.enabled`: a paused councilor is there, and only
does not run. Demotion clears the flag and removes the configuration, removal of an instance sets `isDeleted`; any one
of them ends a councilor, in either collection.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from councilor_operator.sync.candidate import Collection, SourceDocument
from councilor_operator.sync.identity import document_key

_LIVE: Final[Mapping[str, Any]] = {
    # Neither missing nor null.
    "councilor_config": {"$ne": None},
    "isDeleted": {"$ne": True},
}
FILTERS: Final[Mapping[Collection, Mapping[str, Any]]] = {
    "agents": {"is_councilor": True, **_LIVE},
    "agent_instances": {"is_councilor_instance": True, **_LIVE},
}
"""Filters for `find` and `count`: the live councilors of each collection."""

_CONFIGURATION: Final = (
    # By name: a configuration may hold anything beside them. What is no object at all is left out by the projection,
    # and the filter has told that there is something.
    "councilor_config.title",
    "councilor_config.schedule",
    "councilor_config.task",
    "councilor_config.notifications",
    "customization.enabled",
    "customization.display_name",
    "customization.color",
    "definition.emoji",
    "definition.color",
    "name",
    "emoji",
    "color",
    "cwd",
)
FIELDS: Final[Mapping[Collection, frozenset[str]]] = {
    "agents": frozenset({"agent_id", "definition.name", *_CONFIGURATION}),
    "agent_instances": frozenset({"instance_id", "agent_id", "definition.title", *_CONFIGURATION}),
}
"""The fields that `translation` reads, dotted."""
PROJECTIONS: Final[Mapping[Collection, Mapping[str, Any]]] = {
    collection: dict.fromkeys(sorted(fields), 1) for collection, fields in FIELDS.items()
}
"""Projections for `find`: `_id` and `FIELDS`; never personas, statistics or what runs leave behind."""

_RELEVANT: Final = tuple(
    tuple(name.split(".")) for name in frozenset().union(*FIELDS.values(), *(FILTERS[name] for name in FILTERS))
)


def is_relevant(fields: Iterable[str]) -> bool:
    """Return whether a change of these fields can change a councilor: any of the filters or projections, a part of one
    (`councilor_config.schedule.enabled`), or a whole that holds one (`councilor_config`).

    `fields` are the dotted names that an update event has in `updatedFields`, `removedFields` and `truncatedArrays`
    (MongoDB change events). The statistics that runs write are none of them, so no run asks for a round.
    """
    for field in fields:
        parts = tuple(field.split("."))
        if any(parts[: len(known)] == known[: len(parts)] for known in _RELEVANT):
            return True
    return False


def source_document(collection: Collection, found: Mapping[str, Any]) -> SourceDocument:
    """Return what `find` with `FILTERS` and `PROJECTIONS` gave as a document to translate."""
    body = {name: value for name, value in found.items() if name != "_id"}
    return SourceDocument(collection=collection, key=document_key(found.get("_id")), body=body)
