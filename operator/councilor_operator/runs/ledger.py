"""Counting runs: folds finished runs into statistics and history, each Job once. Pure.

The UIDs of counted Jobs stand in the status beside the counters and are written with them in one request, and so does
the time up to which every scheduled run is accounted for. A crash before that write forgets all of it, a crash after it
keeps all; a UID leaves the list only when its Job is gone and can never be met again, with the next one that comes:
its leaving is worth no write of its own.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime

from councilor_operator.api.status import CouncilorStatus, RecentRun, Run, Stats
from councilor_operator.runs.unseen import UnseenRun

RECENT_RUNS = 10


def fold(
    status: CouncilorStatus, runs: Mapping[str, Run], existing: Iterable[str], *, worked_in: Iterable[str] = ()
) -> CouncilorStatus:
    """Return the status with `runs` (Job UID to outcome, none of them counted yet) added.

    `existing` are the UIDs of all Jobs that exist now, or may still be heard of; `worked_in` those of Jobs that are no
    runs with a result, but were taken note of with this status all the same.
    """
    stats = status.stats or Stats()
    recent = list(status.recent_runs or ())
    last, last_success = status.last_run, status.last_success_time
    for run in sorted(runs.values(), key=_ended):
        stats = count(stats, run)
        recent.append(RecentRun(job_name=run.job_name, completed_at=run.completed_at, result=run.result))
        if last is None or _ended(run) >= _ended(last):
            last = run
        if run.result == "success" and run.completed_at is not None:
            last_success = max(run.completed_at, last_success or run.completed_at)
    # A run that is seen late takes its place among the others.
    recent.sort(key=_ended, reverse=True)
    counted = frozenset(status.counted_jobs or ())
    if added := {*runs, *worked_in} - counted:
        counted = (counted | added).intersection(existing)
    return status.model_copy(
        update={
            "stats": stats,
            "last_run": last,
            "last_success_time": last_success,
            "recent_runs": tuple(recent[:RECENT_RUNS]) or None,
            "counted_jobs": tuple(sorted(counted)) or None,
        }
    )


def add_missed(status: CouncilorStatus, missed: Sequence[datetime]) -> CouncilorStatus:
    """Return the status with scheduled times that passed without a run counted; `missed` is oldest first."""
    if not missed:
        return status
    stats = status.stats or Stats()
    return status.model_copy(
        update={
            "stats": stats.model_copy(update={"missed": stats.missed + len(missed)}),
            "last_missed_time": missed[-1],
            "accounted_until": max(missed[-1], status.accounted_until or missed[-1]),
        }
    )


def withdraw_missed(status: CouncilorStatus, made: Container[datetime | None]) -> CouncilorStatus:
    """Return the status without the last missed time, if a Job was made for it after all."""
    if status.stats is None or status.last_missed_time is None or status.last_missed_time not in made:
        return status
    stats = status.stats.model_copy(update={"missed": status.stats.missed - 1})
    return status.model_copy(update={"stats": stats, "last_missed_time": None})


def add_unknown(status: CouncilorStatus, unseen: Sequence[UnseenRun]) -> CouncilorStatus:
    """Return the status with runs counted whose result was not seen."""
    if not unseen:
        return status
    stats = status.stats or Stats()
    times = [run.at for run in unseen] + ([status.last_unknown_time] if status.last_unknown_time else [])
    return status.model_copy(
        update={
            "stats": stats.model_copy(update={"unknown": stats.unknown + len(unseen)}),
            "last_unknown_time": max(times).replace(microsecond=0),
        }
    )


def count(stats: Stats, run: Run) -> Stats:
    """Return the counters with one more run."""
    counted = stats.model_copy(update={run.result: getattr(stats, run.result) + 1})
    if run.result == "skipped":
        return counted
    # Not one more than before: an edited status would give a rate beyond 100 %.
    total = counted.success + counted.warning + counted.error + counted.failed
    return counted.model_copy(
        update={
            "total_executions": total,
            "consecutive_failures": stats.consecutive_failures + 1 if run.result == "failed" else 0,
            "success_rate": round(100 * counted.success / total, 1),
        }
    )


def _ended(run: Run | RecentRun) -> float:
    return run.completed_at.timestamp() if run.completed_at else 0.0
