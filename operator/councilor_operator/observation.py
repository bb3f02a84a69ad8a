"""Everything about one Councilor that a pass looks at, and what has to be read for it. Pure.

The watches tell of Councilors, CronJobs and Jobs; Pods and events are read where there is a question.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod

START_TOLERANCE = timedelta(seconds=20)
"""How long a Pod may take to start before anybody asks why."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One Councilor and its children."""

    councilor: ObservedCouncilor
    cron_job: ObservedCronJob | None
    jobs: Sequence[ObservedJob]
    """The Jobs that exist and are runs."""
    pods: Mapping[str, Sequence[ObservedPod]]
    """Job UID to its Pods, for the Jobs of `jobs_to_examine`."""
    report_jobs: Sequence[ObservedJob] = ()
    """The Jobs that exist and report on a run."""
    deleted: Sequence[ObservedJob] = ()
    """Runs whose Jobs were deleted before they were worked in, as last seen."""
    lingering: frozenset[str] = frozenset()
    """UIDs of Jobs that are gone, but of whose deletion the watch has yet to tell."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Job UID to what the API server said when it refused a Pod, for the Jobs of `jobs_without_pod`."""
    fresh: bool = False
    """Whether CronJob and then Jobs were just read, not told by watches: a Job that is not there is gone."""

    @classmethod
    def of(
        cls,
        councilor: ObservedCouncilor,
        cron_job: ObservedCronJob | None,
        jobs: Iterable[ObservedJob],
        *,
        deleted: Iterable[ObservedJob] = (),
        lingering: Iterable[str] = (),
        fresh: bool = False,
    ) -> Self:
        """Return an observation without Pods yet: the one place where runs and the reports about them part."""
        every = tuple(jobs)
        counted = councilor.counted_jobs
        existing = {job.uid for job in every}
        return cls(
            councilor=councilor,
            cron_job=cron_job,
            jobs=[job for job in every if not job.reports],
            pods={},
            report_jobs=[job for job in every if job.reports],
            deleted=[job for job in deleted if not job.reports and job.uid not in counted and job.uid not in existing],
            lingering=frozenset(lingering) - existing,
            fresh=fresh,
        )


def jobs_to_examine(observation: Observation, now: datetime) -> list[ObservedJob]:
    """Return the Jobs whose Pods have to be read: ended and not worked in yet, or started a while ago and not
    running."""
    counted = observation.councilor.counted_jobs
    everything = (*observation.jobs, *observation.report_jobs, *observation.deleted)
    ended = [job for job in everything if job.end is not None and job.uid not in counted]
    return ended + [job for job in observation.jobs if overdue(job, now)]


def jobs_without_pod(observation: Observation) -> list[ObservedJob]:
    """Return the runs for which the API server may have refused a Pod, so that its words are worth asking for."""
    return [
        job
        for job in observation.jobs
        if job.uid in observation.pods and not observation.pods[job.uid] and (job.end is None or not job.had_pods)
    ]


def overdue(job: ObservedJob, now: datetime) -> bool:
    """Tell whether a Job has no running Pod although it had the time to start one."""
    return job.end is None and not job.ready and now - job.began >= START_TOLERANCE
