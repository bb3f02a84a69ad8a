"""Gathers what cluster, MongoDB and Conductor hold, as values that can be judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from councilor_operator.observed import parse_time
from tests.e2e.environment import Environment
from tests.endurance.judgement import Evidence, Subject
from tests.endurance.load import Load
from tests.endurance.witness import Witness

_RECORD = {"output": False}


def gather(environment: Environment, load: Load, witness: Witness) -> Evidence:
    """Read everything. Reading again gives the same once all is quiet."""
    database = environment.database
    return Evidence(
        subjects=subjects(environment, load),
        runs=witness.runs,
        records=list(database.councilor_executions.find({}, _RECORD)),
        agents={found["agent_id"]: found.get("stats") or {} for found in database.agents.find({}, {"persona": False})},
        tasks={str(found["_id"]): found for found in database.tasks.find({}, {"severity": True, "status": True})},
        executions=environment.conductor.executions,
    )


def subjects(environment: Environment, load: Load) -> list[Subject]:
    """The Councilors with their CronJobs."""
    cron_jobs = {
        item["metadata"]["name"]: item for item in environment.cluster.get("cronjobs", "-n", load.namespace)["items"]
    }
    members = {member.name: member for member in load.members}
    found: list[Subject] = []
    for item in environment.cluster.get("councilors", "-n", load.namespace)["items"]:
        name, status = item["metadata"]["name"], item.get("status", {})
        began = parse_time(cron_jobs[name]["metadata"]["creationTimestamp"])
        assert began is not None
        found.append(
            Subject(
                name=name,
                uid=item["metadata"]["uid"],
                agent_id=item["spec"]["agentId"],
                is_interval=members[name].is_interval,
                began=began,
                paused_at=load.paused_at.get(name, datetime.max.replace(tzinfo=began.tzinfo)),
                stats=status.get("stats") or {},
            )
        )
    return found


def started(environment: Environment, since: datetime) -> dict[str, datetime]:
    """When runs were claimed that began after a time, by the names of their Jobs."""
    query = {"started_at": {"$gte": since}}
    return {
        found["job"]: found["started_at"]
        for found in environment.database.councilor_executions.find(query, {"job": True, "started_at": True})
    }


def unsettled(environment: Environment, witness: Witness) -> dict[str, Any]:
    """What is still going on: how many runs, reports, open records, and runs that no status has counted."""
    counted = sum(
        stats.get("totalExecutions", 0) + stats.get("skipped", 0) + stats.get("unknown", 0)
        for stats in (
            (item.get("status", {}).get("stats") or {})
            for item in environment.cluster.get("councilors", "--all-namespaces")["items"]
        )
    )
    runs = witness.runs
    found = {
        "runs": sum(job.outcome is None and job.gone_at is None for job in runs),
        "reports": sum(job.outcome is None and job.gone_at is None for job in witness.reports),
        "open records": environment.database.councilor_executions.count_documents({"status": "running"}),
        "uncounted": max(0, len(runs) - counted),
    }
    return {what: number for what, number in found.items() if number}
