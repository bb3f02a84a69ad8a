"""docs/verify.md against the code."""

from __future__ import annotations

import pytest

from councilor_operator.__main__ import EXIT_CONFIGURATION
from councilor_operator.verify.command import EXIT_FAILED
from councilor_operator.verify.config import VerifyConfig
from councilor_operator.verify.trial import UNKNOWN_AGENT
from councilor_runner.contract import Reason
from tests.documentation import page, table

PAGE = "docs/verify.md"
SETTINGS = table(PAGE, "## Settings")


def test_every_setting_is_explained() -> None:
    expected = {VerifyConfig.variable(name) for name in VerifyConfig.model_fields}
    assert {row[0].strip("`") for row in SETTINGS} == expected


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row[0].strip("`"))
def test_defaults_are_those_of_the_code(row: list[str]) -> None:
    (field,) = (
        found for name, found in VerifyConfig.model_fields.items() if f"`{VerifyConfig.variable(name)}`" == row[0]
    )
    default = row[2].strip("`") if len(row) > 2 else ""
    assert field.is_required() == (default == "required")
    if not field.is_required():
        assert default == ("" if field.default is None else str(field.default))


def test_exit_codes_and_names_are_those_of_the_code() -> None:
    codes = [int(row[0]) for row in table(PAGE, "## What it prints")]
    assert codes == [0, EXIT_FAILED, EXIT_CONFIGURATION]
    assert f"`{UNKNOWN_AGENT}`" in page(PAGE)
    assert f"`{Reason.AGENT_UNKNOWN}`" in page(PAGE)
