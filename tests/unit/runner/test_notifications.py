"""Who hears of which run, and in which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from councilor_runner.contract import ENV_NOTIFICATIONS_PATH, ChannelResult, Notifications, Reason, Severity
from councilor_runner.interruption import Interruption
from councilor_runner.messages import compose
from councilor_runner.notifications import merge, notify, remaining, task_event, wanted
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, PreviousRun
from councilor_runner.settings import read_settings
from tests.unit.runner.test_settings import changed

WITH = "with an Apprise URL such as mailtos://user:password@example.com"
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


def event(
    outcome: Outcome, severity: Severity, *, recovered_from: PreviousRun | None = None, **councilor: Any
) -> dict[str, Any]:
    contract = read_settings(changed(councilor=councilor)).contract
    finished = Finished(outcome, severity, START, START + timedelta(milliseconds=731))
    document: Any = task_event(
        contract,
        task_id="d2",
        instance_id="councilor_A_Agent_1",
        finished=finished,
        severity=severity,
        recovered_from=recovered_from,
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
    before = PreviousRun("error", failed=True, started_at=START - timedelta(days=1))
    sent = event(Outcome(Reason.COMPLETED, "fine\nSEVERITY: success", 0), "success", recovered_from=before)
    assert (sent["type"], sent["result_summary"]) == ("task_completed", "RECOVERED from error: fine")


async def test_channels_that_cannot_be_served_say_what_to_do(tmp_path: Path) -> None:
    settings = read_settings({**changed(), ENV_NOTIFICATIONS_PATH: str(tmp_path)})
    message = compose(settings, Finished(Outcome(Reason.COMPLETED, "x", 0), "error", START, START), "error")
    channels = ("toast", "email", "panel", "slack", "panel", "email")
    told = await notify(channels, {}, message, settings=settings, gateway=None, interruption=Interruption())
    no_gateway = "no gateway is configured: set its address in the operator's configuration"
    assert [(result.channel, result.delivered, result.reason) for result in told] == [
        ("toast", False, no_gateway),
        ("email", False, f"add the key email to the Secret councilor-notifications, {WITH}"),
        ("panel", False, no_gateway),
        ("slack", False, f"add the key slack to the Secret councilor-notifications, {WITH}"),
    ]


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
