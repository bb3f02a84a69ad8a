"""Who hears of which run, and in which words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from councilor_runner.contract import ChannelResult, Notifications, Reason, Severity
from councilor_runner.notifications import merge, notify, remaining, summarise, task_event, wanted
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished
from councilor_runner.settings import read_settings
from tests.unit.runner.test_settings import changed

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rules", "severity", "recovered", "expected"),
    [
        ({}, "success", False, False),
        ({}, "success", True, True),
        ({}, "warning", False, True),
        ({}, "error", False, True),
        ({"on_success": True}, "success", False, True),
        ({"on_recovery": False}, "success", True, False),
        ({"on_warning": False}, "warning", False, False),
        ({"on_error": False}, "error", False, False),
    ],
)
def test_wanted(rules: dict[str, bool], severity: Severity, recovered: bool, expected: bool) -> None:
    assert wanted(Notifications(**rules), severity, recovered=recovered) is expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        (None, 10, None),
        (" \n ", 10, None),
        ("a\n\n  b\tc", 10, "a b c"),
        ("exactly 10", 10, "exactly 10"),
        ("one more than", 10, "one more…"),
        ("✅" * 20, 5, "✅✅✅✅…"),
    ],
)
def test_summarise(text: str | None, limit: int, expected: str | None) -> None:
    assert summarise(text, limit) == expected


def event(outcome: Outcome, severity: Severity, *, recovered: bool = False, **councilor: Any) -> dict[str, Any]:
    contract = read_settings(changed(councilor=councilor)).contract
    finished = Finished(outcome, severity, START, START + timedelta(milliseconds=731))
    document: Any = task_event(
        contract,
        task_id="d2",
        instance_id="councilor_A_Agent_1",
        finished=finished,
        severity=severity,
        recovered=recovered,
    )
    assert document["type"] in ("task_completed", "task_error"), "the gateway refuses any other type"
    assert len(document["data"]["result_summary"]) <= 200
    return {"type": document["type"], **document["data"]}


def test_a_warning() -> None:
    sent = event(Outcome(Reason.COMPLETED, "one is old " * 40, 0), "warning", title="Licence counsel", emoji="📜")
    assert (sent["type"], sent["status"], sent["severity"]) == ("task_completed", "completed", "warning")
    assert sent["result_summary"].startswith("WARNING: one is old")
    assert (sent["agent_name"], sent["agent_emoji"], sent["duration_ms"]) == ("Licence counsel", "📜", 731)


def test_an_error_verdict_is_shown_as_an_error() -> None:
    sent = event(Outcome(Reason.COMPLETED, "it is broken", 0), "error")
    assert (sent["type"], sent["result_summary"]) == ("task_error", "ERROR: it is broken")


def test_a_failed_run_tells_why() -> None:
    sent = event(Outcome(Reason.AGENT_FAILED, "half", 3, "the agent's command ended with exit code 3"), "error")
    assert sent["result_summary"] == "ERROR: the agent's command ended with exit code 3"
    assert sent["exit_code"] == 3


def test_a_recovery() -> None:
    assert event(Outcome(Reason.COMPLETED, "fine", 0), "success", recovered=True)["result_summary"] == "RECOVERED: fine"


async def test_channels_that_cannot_be_served_say_so() -> None:
    results = await notify(("panel", "toast", "email", "slack", "panel"), None, {})
    assert [(result.channel, result.delivered) for result in results] == [
        ("panel", False),
        ("toast", False),
        ("email", False),
        ("slack", False),
    ]
    assert all(result.reason for result in results)
    assert results[0].reason != results[2].reason


def results(**delivered: bool) -> tuple[ChannelResult, ...]:
    return tuple(ChannelResult(channel=channel, delivered=value) for channel, value in delivered.items())


@pytest.mark.parametrize(
    ("channels", "told", "expected"),
    [
        (("panel",), {}, ("panel",)),
        (("panel",), {"panel": True}, ()),
        (("panel",), {"panel": False}, ("panel",)),
        (("panel", "email", "slack"), {"email": True, "slack": False}, ("panel", "slack")),
        (("email",), {"panel": True}, ("email",)),
        ((), {"panel": True}, ()),
    ],
)
def test_who_is_still_to_be_told(channels: tuple[str, ...], told: dict[str, bool], expected: tuple[str, ...]) -> None:
    assert remaining(channels, results(**told)) == expected


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ({}, {}, {}),
        ({"panel": True}, {}, {"panel": True}),
        ({}, {"panel": False}, {"panel": False}),
        ({"panel": False, "email": True}, {"panel": True}, {"panel": True, "email": True}),
        ({"email": True}, {"panel": False, "toast": True}, {"email": True, "panel": False, "toast": True}),
    ],
)
def test_results_of_two_attempts(earlier: dict[str, bool], later: dict[str, bool], expected: dict[str, bool]) -> None:
    assert merge(results(**earlier), results(**later)) == results(**expected)
