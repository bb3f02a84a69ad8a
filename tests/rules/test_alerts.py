"""Every alert fires when it should, with the words that people read, and not when something only comes near."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules.cases import CASES, UP, Case, Series
from tests.rules.promtool import RULES, run

ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}


def test_promtool_takes_the_rules() -> None:
    checked = run("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_its_cases() -> None:
    assert set(ALERTS) == set(CASES)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_is_so_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert all(text.rstrip().endswith((".", "?", "`.")) for text in rule["annotations"].values())


def test_each_alert_fires_and_keeps_quiet(tmp_path: Path) -> None:
    tests = [test for alert, case in CASES.items() for test in of(alert, case)]
    for number, chunk in enumerate([tests]):
        file = tmp_path / f"tests-{number}.yaml"
        file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": chunk}))
        done = run("test", "rules", file)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_case_that_does_not_hold_is_noticed(tmp_path: Path) -> None:
    """The proof that promtool looks: a near miss said to fire."""
    case = CASES["CouncilorRunsMissed"]
    file = tmp_path / "tests.yaml"
    wrong = fires("CouncilorRunsMissed", case, case.quiet[0])
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [wrong]}))
    assert run("test", "rules", file).returncode != 0


def of(alert: str, case: Case) -> list[dict[str, Any]]:
    return [
        *(fires(alert, case, series) for series in (case.fires, *case.also)),
        *(quiet(alert, case, series) for series in case.quiet),
    ]


def fires(alert: str, case: Case, series: Series) -> dict[str, Any]:
    rule = ALERTS[alert]
    expected = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {key: rendered(text, case) for key, text in rule["annotations"].items()},
    }
    return test_of(alert, case, series, [expected])


def quiet(alert: str, case: Case, series: Series) -> dict[str, Any]:
    return test_of(alert, case, series, [])


def test_of(alert: str, case: Case, series: Series, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{alert} {'fires' if expected else 'keeps quiet'} with {series}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in {**series}.items()],
        "alert_rule_test": [{"eval_time": f"{case.at}m", "alertname": alert, "exp_alerts": expected}],
    }


test_of.__test__ = False  # type: ignore[attr-defined]


def rendered(text: str, case: Case) -> str:
    """What Prometheus makes of a text: labels and the value put in."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: case.labels[match[1]], text)
    return text.replace("{{ $value }}", case.value)


def test_the_operator_alone_is_no_reason_for_an_alert(tmp_path: Path) -> None:
    """A new installation without sync, without Councilors and without a run."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in UP.items()],
            "alert_rule_test": [{"eval_time": "120m", "alertname": alert, "exp_alerts": []} for alert in ALERTS],
        }
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = run("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
