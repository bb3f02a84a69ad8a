"""docs/conditions.md against the code: every reason is explained, none is invented, and the output in it is real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from councilor_operator.constants import ConditionReason, ConditionType
from councilor_operator.status import Phase

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/conditions.md").read_text(encoding="utf-8")
GOLDEN = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/golden").glob("kubectl-describe-*.txt"))]


def test_every_reason_has_a_section_and_none_is_invented() -> None:
    sections = re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)
    assert sorted(sections) == sorted(str(reason) for reason in ConditionReason)


def test_every_condition_has_a_chapter() -> None:
    chapters = re.findall(r"^## (\S+)$", PAGE, re.MULTILINE)
    assert chapters == [*(str(kind) for kind in ConditionType), "Events"]


def test_every_event_is_explained() -> None:
    source = (ROOT / "operator/councilor_operator/events.py").read_text(encoding="utf-8")
    of_their_own = set(re.findall(r'Event\(\s*"(?:Normal|Warning)",\s*"(\w+)"', source))
    assert of_their_own >= {"RunCompleted", "ReportFailed"}
    table = re.findall(r"^\| `(\w+)` \| (?:Normal|Warning) \|", PAGE, re.MULTILINE)
    assert of_their_own <= set(table)


def test_every_phase_is_named() -> None:
    for phase in get_args(Phase):
        assert f"`{phase}`" in PAGE


def test_the_output_is_real() -> None:
    """What is shown of `kubectl describe` stands in a golden file, which a real API server filled."""
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    for block in blocks:
        assert any(block in text for text in GOLDEN), block


def test_the_sections_say_the_status_first() -> None:
    for reason, status in re.findall(r"^### (\S+)\n\n(\w+)\.", PAGE, re.MULTILINE):
        assert status in {"True", "False", "Unknown"}, reason
    assert len(re.findall(r"^### \S+\n\n(?:True|False|Unknown)\. ", PAGE, re.MULTILINE)) == len(ConditionReason)
