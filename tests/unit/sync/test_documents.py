"""Which changes of documents matter, and that what is read is what is asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from bson import ObjectId

from councilor_operator.sync.candidate import Collection, SourceDocument
from councilor_operator.sync.documents import FIELDS, FILTERS, PROJECTIONS, is_relevant, source_document
from councilor_operator.sync.translation import TranslationRules, translate
from tests.unit.sync.conductor_documents import AGENT, INSTANCE, KEY, SIMPLE_AGENT


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["councilor_config.schedule.enabled"], True),
        (["councilor_config.schedule"], True),
        (["councilor_config"], True),
        (["councilor_config.task.context_files.0"], True),
        (["councilor_config.notifications.channels"], True),
        (["is_councilor"], True),
        (["is_councilor_instance"], True),
        (["isDeleted"], True),
        (["agent_id"], True),
        (["instance_id"], True),
        (["cwd"], True),
        (["name"], True),
        (["customization"], True),
        (["customization.display_name"], True),
        (["definition"], True),
        (["definition.name"], True),
        (["definition.title"], True),
        (["definition.emoji"], True),
        (["stats", "cwd"], True),
        # What runs, chats and the UI write all day.
        (["stats.total_executions", "stats.last_execution", "stats.success_rate"], False),
        (["stats"], False),
        (["statistics"], False),
        (["statistics.task_count"], False),
        (["councilor_runs.recent"], False),
        (["updated_at"], False),
        (["status", "position.x", "position", "display_order", "last_execution"], False),
        (["persona.content", "persona"], False),
        (["definition.description"], False),
        (["customization.avatar_url"], False),
        (["councilor_configuration", "namesake", "isDeletedAt", "is_councilor_too"], False),
        ([], False),
    ],
)
def test_what_is_relevant(fields: list[str], expected: bool) -> None:
    assert is_relevant(fields) is expected


@pytest.mark.parametrize("collection", ["agents", "agent_instances"])
def test_every_field_of_filter_and_projection_is_relevant(collection: Collection) -> None:
    for path in [*FILTERS[collection], *PROJECTIONS[collection]]:
        assert is_relevant([path])
        assert is_relevant([f"{path}.x"])


@pytest.mark.parametrize("collection", ["agents", "agent_instances"])
def test_projections_are_free_of_what_is_large_or_often_written(collection: Collection) -> None:
    paths = set(PROJECTIONS[collection])

    assert paths == FIELDS[collection]
    assert not {path for path in paths if path.startswith(("persona", "stats", "statistics", "councilor_runs"))}
    # A path within another one is refused by MongoDB.
    assert not {path for path in paths for other in paths if path.startswith(f"{other}.")}
    assert "enabled" not in str(FILTERS[collection])


EMPTY: dict[str, Any] = {"definition": {}, "customization": {}}


class Watched(Mapping[str, Any]):
    """An object that writes down which of its fields are read."""

    def __init__(self, fields: Mapping[str, Any], path: str, seen: set[str]) -> None:
        self._fields, self._path, self._seen = fields, path, seen

    def __getitem__(self, name: str) -> Any:
        path = f"{self._path}{name}"
        self._seen.add(path)
        value = self._fields[name]
        return Watched(value, f"{path}.", self._seen) if isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@pytest.mark.parametrize(
    ("collection", "bodies"),
    [
        ("agents", [AGENT, SIMPLE_AGENT, {**AGENT, **EMPTY}]),
        ("agent_instances", [INSTANCE, {**INSTANCE, **EMPTY}]),
    ],
)
def test_what_is_read_is_what_is_projected(collection: Collection, bodies: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for body in bodies:
        translate(SourceDocument(collection, KEY, Watched(body, "", seen)), TranslationRules())

    for path in seen:
        assert any(f"{path}.".startswith(f"{field}.") or field.startswith(f"{path}.") for field in FIELDS[collection])
    assert seen.issuperset(FIELDS[collection])


def test_a_document_as_it_was_found() -> None:
    found = {"_id": ObjectId(KEY), "agent_id": "X_Agent", "councilor_config": {}}

    document = source_document("agents", found)

    assert document == SourceDocument("agents", KEY, {"agent_id": "X_Agent", "councilor_config": {}})
    assert "_id" in found
