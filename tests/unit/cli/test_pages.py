"""Rows and pages about Councilors, with the clock standing still."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest

from councilor_cli import listing, runs
from councilor_cli.output import Grid
from councilor_cli.page import history, page, verdict
from councilor_cli.summary import Summary
from councilor_operator.api.status import Run
from tests.factories import NOW, councilor_body

Body = dict[str, Any]


def at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(job: str, result: str, **more: Any) -> Body:
    return {
        "executionId": f"exec_{job}",
        "taskId": "0" * 24,
        "jobName": job,
        "trigger": "manual",
        "startedAt": at(minutes=13),
        "completedAt": at(minutes=12),
        "durationMs": 61_500,
        "status": "error" if result == "failed" else "completed",
        "severity": "error" if result == "failed" else result,
        "result": result,
        "exitCode": 0,
        "reason": "Completed",
        "recorded": True,
        **more,
    }


def condition(kind: str, status: str, reason: str, message: str) -> Body:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at(hours=5),
    }


STATS: Body = {"totalExecutions": 12, "success": 10, "warning": 1, "error": 0, "failed": 1, "successRate": 83.3}
JUDGED: Body = {
    "phase": "Scheduled",
    "timeZone": "America/Sao_Paulo",
    "nextRunTimes": ["2026-03-02T09:00:00-03:00", "2026-03-03T09:00:00-03:00", "never", "2026-03-04T09:00:00"],
    "conditions": [
        condition("Ready", "True", "Reconciled", "CronJob licence-counsel is as the spec demands"),
        condition("Healthy", "True", "RunSucceeded", "run exec_second completed, judged warning"),
    ],
    "lastRun": run(
        "second",
        "warning",
        summary="- [ ] GPL in [vendored] code\n\x1b[2Jgone",
        notified=[{"channel": "panel", "delivered": True}, {"channel": "ops", "delivered": False, "reason": "404"}],
    ),
    "recentRuns": [
        {"jobName": "second", "completedAt": at(minutes=12), "result": "warning"},
        {"jobName": "first", "completedAt": at(days=3), "result": "success"},
    ],
    "stats": STATS,
}
FAILING: Body = {
    **JUDGED,
    "phase": "Running",
    "active": [
        {
            "executionId": "exec_third",
            "jobName": "third",
            "startedAt": at(minutes=3),
            "reason": "ImagePullBackOff",
            "message": "the image cannot be had: check COUNCILOR_RUNNER_IMAGE",
        }
    ],
    "lastRun": run("second", "failed", exitCode=10, reason="AgentFailed", message="exit code 1", recorded=False),
    "lastRunNow": {"token": "t", "at": at(minutes=1), "reason": "AlreadyRunning", "message": "wait for its end"},
    "stats": {**STATS, "consecutiveFailures": 2, "missed": 1},
}
SYNCED_METADATA: Body = {
    "labels": {"conductor.community/source": "mongodb"},
    "annotations": {"conductor.community/document": "agents/LicenseAuditor_Agent"},
}


def summary(status: Body, metadata: Body | None = None, **spec: Any) -> Summary:
    body = councilor_body(spec=spec, status={})
    return Summary.of({**body, "status": status, "metadata": {**body["metadata"], **(metadata or {})}})


COUNCIL = {
    "judged": summary(JUDGED, title="Licence counsel", emoji="⚖️"),
    "failing": summary(FAILING),
    "synced": summary({"phase": "Paused", "timeZone": "UTC"}, SYNCED_METADATA),
    "new": summary({}),
}


@pytest.mark.parametrize("name", COUNCIL)
def test_a_page(golden: Callable[[str, str], None], name: str) -> None:
    lines = page(COUNCIL[name], NOW, here=UTC, width=100)
    golden(f"cli-get-{name}.txt", "".join(f"{line.plain}\n" for line in lines))


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_a_list(golden: Callable[[str, str], None], wide: bool) -> None:
    rows = [listing.row(one, NOW, wide=wide, everywhere=wide) for one in COUNCIL.values()]
    lines = Grid(listing.headings(wide=wide, everywhere=wide)).lines(rows)
    golden(f"cli-list{'-wide' if wide else ''}.txt", "".join(f"{line.plain}\n" for line in lines))


def test_a_history() -> None:
    assert [line.plain for line in history(COUNCIL["judged"], NOW)] == [
        "ENDED     AT                     RESULT    JOB      TOOK",
        "12m ago   2026-03-02T09:18:00Z   warning   second   61s",
        "3d ago    2026-02-27T09:30:00Z   success   first    -",
    ]


def test_a_status_that_makes_no_sense_is_shown_as_far_as_it_does() -> None:
    odd = summary({"phase": "Dreaming", "stats": "many", "lastRun": 7, "nextRunTimes": ["soon"], "recentRuns": [{}]})
    cells = [item.plain for item in listing.row(odd, NOW, wide=True, everywhere=True)]
    assert cells[2:] == ["LicenseAuditor_Agent", "0 9 * * MON-FRI", *"----------", "10d"]
    assert page(odd, NOW, here=UTC, width=80)


@pytest.mark.parametrize(
    ("result", "more", "told"),
    [
        ("success", {"durationMs": None}, ["success: Licences (council/licence-counsel), exec_j"]),
        (
            "failed",
            {"recorded": False, "reason": "AgentFailed", "message": "it\nended", "summary": "a\nb"},
            [
                "failed: Licences (council/licence-counsel), took 61s, exec_j",
                "AgentFailed: it ended",
                "  a",
                "  b",
                "not recorded in MongoDB",
            ],
        ),
        (
            "warning",
            {"notified": [{"channel": "ops", "delivered": False}, {"channel": "panel", "delivered": True}]},
            ["warning: Licences (council/licence-counsel), took 61s, exec_j", "not told: ops, no reason"],
        ),
    ],
)
def test_a_verdict(result: str, more: Body, told: list[str]) -> None:
    body = {key: value for key, value in run("j", result, **more).items() if value is not None}
    lines = verdict(summary({}, title="Licences"), Run.model_validate(body, by_alias=True, by_name=False))
    assert [line.plain for line in lines] == told


def test_what_became_of_a_run() -> None:
    status = COUNCIL["failing"].status
    assert runs.handled(status, "other") is None
    refused = runs.handled(status, "t")
    assert refused is not None
    assert refused.reason == "AlreadyRunning"
    last, earlier = runs.ended(status, "second"), runs.ended(status, "first")
    assert last is not None
    assert last.run == status.last_run
    assert earlier is not None
    assert (earlier.run, earlier.line.result) == (None, "success")
    assert runs.ended(status, "third") is None
    active = runs.going_on(status, "third")
    assert active is not None
    assert active.reason == "ImagePullBackOff"


@pytest.mark.parametrize(
    ("name", "newest", "before"),
    [("failing", "third", "second"), ("judged", "second", "first"), ("new", None, None)],
)
def test_whose_log_is_shown(name: str, newest: str | None, before: str | None) -> None:
    status = COUNCIL[name].status
    assert (runs.job_of_log(status, previous=False), runs.job_of_log(status, previous=True)) == (newest, before)


def test_exit_codes_are_clear_of_errors_and_of_each_other() -> None:
    codes = runs.EXIT_CODES
    assert codes == {"success": 0, "warning": 10, "error": 11, "failed": 12, "skipped": 13}
