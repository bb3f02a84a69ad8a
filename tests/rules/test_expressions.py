"""Alerts and dashboard speak of metrics and labels that there are, in PromQL that Prometheus understands."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documentation import page
from tests.rules.promtool import CHART, RULES, run

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
# What every target has besides: Prometheus' own labels, and those of the process metrics.
OF_TARGETS = {"instance", "job", "pod", "namespace"}


def known() -> dict[str, set[str]]:
    """Labels of each metric, from the page that is compared with the code."""
    rows = [
        line.strip("|").split(" | ")
        for line in page("docs/metrics.md").splitlines()
        if line.startswith("| `councilor_")
    ]
    return {row[0].strip().strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows}


def alert_expressions() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield panel["title"], target["expr"]
        for variable in dashboard["templating"]["list"]:
            if found := re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", "")):
                yield variable["name"], f"max by ({found[2]}) ({found[1]})"


EXPRESSIONS = [*alert_expressions(), *dashboard_expressions()]


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS, ids=[title for title, _ in EXPRESSIONS])
def test_metrics_and_labels_exist(title: str, expression: str) -> None:
    metrics = known()
    labels = set().union(*metrics.values()) | OF_TARGETS | {"le"}
    named = re.findall(r"\b(councilor_\w+|process_\w+)(?:\{([^}]*)\})?", expression)
    assert named, title
    for name, selector in named:
        if name.startswith("process_"):
            continue
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert family in metrics, f"{title}: there is no {name}"
        assert set(re.findall(r"(\w+)[=!]", selector)) <= metrics[family] | {"le"}, title
    for grouping in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} <= labels, title


def test_prometheus_understands_the_dashboards(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:expression_{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(dashboard_expressions())
    ]
    assert len(rules) > 20
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = run("check", "rules", "--lint=none", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.name)
def test_panels_are_whole_and_side_by_side(file: Path) -> None:
    panels: list[dict[str, Any]] = json.loads(file.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["datasource"]["uid"] == "${datasource}"
