"""Every Job that ever was, noted from a watch of our own: what the operator counts is held against it.

kubectl's watch (Kubernetes 1.36, `--output-watch-events`) begins with all Jobs that exist. One that ends with its API
server is begun again: a Job stays for minutes after its end, so none comes and goes in between.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self

from councilor_operator.constants import (
    ANNOTATION_SCHEDULED_AT,
    LABEL_COUNCILOR,
    LABEL_MANAGED_BY,
    LABEL_PURPOSE,
    MANAGED_BY,
    PURPOSE_REPORT,
)
from councilor_operator.observed import parse_time
from hack.demo.cluster import Cluster

_AGAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A Job as last seen."""

    uid: str
    name: str
    councilor: str
    reports: bool
    """Whether it is a report about a run, not a run."""
    scheduled_at: datetime | None
    """To the second, as the CronJob controller notes it."""
    created_at: datetime
    outcome: Literal["Complete", "Failed"] | None = None
    ended_at: datetime | None = None
    failed_pods: int = 0
    gone_at: datetime | None = None
    """When its deletion was seen."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Make it from an API object."""
        metadata, status = body["metadata"], body.get("status", {})
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        created_at = parse_time(metadata["creationTimestamp"])
        if created_at is None:
            raise ValueError("a Job without a time of creation")
        job = cls(
            uid=metadata["uid"],
            name=metadata["name"],
            councilor=labels.get(LABEL_COUNCILOR, ""),
            reports=labels.get(LABEL_PURPOSE) == PURPOSE_REPORT,
            scheduled_at=parse_time(annotations.get(ANNOTATION_SCHEDULED_AT)),
            created_at=created_at,
            failed_pods=status.get("failed", 0),
        )
        for condition in status.get("conditions") or ():
            if condition["status"] == "True" and condition["type"] in {"Complete", "Failed"}:
                job = replace(job, outcome=condition["type"], ended_at=parse_time(condition["lastTransitionTime"]))
        return job


class Witness:
    """Watches the Jobs of a namespace. A context manager: kubectl ends with it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._command, self._environment = cluster.watch_command(
            *("get", "jobs", "-n", namespace, "-l", f"{LABEL_MANAGED_BY}={MANAGED_BY}"),
            *("--watch", "--output-watch-events", "-o", "json"),
        )
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, name="job-watch", daemon=True)

    @property
    def runs(self) -> list[Job]:
        """All Jobs that are or were runs."""
        with self._lock:
            return [job for job in self._jobs.values() if not job.reports]

    @property
    def reports(self) -> list[Job]:
        """All Jobs that report on a run, or did."""
        with self._lock:
            return [job for job in self._jobs.values() if job.reports]

    def note(self, kind: str, body: Mapping[str, Any], now: datetime) -> None:
        """Take note of a watch event."""
        job = Job.read(body)
        with self._lock:
            before = self._jobs.get(job.uid)
            # The last word of a Job that was deleted while it ran has no end; what was seen stays.
            if before is not None and before.outcome is not None and job.outcome is None:
                job = replace(job, outcome=before.outcome, ended_at=before.ended_at)
            self._jobs[job.uid] = replace(job, gone_at=now) if kind == "DELETED" else job

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(10)

    def _follow(self) -> None:
        while not self._ended.is_set():
            with subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            ) as process:
                self._process = process
                if self._ended.is_set():
                    process.terminate()
                if process.stdout is not None:
                    self._listen(process)
            self._ended.wait(_AGAIN_SECONDS)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:  # an event in each, without indentation
                event = json.loads(line)
                if event["object"].get("kind") == "Job":
                    self.note(event["type"], event["object"], datetime.now(UTC))
        except json.JSONDecodeError:  # cut off in the middle: the next watch tells again
            process.terminate()
