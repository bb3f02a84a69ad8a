"""The documents the runner writes to MongoDB. Pure: values in, filters and updates out.

`councilor_executions` keeps the fields the first version wrote, and the reports read, plus ours. Statistics are
pipeline updates whose counters and guard list change in one write, so that a run is counted exactly once however
often it is tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from councilor_runner.clock import milliseconds, whole_milliseconds
from councilor_runner.contract import RunReport, Severity
from councilor_runner.outcome import Outcome, ended
from councilor_runner.settings import Settings

OUTPUT_LIMIT = 1024 * 1024
"""Bytes of `output`: far below MongoDB's 16 MiB, since a document that is too large never heals by retrying."""

_CUT = "\n[cut: only the first MiB of the answer is kept here]"

KEEP = 512
"""Runs remembered in a guard list.

An id that dropped out would be counted again, so this has to exceed the runs of one agent that can be counted between
the first and the last attempt to count one run. A report Job may make that attempt hours after the run; 512 is a run
each minute for eight hours, and keeps the list below 20 kB.
"""

COUNTERS = "councilor_runs"
"""Beside the statistics, not inside: the watcher replaces `agent_instances.statistics` as a whole."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over, ready to be recorded; `truncated` when its text is only the beginning of the answer."""

    outcome: Outcome
    severity: Severity | None
    started_at: datetime
    completed_at: datetime
    truncated: bool = False

    @property
    def duration_ms(self) -> int:
        # Clocks of two nodes may disagree when a second Pod finishes the run of the first.
        return max(0, milliseconds(self.completed_at) - milliseconds(self.started_at))


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The last judged run before this one; `failed` when it has no answer that was judged."""

    severity: Severity
    failed: bool
    started_at: datetime


def cut_output(text: str | None) -> tuple[str | None, bool]:
    """Cut to `OUTPUT_LIMIT` bytes at a character's border; return the text and whether it was cut."""
    if text is None:
        return None, False
    data = text.encode("utf-8")
    if len(data) <= OUTPUT_LIMIT:
        return text, False
    return data[: OUTPUT_LIMIT - len(_CUT)].decode("utf-8", "ignore") + _CUT, True


def claim_fields(settings: Settings, started_at: datetime) -> dict[str, Any]:
    """Return what identifies the run, as it stands in the record from the claim on."""
    councilor = settings.contract.councilor
    return {
        "execution_id": settings.execution_id,
        "councilor_id": settings.contract.agent.id,
        "agent_id": settings.contract.agent.id,
        "started_at": started_at,
        "created_at": started_at,
        "namespace": councilor.namespace,
        "councilor": councilor.name,
        "task_id": settings.task_id,
        "job": settings.job_name,
        "trigger": settings.trigger,
        "scheduled_at": settings.scheduled_at,
    }


def open_fields() -> dict[str, Any]:
    """Return the fields of a run that has no result yet, so that every record has the same keys.

    Beside them stands `attempts`, the number of Pods that claimed the run, which the claim itself counts.
    """
    return {
        "completed_at": None,
        "duration_ms": None,
        "status": "running",
        "severity": None,
        "output": None,
        "error": None,
        "exit_code": None,
        "reason": None,
        "output_truncated": False,
    }


def result_fields(finished: Finished) -> dict[str, Any]:
    """Return the fields that turn a claim into a finished record. `exit_code` is that of the agent's command."""
    outcome = finished.outcome
    output, truncated = cut_output(outcome.text)
    return {
        "completed_at": finished.completed_at,
        "duration_ms": finished.duration_ms,
        "status": outcome.status,
        "severity": finished.severity,
        "output": output,
        "error": outcome.message if outcome.status == "error" else None,
        "exit_code": outcome.agent_exit_code,
        "reason": str(outcome.reason),
        "output_truncated": truncated or finished.truncated,
    }


def read_finished(document: Mapping[str, Any]) -> Finished | None:
    """Rebuild a finished run from its record; None for a claim, or a record that some other program wrote."""
    status = document.get("status")
    if status not in ("completed", "error", "skipped"):
        return None
    started_at, completed_at = document.get("started_at"), document.get("completed_at")
    if not isinstance(started_at, datetime) or not isinstance(completed_at, datetime):
        return None
    severity = document.get("severity")
    return Finished(
        ended(status, document.get("reason"), document.get("output"), document.get("exit_code"), document.get("error")),
        severity if severity in ("success", "warning", "error") else None,
        started_at,
        completed_at,
        document.get("output_truncated") is True,
    )


def read_previous(document: Mapping[str, Any]) -> PreviousRun | None:
    """Return what a record says of an earlier run; None for a record that some other program wrote."""
    severity, started_at = document.get("severity"), document.get("started_at")
    if severity not in ("success", "warning", "error") or not isinstance(started_at, datetime):
        return None
    return PreviousRun(severity, document.get("status") == "error", started_at)


def counted_run(told: RunReport, started_at: datetime | None = None) -> Finished:
    """Return the run as the operator counted it; `started_at` is that of the claim, where there is one.

    Of the answer only the summary is left. The message of a completed run speaks of the record that was missing, so it
    ends with the record.
    """
    completed = told.status == "completed"
    return Finished(
        ended(told.status, told.reason, told.summary, told.agent_exit_code, None if completed else told.message),
        "error" if told.status == "error" else told.severity,
        started_at or as_stored(told.started_at),
        as_stored(told.completed_at),
        truncated=told.summary is not None,
    )


def as_stored(moment: datetime) -> datetime:
    """Return a time as BSON keeps it: UTC, whole milliseconds."""
    return whole_milliseconds(moment.astimezone(UTC))


def instance_id(fields: Mapping[str, Any]) -> str:
    """Return the instance under which Conductor shows a run: `councilor_{agentId}_{Unix milliseconds}`.

    Every Pod of the Job has to send the same: a manual run takes the time of its claim.
    """
    return f"councilor_{fields['agent_id']}_{milliseconds(fields['scheduled_at'] or fields['started_at'])}"


def statistics_update(field: str, task_id: str, severity: Severity, completed_at: datetime) -> list[dict[str, Any]]:
    """Return the pipeline that counts one run in `field` (`stats` or `statistics`).

    `success_rate` is computed from whole numbers each time: the first version derived it from the rounded rate and
    drifted. The numbers start from the statistics that are already there, and start again from them whenever somebody
    else changed the total. A total that is gone altogether was dropped by the watcher: then ours are restored.

    The latest end stands beside the statistics, too: dropped with them, a run that is counted late would seem the last.

    The pipeline holds numbers, dates and hexadecimal digits only; in a pipeline any other text could be a field path.
    """
    total, success = f"${field}.total_executions", f"${COUNTERS}.success"
    counted = f"${COUNTERS}.total"
    number = {"$and": [{"$isNumber": total}, {"$gte": [total, 0]}]}
    rate = {"$cond": [{"$isNumber": f"${field}.success_rate"}, f"${field}.success_rate", 0]}
    known = {"$isNumber": counted}
    keep = {"$and": [known, {"$or": [{"$not": [number]}, {"$eq": [total, counted]}]}]}
    seeded_total = {"$cond": [number, {"$toLong": total}, 0]}
    seeded_success = {
        "$max": [
            0,
            {
                "$min": [
                    seeded_total,
                    {"$toLong": {"$round": [{"$divide": [{"$multiply": [seeded_total, rate]}, 100]}]}},
                ]
            },
        ]
    }
    recent = {"$cond": [{"$isArray": f"${COUNTERS}.recent"}, f"${COUNTERS}.recent", []]}
    return [
        {
            "$set": {
                f"{COUNTERS}.total": {"$add": [{"$cond": [keep, counted, seeded_total]}, 1]},
                f"{COUNTERS}.success": {
                    "$add": [{"$cond": [keep, success, seeded_success]}, int(severity == "success")]
                },
                # Runs may finish in another order than they started.
                f"{COUNTERS}.last": {"$max": [f"${COUNTERS}.last", f"${field}.last_execution", completed_at]},
                f"{COUNTERS}.recent": {"$slice": [{"$concatArrays": [recent, [task_id]]}, -KEEP]},
            }
        },
        {
            "$set": {
                f"{field}.total_executions": counted,
                f"{field}.success_rate": {"$divide": [{"$multiply": [success, 100]}, counted]},
                f"{field}.last_execution": f"${COUNTERS}.last",
            }
        },
    ]
