"""One pass over one Councilor: gather, decide, apply, report; and the workers that make the passes.

Level-based: a pass derives everything from what exists now, so restart, missed event and foreign edit take the same
path, and a pass right after another writes nothing. This is the one place where errors become a condition or a retry.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic

from councilor_operator import plan, status
from councilor_operator.api.status import RunNow
from councilor_operator.builders import Manifest, build_manual_job
from councilor_operator.cache import Cache
from councilor_operator.cluster import Cluster
from councilor_operator.complaints import describe_rejection
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import ConditionReason
from councilor_operator.errors import (
    ApiError,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from councilor_operator.metrics import Metrics
from councilor_operator.names import cron_job_name
from councilor_operator.observation import Observation, jobs_to_examine, jobs_without_pod
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob
from councilor_operator.patches import merge_patch
from councilor_operator.recorder import EventRecorder
from councilor_operator.runs.manual import RefuseRun, StartRun
from councilor_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)


class Reconciler:
    """Makes each Councilor's CronJob and status equal to its spec; keys are the UIDs of Councilors."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue[str],
        cluster: Cluster,
        recorder: EventRecorder,
        config: OperatorConfig,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._cluster = cluster
        self._recorder = recorder
        self._config = config
        self._metrics = metrics
        self._clock = clock

    async def work(self) -> None:
        """Reconcile what the queue holds, for ever; several workers may share a queue."""
        while True:
            uid = await self._queue.get()
            started = monotonic()
            await self._settle(uid)
            self._metrics.reconcile_seconds.observe(monotonic() - started)
            # A pass with nothing to write never waits: give watches and probe their turn.
            await asyncio.sleep(0)

    async def _settle(self, uid: str) -> None:
        """Make a pass and decide what follows from its failure."""
        try:
            changed, look_again = await self.reconcile(uid)
        except NamespaceGoneError:
            # Objects leave such a namespace in any order, perhaps the CronJob first. The Councilor follows or has
            # followed, and nothing can be made any more: a retry would be in vain.
            self._finish(uid, "unchanged")
        except (ConflictError, NotFoundError):
            # Somebody wrote in between, or something that a write needs vanished. The watch brings the news and with
            # it the next pass; the retry is for the case that it does not.
            self._retry(uid, "retried", "conflict")
        except TransientError as error:
            self._retry(uid, "retried", "transient", at_least=error.retry_after or 0.0)
            logger.warning("reconcile of %s postponed: %s", self._name(uid), error.message)
        except ApiError as error:
            self._retry(uid, "failed", "refused")
            logger.error("reconcile of %s refused: %s", self._name(uid), error.message)  # noqa: TRY400 - no trace needed
        except Exception:
            # A fault in the operator: this Councilor waits, the others go on.
            self._retry(uid, "failed", "fault")
            logger.exception("reconcile of %s failed", self._name(uid))
        else:
            self._finish(uid, "changed" if changed else "unchanged")
            if look_again is not None:
                self._queue.add_after(uid, (look_again - self._clock()).total_seconds())

    async def reconcile(self, uid: str) -> tuple[bool, datetime | None]:
        """Make one pass; returns whether anything was written, and when to look again.

        Raises the errors of `errors.py`, except for a refused CronJob, which becomes a condition.
        """
        councilor = self._cache.councilors.get(uid)
        if councilor is None or councilor.deleting:
            # Owner references take CronJob, Jobs and Pods along: nothing to do, no finalizer needed.
            self._queue.forget(uid)
            self._cache.jobs.forget(uid)
            return False, None
        # A status write whose answer was lost.
        self._cache.jobs.forget(uid, councilor.counted_jobs)
        now = self._clock()
        observation = await self._gather(councilor, now)
        decision = plan.decide(observation, self._config, now)
        if decision.rests_on_absence:
            # What a watch has not told yet looks just like what is gone, and neither a run that was started nor what
            # is said now can be taken back. A Councilor of whose deletion no watch told gets no CronJob again, which
            # the garbage collector would delete, in turns until the next full list.
            if not await self._cluster.exists(councilor):
                self._forget(councilor)
                return False, None
            observation = await self._gather(councilor, now, fresh=True)
            decision = plan.decide(observation, self._config, now)
        cron_job, refusal = await self._apply(observation, decision, now)
        run_now = await self._run_now(decision, cron_job, refusal, now)
        without_report = await self._make_reports(decision)
        report = status.report(observation, decision, cron_job, refusal, run_now, now, without_report=without_report)
        patch = merge_patch(councilor.status, status.document(report.status))
        if patch:
            # Counters, history and the list of counted Jobs go in this one request. A crash before it leaves the Jobs
            # uncounted, and the next pass counts them; a crash after it leaves them counted.
            try:
                written = await self._cluster.patch_status(councilor, patch)
            except NotFoundError:
                self._forget(councilor)
                return decision.action is not None, None
            self._cache.councilors.put(written)
            self._cache.jobs.forget(uid, written.counted_jobs)
            self._metrics.writes.labels("status", "patch").inc()
            self._measure(observation, decision, without_report)
            self._recorder.record(written.reference, report.events, now)
        return bool(patch) or decision.action is not None, report.look_again

    def _measure(self, observation: Observation, decision: plan.Decision, without_report: Mapping[str, str]) -> None:
        """Tell Prometheus what the status has, once it is written."""
        accounts = decision.accounts
        scheduled = {job.name: job.scheduled_at for job in observation.jobs}
        for run in accounts.finished:
            self._metrics.count_run(run, scheduled.get(run.job_name))
        self._metrics.missed.inc(len(decision.missed))
        self._metrics.unknown.inc(len(accounts.unseen))
        for end in accounts.reported:
            self._metrics.reports.labels("succeeded" if end.succeeded else "failed").inc()
        self._metrics.reports.labels("refused").inc(len(without_report))
        if accounts.lost_report is not None:
            self._metrics.reports.labels("unknown").inc()
        self._metrics.count_notifications(accounts.notified)

    async def _gather(self, councilor: ObservedCouncilor, now: datetime, *, fresh: bool = False) -> Observation:
        """Collect what a pass looks at; `fresh` asks the API server for what the watches tell otherwise."""
        cron_job = self._cache.cron_job_for(councilor)
        if fresh:
            cron_job = await self._find_cron_job(councilor, cron_job)
        known = self._cache.jobs.of(councilor.uid)
        observation = Observation.of(
            councilor,
            cron_job,
            await self._cluster.jobs_of(councilor) if fresh else known,
            deleted=self._cache.jobs.deleted(councilor.uid),
            lingering=[job.uid for job in known],
            fresh=fresh,
        )
        pods = {job.uid: await self._cluster.pods_of(job) for job in jobs_to_examine(observation, now)}
        observation = replace(observation, pods=pods)
        refusals = {job.uid: await self._cluster.refusal_of(job) for job in jobs_without_pod(observation)}
        return replace(observation, refusals={uid: words for uid, words in refusals.items() if words is not None})

    async def _find_cron_job(
        self, councilor: ObservedCouncilor, known: ObservedCronJob | None
    ) -> ObservedCronJob | None:
        """Read a Councilor's CronJob anew and correct the cache, where it was `known`."""
        found = await self._cluster.find_cron_job(councilor.namespace, cron_job_name(councilor.name))
        if known is not None and (found is None or found.uid != known.uid):
            self._cache.cron_jobs.drop(known)
        if found is not None:
            self._cache.cron_jobs.put(found)
        return found

    def _forget(self, councilor: ObservedCouncilor) -> None:
        """Forget a Councilor that is gone or going, whether or not a watch will tell of it."""
        self._cache.councilors.drop(councilor)
        self._cache.jobs.forget(councilor.uid)
        self._queue.forget(councilor.uid)

    async def _apply(
        self, observation: Observation, decision: plan.Decision, now: datetime
    ) -> tuple[ObservedCronJob | None, plan.Refusal | None]:
        """Carry out the decision; returns the CronJob afterwards and why it is not as specified, if so."""
        try:
            cron_job, refusal = await self._carry_out(decision, observation.cron_job, now)
        except (ConflictError, NotFoundError):
            # The watch may never tell what became of the one that was known.
            await self._find_cron_job(observation.councilor, observation.cron_job)
            raise
        return cron_job if decision.owns_cron_job else None, refusal

    async def _carry_out(
        self, decision: plan.Decision, cron_job: ObservedCronJob | None, now: datetime
    ) -> tuple[ObservedCronJob | None, plan.Refusal | None]:
        refusal = decision.refusal
        match decision.action:
            case plan.Apply(manifest, fast_forward):
                try:
                    cron_job = await self._make_equal(manifest, cron_job, now if fast_forward else None)
                except RejectedError as error:
                    message = describe_rejection("CronJob", error.message, error.causes)
                    refusal = plan.Refusal(ConditionReason.CRON_JOB_REFUSED, message)
                    if plan.runs_on(cron_job):
                        # It would go on with a spec that nobody wants any more.
                        cron_job, refusal = await self._stop(cron_job, refusal)
            case plan.Suspend() if cron_job is not None and refusal is not None:
                cron_job, refusal = await self._stop(cron_job, refusal)
        return cron_job, refusal

    async def _run_now(
        self,
        decision: plan.Decision,
        cron_job: ObservedCronJob | None,
        refusal: plan.Refusal | None,
        now: datetime,
    ) -> RunNow | None:
        """Start the run that a token asks for; returns what became of it, None when nothing was asked.

        The token is noted with the next status write. A crash before it repeats this: the Job's name follows from the
        token, so the second attempt meets the Job of the first.
        """
        match decision.run_now:
            case None:
                return None
            case RefuseRun() as refused:
                return refused.done(now)
            case StartRun(was_made=True) as start:
                return start.done(now)
            case StartRun(token) if refusal is not None or cron_job is None or decision.manifest is None:
                reason = refusal.reason if refusal else ConditionReason.CRON_JOB_REFUSED
                return RefuseRun(token, reason, "there is nothing to run until the condition Ready is True").done(now)
            case StartRun(token) as start:
                try:
                    for job in start.replaces:
                        await self._cluster.delete_job(job)
                        self._metrics.writes.labels("job", "delete").inc()
                    await self._cluster.create_job(build_manual_job(decision.manifest, cron_job.uid, start.job_name))
                    self._metrics.writes.labels("job", "create").inc()
                except RejectedError as error:
                    message = describe_rejection("Job", error.message, error.causes)
                    return RefuseRun(token, "JobRefused", message).done(now)
                return start.done(now)

    async def _make_reports(self, decision: plan.Decision) -> dict[str, str]:
        """Make the report Jobs; returns why there is none, by the name it would have had.

        The runs they are about are counted with the next status write. A crash before it repeats this, and meets the
        Jobs that were made; after it those runs are not looked at again.
        """
        refused: dict[str, str] = {}
        for report in decision.reports:
            if report.manifest is None:
                refused[report.job_name] = report.message
                continue
            try:
                await self._cluster.create_job(report.manifest)
            except RejectedError as error:
                refused[report.job_name] = describe_rejection("Job", error.message, error.causes)
            else:
                self._metrics.writes.labels("job", "create").inc()
                self._metrics.reports.labels("made").inc()
        return refused

    async def _make_equal(
        self, manifest: Manifest, cron_job: ObservedCronJob | None, fast_forward_to: datetime | None
    ) -> ObservedCronJob:
        if cron_job is not None and fast_forward_to is not None:
            # Before the spec: a crash in between leaves a CronJob that waits a little longer, while the other order
            # would start a run that nobody asked for. Only for a spec that will be taken: otherwise every pass would
            # write, and every write ask for a pass.
            await self._cluster.check_cron_job(manifest, uid=cron_job.uid)
            # Never back, should the controller's clock be ahead of this one.
            until = max(fast_forward_to, cron_job.last_schedule_time or fast_forward_to)
            cron_job = await self._cluster.fast_forward(cron_job, until)
            self._metrics.writes.labels("cronjob", "fast-forward").inc()
        applied = await self._cluster.apply_cron_job(manifest, uid=cron_job.uid if cron_job else None)
        self._metrics.writes.labels("cronjob", "apply").inc()
        self._cache.cron_jobs.put(applied)
        return applied

    async def _stop(self, cron_job: ObservedCronJob, refusal: plan.Refusal) -> tuple[ObservedCronJob, plan.Refusal]:
        try:
            suspended = await self._cluster.suspend_cron_job(cron_job)
        except RejectedError as error:
            message = f"{refusal.message}; its CronJob goes on, as it cannot be suspended: {error.message[:300]}"
            return cron_job, plan.Refusal(refusal.reason, message)
        self._metrics.writes.labels("cronjob", "suspend").inc()
        self._cache.cron_jobs.put(suspended)
        return suspended, refusal

    def _finish(self, uid: str, result: str) -> None:
        self._metrics.reconciles.labels(result).inc()
        self._queue.done(uid)

    def _retry(self, uid: str, result: str, cause: str, *, at_least: float = 0.0) -> None:
        self._metrics.reconciles.labels(result).inc()
        self._metrics.reconcile_errors.labels(cause).inc()
        self._metrics.queue_retries.inc()
        self._queue.retry(uid, at_least=at_least)

    def _name(self, uid: str) -> str:
        councilor = self._cache.councilors.get(uid)
        return councilor.full_name if councilor else uid
