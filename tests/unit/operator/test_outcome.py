"""Every way a Job ends, and what the status says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.api.status import NotifiedChannel, Run
from councilor_operator.names import cron_job_name as _cron_job_name
from councilor_operator.observed import ObservedJob, ObservedPod
from councilor_operator.runs.causes import Cause
from councilor_operator.runs.outcome import active_run, finished_run, identity
from councilor_runner.contract import execution_id, task_id
from tests import factories
from tests.factories import AGENT, NOW, UID, ended_pod, job, pod, report_message

COUNCILOR = factories.councilor()
START = NOW - timedelta(minutes=30)


def finish(ended: ObservedJob, pods: Sequence[ObservedPod]) -> Run:
    return finished_run(COUNCILOR, AGENT, ended, pods)


def failed_job(reason: str = "BackoffLimitExceeded") -> ObservedJob:
    return job(end="Failed", reason=reason, message="of the controller", ended_at=START + timedelta(minutes=5))


def temporary(**over: Any) -> str:
    values = {
        "status": "error",
        "severity": "error",
        "exitCode": 75,
        "reason": "DatabaseUnreachable",
        "message": "MongoDB does not answer: check that it runs",
        "summary": None,
        "dispatched": False,
        "recorded": False,
    }
    return report_message(**(values | over))


DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "evicted"}


@dataclass(frozen=True)
class Case:
    job: ObservedJob
    pods: list[ObservedPod]
    expected: dict[str, Any]


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


CASES: dict[str, Case] = {
    # --- the runner reported
    "success": Case(
        job(end="Complete"),
        [ended_pod(report_message())],
        {"result": "success", "status": "completed", "severity": "success", "exit_code": 0, "recorded": True},
    ),
    "warning": Case(
        job(end="Complete"),
        [ended_pod(report_message(severity="warning"))],
        {"result": "warning", "status": "completed", "severity": "warning"},
    ),
    "answer judged an error": Case(
        job(end="Complete"),
        [ended_pod(report_message(severity="error"))],
        {"result": "error", "status": "completed", "severity": "error", "exit_code": 0},
    ),
    "skipped": Case(
        job(end="Complete"),
        [
            ended_pod(
                report_message(
                    status="skipped", severity=None, reason="StartedTooLate", message="12 min late", durationMs=0
                )
            )
        ],
        {
            "result": "skipped",
            "status": "skipped",
            "severity": None,
            "reason": "StartedTooLate",
            "message": "12 min late",
        },
    ),
    "agent failed": Case(
        failed_job("PodFailurePolicy"),
        [
            ended_pod(
                report_message(status="error", severity="error", exitCode=10, agentExitCode=3, reason="AgentFailed"),
                exit_code=10,
            )
        ],
        {"result": "failed", "status": "error", "severity": "error", "exit_code": 10, "reason": "AgentFailed"},
    ),
    "agent timed out": Case(
        failed_job("PodFailurePolicy"),
        [
            ended_pod(
                report_message(status="error", severity="error", exitCode=11, reason="AgentTimedOut"), exit_code=11
            )
        ],
        {"result": "failed", "reason": "AgentTimedOut", "exit_code": 11},
    ),
    "completed but not recorded": Case(
        failed_job("PodFailurePolicy"),
        [ended_pod(report_message(exitCode=20, recorded=False, message="the record was refused"), exit_code=20)],
        {"result": "success", "status": "completed", "reason": "Completed", "recorded": False, "exit_code": 20},
    ),
    "refused for good": Case(
        failed_job("PodFailurePolicy"),
        [ended_pod(report_message(status="error", severity="error", exitCode=78, reason="AgentUnknown"), exit_code=78)],
        {"result": "failed", "reason": "AgentUnknown", "exit_code": 78},
    ),
    # --- several Pods
    "given up once, then success": Case(
        job(end="Complete"),
        [
            ended_pod(temporary(), name="p1", exit_code=75, created_at=later(0)),
            ended_pod(report_message(), name="p2", created_at=later(1)),
        ],
        {"result": "success", "reason": "Completed", "exit_code": 0},
    ),
    "given up once, then success, listed the other way round": Case(
        job(end="Complete"),
        [
            ended_pod(report_message(), name="p2", created_at=later(1)),
            ended_pod(temporary(), name="p1", exit_code=75, created_at=later(0)),
        ],
        {"result": "success", "exit_code": 0},
    ),
    "given up to the end": Case(
        failed_job(),
        [
            ended_pod(temporary(reason="ConductorUnreachable"), name="p1", exit_code=75, created_at=later(0)),
            ended_pod(temporary(reason="DatabaseUnreachable"), name="p2", exit_code=75, created_at=later(1)),
        ],
        {"result": "failed", "reason": "DatabaseUnreachable", "exit_code": 75},
    ),
    "a straggler that gave up does not outrank the result": Case(
        job(end="Complete"),
        [
            ended_pod(report_message(severity="warning"), name="p1", created_at=later(0)),
            ended_pod(temporary(reason="Interrupted"), name="p2", exit_code=75, created_at=later(1)),
        ],
        {"result": "warning", "reason": "Completed"},
    ),
    "killed once, then success": Case(
        job(end="Complete"),
        [
            ended_pod(name="p1", exit_code=137, reason="OOMKilled", created_at=later(0)),
            ended_pod(report_message(), name="p2", created_at=later(1)),
        ],
        {"result": "success", "reason": "Completed"},
    ),
    "evicted once, then success": Case(
        job(end="Complete"),
        [
            ended_pod(name="p1", exit_code=143, reason="Error", created_at=later(0), conditions=[DISRUPTED]),
            ended_pod(report_message(), name="p2", created_at=later(1)),
        ],
        {"result": "success", "reason": "Completed"},
    ),
    "given up once, then killed": Case(
        # What the first Pod met is history: the run died of the second.
        failed_job(),
        [
            ended_pod(temporary(), name="p1", exit_code=75, created_at=later(0)),
            ended_pod(name="p2", exit_code=137, reason="OOMKilled", created_at=later(1)),
        ],
        {"result": "failed", "reason": "OOMKilled", "exit_code": 137},
    ),
    # --- no report
    "out of memory": Case(
        failed_job(),
        [ended_pod(exit_code=137, reason="OOMKilled", seconds=30)],
        {
            "result": "failed",
            "status": "error",
            "severity": "error",
            "reason": "OOMKilled",
            "exit_code": 137,
            "started_at": START + timedelta(seconds=2),
            "completed_at": START + timedelta(seconds=32),
            "duration_ms": 30000,
            "recorded": False,
            "notified": None,
        },
    ),
    "killed without a word": Case(
        failed_job(), [ended_pod(exit_code=137, reason="Error")], {"result": "failed", "reason": "InternalError"}
    ),
    "crashed": Case(failed_job(), [ended_pod(exit_code=1)], {"reason": "InternalError", "exit_code": 1}),
    "ended well but said nothing": Case(
        job(end="Complete"), [ended_pod(exit_code=0)], {"result": "failed", "reason": "InternalError", "exit_code": 0}
    ),
    "evicted by the kubelet": Case(
        failed_job(),
        [pod(phase="Failed", reason="Evicted", created_at=START, containers=False)],
        {"result": "failed", "reason": "Evicted", "exit_code": None},
    ),
    "node lost": Case(failed_job(), [pod(phase="Failed", reason="NodeLost")], {"reason": "NodeLost"}),
    "image missing": Case(
        failed_job("DeadlineExceeded"),
        [pod(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling"}, created_at=START)],
        {"result": "failed", "reason": "ImagePullBackOff", "exit_code": None, "started_at": START},
    ),
    "config map missing": Case(
        failed_job("DeadlineExceeded"),
        [pod(waiting={"reason": "CreateContainerConfigError", "message": 'configmap "x" not found'})],
        {"reason": "CreateContainerConfigError"},
    ),
    "no node": Case(
        failed_job("DeadlineExceeded"),
        [pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}], containers=False)],
        {"reason": "Unschedulable"},
    ),
    "deadline, Pod gone": Case(
        failed_job("DeadlineExceeded"),
        [],
        {
            "result": "failed",
            "reason": "DeadlineExceeded",
            "exit_code": None,
            "started_at": START,
            "completed_at": START + timedelta(minutes=5),
            "duration_ms": 300_000,
        },
    ),
    "deadline, Pod starting": Case(
        failed_job("DeadlineExceeded"),
        [pod(waiting={"reason": "ContainerCreating"})],
        {"reason": "DeadlineExceeded", "exit_code": None},
    ),
    "no Pod left": Case(failed_job(), [], {"result": "failed", "reason": "PodGone"}),
    "complete, no Pod left": Case(job(end="Complete"), [], {"result": "failed", "reason": "PodGone"}),
    "Pod that never said anything": Case(
        failed_job(), [pod(phase="Failed", containers=False)], {"reason": "BackoffLimitExceeded"}
    ),
    "Pod that never said anything, Job without a reason": Case(
        failed_job(""), [pod(phase="Failed", containers=False)], {"reason": "Failed"}
    ),
    "the last of several Pods tells": Case(
        failed_job(),
        [
            ended_pod(name="p2", exit_code=137, reason="OOMKilled", created_at=later(1)),
            ended_pod(name="p1", exit_code=1, created_at=later(0)),
        ],
        {"reason": "OOMKilled", "exit_code": 137},
    ),
    # --- by hand
    "by hand": Case(
        job("by-hand", scheduled_at=None, end="Complete"),
        [ended_pod(report_message(trigger="manual", scheduledAt=None))],
        {"result": "success", "trigger": "manual", "scheduled_at": None, "job_name": "by-hand"},
    ),
    "by hand, no report": Case(
        job("by-hand", scheduled_at=None, end="Failed"),
        [ended_pod(exit_code=1)],
        {"result": "failed", "trigger": "manual", "scheduled_at": None},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_ends(case: Case) -> None:
    run = finish(case.job, case.pods)
    assert {key: getattr(run, key) for key in case.expected} == case.expected
    assert run.job_name == case.job.name
    if run.result == "failed" and run.exit_code not in {10, 11, 78}:
        assert run.message, "a failed run says what to do"


def test_a_job_that_has_not_ended_is_refused() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        finish(job(active=1), [])


def test_every_field_of_a_report_arrives() -> None:
    notified = [
        {"channel": "panel", "delivered": True},
        {"channel": "ops", "delivered": False, "reason": "HTTP 503"},
    ]
    run = finish(job(end="Complete"), [ended_pod(report_message(severity="warning", notified=notified, message="m"))])
    assert run == Run(
        execution_id=f"exec_{AGENT}_1772442000_0123abcd",
        task_id="0123abcd0123abcd0123abcd",
        job_name=job(end="Complete").name,
        trigger="scheduled",
        scheduled_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        started_at=datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC),
        completed_at=datetime(2026, 3, 2, 9, 1, 4, tzinfo=UTC),
        duration_ms=61500,
        status="completed",
        severity="warning",
        result="warning",
        exit_code=0,
        reason="Completed",
        message="m",
        summary="All licences are as they were.",
        recorded=True,
        notified=(
            NotifiedChannel(channel="panel", delivered=True),
            NotifiedChannel(channel="ops", delivered=False, reason="HTTP 503"),
        ),
    )


# --- messages that are no report --------------------------------------------------------------------------------------

GARBAGE = {
    "empty": "",
    "blank": "  \n",
    "words": "Traceback (most recent call last):",
    "null": "null",
    "number": "7",
    "list": "[]",
    "text": '"done"',
    "empty object": "{}",
    "cut": report_message()[:200],
    "cut by one": report_message()[:-1],
    "twice": report_message() * 2,
    "unknown status": report_message(status="perhaps"),
    "unknown severity": report_message(severity="fatal"),
    "no id": report_message(executionId=None),
    "no times": report_message(startedAt=None),
    "times that are none": report_message(completedAt="yesterday"),
    "summary too long": report_message(summary="s" * 257),
    "another contract": report_message(version=2),
    "not Unicode": "\ufffd\x00\x01",
    "deep": "[" * 4000,
}


@pytest.mark.parametrize("message", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_no_report_is_no_report(message: str) -> None:
    run = finish(failed_job(), [ended_pod(message, exit_code=1)])
    assert (run.result, run.reason, run.exit_code) == ("failed", "InternalError", 1)
    assert run.message is not None
    if message.strip():
        assert message not in run.message, "what a container writes does not belong in a status"


@given(message=st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "replace")))
def test_no_message_breaks_a_pass(message: str) -> None:
    assert finish(failed_job(), [ended_pod(message, exit_code=1)]).result == "failed"


@pytest.mark.parametrize("cut", range(0, len(report_message()), 23))
def test_a_report_cut_anywhere_is_none(cut: int) -> None:
    assert finish(failed_job(), [ended_pod(report_message()[:cut], exit_code=1)]).reason == "InternalError"


def test_garbage_of_a_later_pod_does_not_hide_a_result() -> None:
    pods = [
        ended_pod(report_message(), name="p1", created_at=later(0)),
        ended_pod("Traceback", name="p2", exit_code=1, created_at=later(1)),
    ]
    assert finish(job(end="Complete"), pods).result == "success"


# --- reports of a newer runner, and longer ones than ours -------------------------------------------------------------


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param({"cost": {"usd": 0.1}}, id="a new field"),
        pytest.param(
            {"notified": [{"channel": "panel", "delivered": True, "attempts": 2}]}, id="a new field of a channel"
        ),
    ],
)
def test_newer_fields_are_passed_over(newer: dict[str, Any]) -> None:
    assert finish(job(end="Complete"), [ended_pod(report_message(**newer))]).result == "success"


def test_a_reason_we_do_not_know_yet_is_taken_as_it_is() -> None:
    message = report_message(status="error", severity="error", exitCode=10, reason="AgentQuotaExhausted")
    run = finish(failed_job(), [ended_pod(message, exit_code=10)])
    assert (run.result, run.reason) == ("failed", "AgentQuotaExhausted")


def test_a_long_message_is_cut_to_what_the_status_holds() -> None:
    run = finish(failed_job(), [ended_pod(report_message(status="error", message="é" * 1500), exit_code=10)])
    assert run.result == "failed"
    assert run.message is not None
    assert run.message.startswith("é" * 1000)
    assert len(run.message) <= 1024


def test_a_long_reason_of_a_channel_is_cut_to_what_the_status_holds() -> None:
    notified = [{"channel": "ops", "delivered": False, "reason": "r" * 300}]
    run = finish(job(end="Complete"), [ended_pod(report_message(notified=notified))])
    assert run.result == "success"
    assert run.notified is not None
    assert run.notified[0].reason is not None
    assert len(run.notified[0].reason) <= 256


def test_times_without_an_offset_do_not_get_through() -> None:
    """They cannot be compared with others, and the status demands RFC 3339."""
    message = report_message(startedAt="2026-03-02T09:00:03", completedAt="2026-03-02T09:01:04")
    run = finish(failed_job(), [ended_pod(message, exit_code=10)])
    assert run.completed_at is not None
    assert run.completed_at.utcoffset() is not None


# --- identity ---------------------------------------------------------------------------------------------------------


def test_a_scheduled_job_is_known_by_its_name() -> None:
    first, second = job(uid="u1"), job(uid="u2")
    assert identity(COUNCILOR, AGENT, first) == identity(COUNCILOR, AGENT, second)
    task, execution = identity(COUNCILOR, AGENT, first)
    assert task == task_id(UID, first.name)
    assert execution == execution_id(AGENT, task, NOW - timedelta(minutes=30))


def test_jobs_by_hand_are_known_by_their_uid() -> None:
    first, second = (job("again", uid=uid, scheduled_at=None) for uid in ("u1", "u2"))
    assert identity(COUNCILOR, AGENT, first) != identity(COUNCILOR, AGENT, second)
    task, execution = identity(COUNCILOR, AGENT, first)
    assert task == task_id(UID, "again", "u1")
    assert execution == execution_id(AGENT, task, None)


def test_a_run_without_report_has_the_identity_its_runner_computed() -> None:
    for ended in (job(end="Failed"), job("by-hand", scheduled_at=None, end="Failed")):
        run = finish(ended, [])
        assert (run.task_id, run.execution_id) == identity(COUNCILOR, AGENT, ended)


@pytest.mark.parametrize(
    ("ended", "trigger"),
    [(job(end="Failed"), "scheduled"), (job("by-hand", scheduled_at=None, end="Failed"), "manual")],
    ids=["scheduled", "by hand"],
)
def test_a_runner_that_could_not_read_its_contract_knows_no_identity(ended: ObservedJob, trigger: str) -> None:
    """Its report leaves the ids empty and guesses the trigger; the Job knows better."""
    message = report_message(
        executionId="",
        taskId="",
        scheduledAt=None,
        status="error",
        severity="error",
        exitCode=78,
        reason="InvalidContract",
    )
    run = finish(ended, [ended_pod(message, exit_code=78)])
    assert run.reason == "InvalidContract"
    assert (run.task_id, run.execution_id) == identity(COUNCILOR, AGENT, ended)
    assert (run.trigger, run.scheduled_at) == (trigger, ended.scheduled_at)


def test_identity_under_a_long_name() -> None:
    """The Job is named after the CronJob, whose name is cut."""
    long = factories.councilor(name="n" * 100)
    cron_job_name = "n" * 43 + "-" + "00000000"
    ours = job(factories.scheduled_job_name(NOW, cron_job_name), scheduled_at=NOW)
    theirs = job(factories.scheduled_job_name(NOW, _cron_job_name(long.name)), scheduled_at=NOW)
    assert "_manual_" in identity(long, AGENT, ours)[1]
    assert f"_{int(NOW.timestamp())}_" in identity(long, AGENT, theirs)[1]


def test_active_runs() -> None:
    going_on = job(active=1, started_at=START + timedelta(seconds=1))
    run = active_run(COUNCILOR, AGENT, going_on, None)
    assert run.job_name == going_on.name
    assert run.execution_id == identity(COUNCILOR, AGENT, going_on)[1]
    assert run.started_at == going_on.created_at
    assert (run.job_uid, run.scheduled_at, run.reason) == (going_on.uid, going_on.scheduled_at, None)


def test_an_active_run_that_does_not_start_says_why() -> None:
    run = active_run(COUNCILOR, AGENT, job(active=1), Cause("PodRefused", "é" * 2000))
    assert run.reason == "PodRefused"
    assert run.message is not None
    assert len(run.message) <= 1024
