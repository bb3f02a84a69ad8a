"""One Councilor and its children in memory, and the pass of the reconciler as plain calls of the pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from councilor_operator import plan, status
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import ANNOTATION_FAST_FORWARD
from councilor_operator.observation import Observation, jobs_to_examine, jobs_without_pod
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod
from councilor_operator.patches import merge_patch
from tests import factories
from tests.factories import NOW, Body, merged
from tests.unit.operator.fake_cluster import merge_patched


@dataclass(frozen=True)
class Step:
    """What a pass decided, said, and wrote into the status."""

    decision: plan.Decision
    report: status.Report
    patch: dict[str, Any]

    @property
    def action(self) -> plan.Action:
        return self.decision.action

    @property
    def applied(self) -> plan.Apply:
        assert isinstance(self.decision.action, plan.Apply)
        return self.decision.action

    @property
    def reasons(self) -> dict[str, tuple[str, str]]:
        """Condition type to status and reason."""
        return {entry.type: (entry.status, entry.reason) for entry in self.report.status.conditions}

    @property
    def messages(self) -> dict[str, str]:
        """Condition type to message."""
        return {entry.type: entry.message for entry in self.report.status.conditions}

    @property
    def events(self) -> list[tuple[str, str]]:
        """Type and reason of each event."""
        return [(event.type, event.reason) for event in self.report.events]


@dataclass
class World:
    """The cluster around one Councilor."""

    councilor: Body = field(default_factory=factories.councilor_body)
    config: OperatorConfig = field(default_factory=factories.config)
    cron_job: Body | None = None
    jobs: dict[str, Body] = field(default_factory=dict)
    pods: dict[str, list[Body]] = field(default_factory=dict)
    deleted: dict[str, Body] = field(default_factory=dict)
    """Jobs of whose deletion a watch told, as last seen."""
    lingering: frozenset[str] = frozenset()
    refusals: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW

    @classmethod
    def of(cls, spec: Body | None = None, **over: Any) -> World:
        """A world whose Councilor has this spec (merged into the minimal one)."""
        return cls(councilor=factories.councilor_body(spec=spec, **over))

    @classmethod
    def settled(cls, spec: Body | None = None, **over: Any) -> World:
        """The same after its first pass."""
        world = cls.of(spec, **over)
        world.step()
        return world

    def observation(self) -> Observation:
        councilor = ObservedCouncilor.from_object(self.councilor)
        observed = Observation.of(
            councilor,
            None if self.cron_job is None else ObservedCronJob.from_object(self.cron_job),
            [ObservedJob.from_object(body) for body in self.jobs.values()],
            deleted=[ObservedJob.from_object(body) for body in self.deleted.values()],
            lingering=self.lingering,
        )
        pods = {
            job.uid: [ObservedPod.from_object(body) for body in self.pods.get(job.uid, [])]
            for job in jobs_to_examine(observed, self.now)
        }
        observed = replace(observed, pods=pods)
        refusals = {job.uid: self.refusals[job.uid] for job in jobs_without_pod(observed) if job.uid in self.refusals}
        return replace(observed, refusals=refusals)

    def step(self) -> Step:
        """One pass: decide, carry out, report, write the status."""
        observation = self.observation()
        decision = plan.decide(observation, self.config, self.now)
        self._carry_out(decision.action)
        self._make_reports(decision)
        mine = None
        if self.cron_job is not None and decision.owns_cron_job:
            mine = ObservedCronJob.from_object(self.cron_job)
        report = status.report(observation, decision, mine, decision.refusal, None, self.now)
        before = dict(observation.councilor.status)
        patch = merge_patch(before, status.document(report.status))
        self.councilor["status"] = merge_patched(before, patch)
        for uid in ObservedCouncilor.from_object(self.councilor).counted_jobs:
            self.deleted.pop(uid, None)
        return Step(decision, report, patch)

    def _carry_out(self, action: plan.Action) -> None:
        match action:
            case plan.Apply(manifest, fast_forward):
                last = None if self.cron_job is None else self.cron_job["status"].get("lastScheduleTime")
                created = NOW if self.cron_job is None else datetime.fromisoformat(self._created())
                before, self.cron_job = self.cron_job, factories.cron_job_body(manifest, created_at=created)
                if before is not None:
                    self.cron_job = factories.next_generation(before, self.cron_job)
                if fast_forward:
                    last = factories.rfc3339(self.now)
                    self.cron_job["metadata"]["annotations"][ANNOTATION_FAST_FORWARD] = last
                if last is not None:
                    self.cron_job["status"]["lastScheduleTime"] = last
            case plan.Suspend():
                assert self.cron_job is not None, "there is nothing to suspend"
                self.edit_cron_job({"spec": {"suspend": True}})
            case None:
                pass

    def _make_reports(self, decision: plan.Decision) -> None:
        for report in decision.reports:
            name = report.job_name
            if report.manifest is not None and name not in self.jobs:
                labels = report.manifest["metadata"]["labels"]
                self.jobs[name] = factories.job_body(
                    name, uid=name, scheduled_at=None, created_at=self.now, active=1, ready=1, labels=labels
                )

    def _created(self) -> str:
        assert self.cron_job is not None
        created: str = self.cron_job["metadata"]["creationTimestamp"]
        return created

    def edit(self, spec: Body) -> None:
        """Merge into the spec; the generation moves."""
        self.councilor["spec"] = merged(self.councilor["spec"], spec)
        self.councilor["metadata"]["generation"] += 1

    def edit_cron_job(self, change: Body) -> None:
        """Merge something foreign into the CronJob."""
        assert self.cron_job is not None
        self.cron_job = factories.next_generation(self.cron_job, merged(self.cron_job, change))

    def add_job(self, uid: str, pods: list[Body] | None = None, **over: Any) -> None:
        """Put a Job with its Pods into the world."""
        self.jobs[uid] = factories.job_body(uid=uid, **over)
        self.pods[uid] = pods or []

    def fail_runs(self, count: int, first: int = 0) -> None:
        """Let so many scheduled runs fail, the last one a minute ago."""
        for number in range(first, first + count):
            minutes = first + count - number
            at = self.now - timedelta(minutes=minutes)
            self.add_job(f"failed-{number}", scheduled_at=at, end="Failed", reason="BackoffLimitExceeded", ended_at=at)
