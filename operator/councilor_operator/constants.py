"""Names the whole operator agrees on: API group, labels, annotations, condition types and reasons.

The lowest layer: imports nothing of the project.
"""

from enum import StrEnum
from typing import Final

GROUP: Final = "councilors.conductor.community"
VERSION: Final = "v1alpha1"
PLURAL: Final = "councilors"
KIND: Final = "Councilor"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FIELD_MANAGER: Final = "councilor-operator"
"""Server-side apply: owner of the fields that the operator sets."""
REPORTING_CONTROLLER: Final = "conductor.community/councilor-operator"

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "councilor-operator"
LABEL_NAME: Final = "app.kubernetes.io/name"
RUNNER_APP: Final = "councilor-runner"
LABEL_COUNCILOR_UID: Final = "conductor.community/councilor-uid"
LABEL_COUNCILOR: Final = "conductor.community/councilor"
LABEL_PURPOSE: Final = "conductor.community/purpose"
PURPOSE_REPORT: Final = "report"
"""Tells a Job that records and tells a run from the Jobs that are runs."""
ANNOTATION_COUNCILOR: Final = "conductor.community/councilor"
ANNOTATION_AGENT: Final = "conductor.community/agent-id"
ANNOTATION_INPUT_HASH: Final = "conductor.community/input-hash"
ANNOTATION_INSTANCE: Final = "conductor.community/instance-id"
"""Set by the sync: the document of agent_instances that the Councilor stands for."""
LABEL_SOURCE: Final = "conductor.community/source"
SOURCE_MONGODB: Final = "mongodb"
"""Marks the Councilors that the sync makes from documents and keeps equal to them."""
ANNOTATION_DOCUMENT: Final = "conductor.community/document"
"""Set by the sync: collection and id of the document that the Councilor stands for, `agents/LicenseAuditor_Agent`."""
ANNOTATION_DOCUMENT_PROBLEM: Final = "conductor.community/document-problem"
"""Set by the sync: why the document cannot be carried out, with its field; the operator refuses the Councilor."""
ANNOTATION_DOCUMENT_NOTE: Final = "conductor.community/document-note"
"""Set by the sync: what is odd about the document, or was read otherwise than Conductor reads it."""
ANNOTATION_RUN_NOW: Final = "conductor.community/run-now"
"""Set by users: a new value starts one run."""
ANNOTATION_FAST_FORWARD: Final = "conductor.community/fast-forwarded-to"
"""On a CronJob: the time up to which the operator wrote off what had passed."""
ANNOTATION_INSTANTIATE: Final = "cronjob.kubernetes.io/instantiate"
"""Set by `kubectl create job --from`, and by us: `manual`."""
ANNOTATION_SCHEDULED_AT: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
LABEL_JOB_NAME: Final = "batch.kubernetes.io/job-name"
LABEL_CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"


class ConditionType(StrEnum):
    """The conditions of a Councilor."""

    READY = "Ready"
    """The CronJob is as specified."""
    SCHEDULED = "Scheduled"
    """Runs will come."""
    HEALTHY = "Healthy"
    """How the last run went."""


class ConditionReason(StrEnum):
    """Why a condition has its status; stable words that alerts and scripts may rely on."""

    RECONCILED = "Reconciled"
    INVALID_SPEC = "InvalidSpec"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_DOCUMENT = "InvalidDocument"
    WORKING_DIRECTORY_MISSING = "WorkingDirectoryMissing"
    NAME_CONFLICT = "NameConflict"
    CRON_JOB_REFUSED = "CronJobRefused"
    ACTIVE = "Active"
    PAUSED = "Paused"
    SUSPENDED = "Suspended"
    NO_RUN_YET = "NoRunYet"
    RUN_SUCCEEDED = "RunSucceeded"
    RUN_FAILED = "RunFailed"
    RUN_SKIPPED = "RunSkipped"
    RUNNER_CANNOT_START = "RunnerCannotStart"
    RUN_MISSED = "RunMissed"
    RECORD_FAILED = "RecordFailed"
    RESULT_UNKNOWN = "ResultUnknown"
