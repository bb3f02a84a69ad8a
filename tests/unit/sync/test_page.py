"""docs/sync.md against the code: settings, fields, events, rights of MongoDB, and that the output in it is real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.documents import FIELDS
from councilor_operator.sync.guard import HoldReason
from councilor_operator.sync.identity import councilor_name, document_reference
from tests.documentation import ROOT, json_with, page, table

PAGE = "docs/sync.md"
NOT_USED = {"default_time_zone"}
"""Settings of every process that the sync has no use for."""


def words(cell: str) -> str:
    return cell.strip("`")


def test_every_setting_is_explained() -> None:
    expected = {SyncConfig.variable(name) for name in SyncConfig.model_fields if name not in NOT_USED}
    assert {words(row[0]) for row in table(PAGE, "## Settings")} == expected


@pytest.mark.parametrize("row", table(PAGE, "## Settings"), ids=lambda row: words(row[0]))
def test_defaults_are_those_of_the_code(row: list[str]) -> None:
    (field,) = (field for name, field in SyncConfig.model_fields.items() if SyncConfig.variable(name) == words(row[0]))
    default = row[2] if len(row) > 2 else ""
    assert field.is_required() == (default == "required")
    if not field.is_required():
        assert words(default) == ("" if field.default is None else str(field.default))


def test_every_field_that_is_read_has_a_row() -> None:
    rows = table(PAGE, "## From a document to a Councilor")
    assert {words(row[0]) for row in rows} == set().union(*FIELDS.values())


def test_the_fields_of_the_councilor_exist() -> None:
    rows = table(PAGE, "## From a document to a Councilor")
    paths = [path for row in rows for path in re.findall(r"`spec\.([\w.]+)`", row[1])]
    assert len(paths) >= len(rows) - 3
    for path in paths:
        model: Any = CouncilorSpec
        for part in path.split("."):
            assert issubclass(model, BaseModel), path
            by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
            model = by_alias[part].annotation


def test_the_example_of_a_name() -> None:
    reference = document_reference("agents", "LicenseAuditor_Agent", "")
    assert f"`{reference}`" in page(PAGE)
    assert f"`{councilor_name(reference)}`" in page(PAGE)


def test_every_event_is_explained() -> None:
    source = (ROOT / "operator/councilor_operator/sync/notices.py").read_text(encoding="utf-8")
    normal = set(re.findall(r'Event\(\s*"Normal",\s*"(\w+)"', source))
    warnings = set(re.findall(r'_warning\(\s*"(\w+)"', source)) | set(HoldReason)
    assert len(normal) >= 3
    assert len(warnings) >= 6
    rows = {words(row[0]): row[1] for row in table(PAGE, "## Events")}
    assert rows == dict.fromkeys(normal, "Normal") | dict.fromkeys(warnings, "Warning")


def test_the_role_is_for_the_default_database() -> None:
    (privilege,) = json_with(PAGE, "createRole")["privileges"]
    assert privilege["resource"] == {"db": SyncConfig.model_fields["database"].default, "collection": ""}


def test_the_output_is_real() -> None:
    blocks = re.findall(r"^```text\n(.*?)^```$", page(PAGE), re.MULTILINE | re.DOTALL)
    golden = [path.read_text(encoding="utf-8") for path in sorted(Path(ROOT / "tests/golden").glob("kubectl-*.txt"))]
    assert blocks
    for block in blocks:
        assert any(block in text for text in golden), block
