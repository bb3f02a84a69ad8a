"""docs/operations.md has a section for each alert, and docs/conditions.md one for each reason that it leads to."""

import re

import yaml

from councilor_operator.constants import ConditionReason
from tests.documentation import page
from tests.rules.promtool import RULES

ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def sections(path: str) -> dict[str, str]:
    """Text below each heading of the third level."""
    parts = re.split(r"^#{2,3} (.+)$", page(path), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_each_alert_has_its_section_in_the_order_of_the_rules() -> None:
    assert [heading for heading in sections("docs/operations.md") if heading.startswith("Councilor")] == ALERTS


def test_each_reason_has_its_section() -> None:
    found = sections("docs/conditions.md")
    for reason in ConditionReason:
        assert found.get(reason.value, "").strip(), f"docs/conditions.md does not say what to do about {reason.value}"


def test_sections_say_something() -> None:
    assert all(len(text.split()) > 12 for heading, text in sections("docs/operations.md").items() if heading in ALERTS)
