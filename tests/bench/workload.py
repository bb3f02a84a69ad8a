"""What the benchmark writes: Councilors, and the CronJobs and statuses that the operator makes of them, made with the
operator's own code so that they are of the same size."""

from datetime import UTC, datetime
from typing import Final

from councilor_operator import plan, status
from councilor_operator.config import OperatorConfig
from councilor_operator.connection import APPLY, MERGE_PATCH
from councilor_operator.constants import (
    API_VERSION,
    FIELD_MANAGER,
    GROUP,
    KIND,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    PLURAL,
    VERSION,
)
from councilor_operator.observation import Observation
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob
from councilor_operator.patches import merge_patch
from tests.bench.client import Object, Request
from tests.controlplane.process import ENVIRONMENT

PROMPT_CHARACTERS: Final = 800
COUNCILORS: Final = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
CRON_JOBS: Final = "/apis/batch/v1/cronjobs"
MANAGED: Final = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}
CONFIG: Final = OperatorConfig.from_environment(ENVIRONMENT)
# As long as the operator's own, so that requests and answers are, too; the operator must not take these for its own.
OTHER_OWNER: Final = "councilor-measured"


def councilor_path(namespace: str, name: str = "", subresource: str = "") -> str:
    """Return the path of a Councilor, of its subresource, or of a namespace's Councilors."""
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
    return "/".join(part for part in (path, name, subresource) if part)


def cron_job_path(namespace: str, name: str) -> str:
    """Return the path of a CronJob."""
    return f"/apis/batch/v1/namespaces/{namespace}/cronjobs/{name}"


def create(namespace: str, number: int) -> Request:
    """Return the request that creates a Councilor; it runs once a year, on New Year's Day."""
    body: Object = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": f"councilor-{number:05}", "namespace": namespace},
        "spec": {
            "agentId": f"Reviewer_Agent_{number:05}",
            "title": f"Review {number:05}",
            "schedule": {"type": "cron", "value": f"{number % 60} {number % 24} 1 1 *"},
            "task": {"prompt": _prompt(f"Review module {number:05}.")},
        },
    }
    return Request("POST", councilor_path(namespace), body)


def change(namespace: str, number: int) -> Request:
    """Return the request that changes title and prompt of a Councilor."""
    spec = {"title": f"Second review {number:05}", "task": {"prompt": _prompt(f"Review module {number:05} again.")}}
    return Request("PATCH", councilor_path(namespace, f"councilor-{number:05}"), {"spec": spec}, MERGE_PATCH)


class Counterpart:
    """The requests that a Councilor demands of any operator: one apply, one status patch, for its current spec."""

    def __init__(self, councilor: Object, cron_job: Object | None) -> None:
        self._councilor = ObservedCouncilor.from_object(councilor)
        observed = ObservedCronJob.from_object(cron_job) if cron_job else None
        self._observation = Observation.of(self._councilor, observed, ())
        self._now = datetime.now(tz=UTC)
        self._decision = plan.decide(self._observation, CONFIG, self._now)

    def apply(self) -> Request:
        """Return the server-side apply of the CronJob."""
        assert isinstance(self._decision.action, plan.Apply)
        manifest = self._decision.action.manifest
        metadata = manifest["metadata"]
        manifest = {
            **manifest,
            "metadata": {**metadata, "labels": {**metadata["labels"], LABEL_MANAGED_BY: OTHER_OWNER}},
        }
        path = cron_job_path(self._councilor.namespace, metadata["name"])
        return Request("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", manifest, APPLY)

    def patch_status(self, cron_job: Object) -> Request:
        """Return the status patch that follows when the CronJob is as it is given."""
        observed = ObservedCronJob.from_object(cron_job)
        report = status.report(self._observation, self._decision, observed, refusal=None, run_now=None, now=self._now)
        patch = merge_patch(self._councilor.status, status.document(report.status))
        path = councilor_path(self._councilor.namespace, self._councilor.name, "status")
        body: Object = {"metadata": {"resourceVersion": self._councilor.resource_version}, "status": patch}
        return Request("PATCH", f"{path}?fieldManager={FIELD_MANAGER}", body, MERGE_PATCH)


def _prompt(begin: str) -> str:
    text = begin + " Report what is missing, what is wrong and what to do first, with file and line." * 20
    return text[:PROMPT_CHARACTERS]
