"""docs/runner.md against the code: settings, exit codes, reasons and limits."""

import importlib
import re

import pytest

from councilor_operator.config import PREFIX, OperatorConfig
from councilor_runner import contract
from councilor_runner.contract import ExitCode, Reason
from councilor_runner.outcome import EXIT_CODES
from tests.documentation import json_with, table

PAGE = "docs/runner.md"


def words(cell: str) -> str:
    return cell.strip("`")


def test_every_setting_of_the_runner_is_explained() -> None:
    expected = {
        PREFIX + name.upper()
        for name in OperatorConfig.model_fields
        if name.startswith(("runner_", "conductor_")) or name in {"database", "default_cwd"}
    }
    assert {words(row[0]) for row in table(PAGE, "## Settings of the operator")} == expected


def test_the_defaults_of_settings() -> None:
    for name, _, default in table(PAGE, "## Settings of the operator"):
        field = OperatorConfig.model_fields[words(name).removeprefix(PREFIX).lower()]
        if default.startswith("`"):
            assert words(default) == field.default, name
        else:
            assert field.is_required() == (default == "required"), name


def test_every_key_of_the_secret_is_explained() -> None:
    keys = {contract.ENV_MONGODB_URI, contract.ENV_CONDUCTOR_TOKEN, contract.ENV_PROXY_CREDENTIALS}
    assert {words(row[0]) for row in table(PAGE, "## Keys of the Secret")} == keys


def test_every_exit_code_is_explained() -> None:
    rows = table(PAGE, "## How a run ends")
    assert {int(row[0]): row[2] == "yes" for row in rows} == {int(code): code.retryable for code in ExitCode}


def test_every_reason_is_explained_with_its_exit_code() -> None:
    rows = table(PAGE, "The reason stands in `status.lastRun.reason` and in the record:")
    assert {words(row[0]): int(row[1]) for row in rows} == {str(reason): int(EXIT_CODES[reason]) for reason in Reason}


@pytest.mark.parametrize("row", table(PAGE, "## Limits"), ids=lambda row: words(row[2]))
def test_limits_are_those_of_the_code(row: list[str]) -> None:
    module, _, name = words(row[2]).rpartition(".")
    number = re.match(r"\d+", row[1])
    assert number is not None
    assert int(number[0]) == getattr(importlib.import_module(module), name)


def test_the_privileges_are_for_the_default_database() -> None:
    databases = {privilege["resource"]["db"] for privilege in json_with(PAGE, "createRole")["privileges"]}
    assert databases == {OperatorConfig.model_fields["database"].default}
