"""Names of child objects within the limits of Kubernetes. Pure."""

import hashlib
from typing import Final

CRON_JOB_LIMIT: Final = 52
"""Characters of a CronJob's name: its Jobs add a dash and up to ten digits, and 63 is the end (Kubernetes batch/v1)."""
LABEL_LIMIT: Final = 63
"""Characters of a label value."""
_HASH_LENGTH: Final = 8
_RUN_HASH_LENGTH: Final = 9
"""With "-r" and a CronJob's 52 characters a report Job's name has 63, the most that its Pod's labels hold."""


def bounded(name: str, limit: int) -> str:
    """Return `name` if it fits, else a readable beginning and a hash of the whole, `limit` characters in all.

    The cut never leaves a dot or dash before the joining dash, which object names and label values both refuse.
    """
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: limit - _HASH_LENGTH - 1].rstrip('-.')}-{digest}"


def cron_job_name(councilor: str) -> str:
    """Return the name of the Councilor's CronJob."""
    return bounded(councilor, CRON_JOB_LIMIT)


def report_job_name(councilor: str, run_job_uid: str) -> str:
    """Return the name of the Job that records and tells a run; one for each Job that was a run.

    No run has such a name: after the dash those have digits, or hexadecimal digits when started by annotation.
    """
    return f"{cron_job_name(councilor)}-r{hashlib.sha256(run_job_uid.encode()).hexdigest()[:_RUN_HASH_LENGTH]}"


def label_value(name: str) -> str:
    """Return an object's name as a label value."""
    return bounded(name, LABEL_LIMIT)
