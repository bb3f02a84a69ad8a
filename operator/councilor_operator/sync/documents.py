"""Which documents are live councilors, and which of their fields say what a councilor is. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from councilor_operator.sync.candidate import Collection, SourceDocument

_COMMON: Final = ("agent_id", "definition", "name", "title", "emoji", "customization", "councilor_config")

FILTERS: Final[Mapping[Collection, Mapping[str, Any]]] = {
    "agents": {"is_councilor": True, "councilor_config": {"$type": "object"}},
    "agent_instances": {
        "is_councilor_instance": True,
        "councilor_config": {"$type": "object"},
        "isDeleted": {"$ne": True},
    },
}

PROJECTIONS: Final[Mapping[Collection, Mapping[str, Any]]] = {
    "agents": dict.fromkeys((*_COMMON, "is_councilor"), 1),
    "agent_instances": dict.fromkeys((*_COMMON, "instance_id", "cwd", "is_councilor_instance", "isDeleted"), 1),
}

_RELEVANT: Final = frozenset(name for projection in PROJECTIONS.values() for name in projection)


def is_relevant(names: Iterable[str]) -> bool:
    """Tell whether one of these changed fields, in dotted notation, says what a councilor is."""
    return any(name.partition(".")[0] in _RELEVANT for name in names)


def source_document(collection: Collection, found: Mapping[str, Any]) -> SourceDocument:
    """Return what `find` with `FILTERS` and `PROJECTIONS` gave as a document to translate."""
    body = {name: value for name, value in found.items() if name != "_id"}
    return SourceDocument(collection=collection, key=str(found.get("_id")), body=body)
