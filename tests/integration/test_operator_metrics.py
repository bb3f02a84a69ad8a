"""What a running operator tells Prometheus and the kubelet, through the life of a Councilor and of the API server."""

import platform
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from councilor_operator import __version__
from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import Account
from tests.controlplane.api import COUNCILORS, Api, eventually
from tests.controlplane.councilor import Councilor, limit_to_none
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port


class Scraped:
    """An operator that watches these namespaces alone, and its /metrics."""

    def __init__(self, account: Account, folder: Path, *namespaces: str) -> None:
        self.process = OperatorProcess(
            account.kubeconfig,
            folder / "operator.log",
            health_port=free_port(),
            COUNCILOR_METRICS_PORT=str(free_port()),
            COUNCILOR_NAMESPACES=",".join(namespaces),
            COUNCILOR_RESYNC_SECONDS="5",
        )

    def value(self, metric: str, /, **labels: str) -> float | None:
        """Return a sample now, None if there is none."""
        return self.process.sample(metric, **labels)

    def of(self, metric: str, councilor: Councilor, **labels: str) -> float | None:
        """Return a sample of a Councilor now."""
        return self.value(metric, namespace=councilor.namespace, name=councilor.name, **labels)

    def wait_for(self, expected: float, metric: str, **labels: str) -> None:
        """Wait until a sample has a value."""
        eventually(lambda: self.value(metric, **labels) == expected, f"{metric} {labels} is {expected}")


@pytest.fixture
def full(api: Api, namespace: str) -> str:
    """A namespace without room for Jobs."""
    name = api.make_namespace(f"{namespace}-full")
    limit_to_none(api, name, "count/jobs.batch")
    return name


@pytest.fixture
def scraped(operator_account: Account, tmp_path: Path, namespace: str, full: str) -> Iterator[Scraped]:
    """The operator, started."""
    operator = Scraped(operator_account, tmp_path, namespace, full)
    with operator.process.alive():
        yield operator


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_the_life_of_a_councilor(
    api: Api, namespace: str, full: str, control_plane: ControlPlane, scraped: Scraped
) -> None:
    build = {"version": __version__, "python_version": platform.python_version()}
    assert scraped.value("councilor_operator_build_info", **build) == 1
    assert scraped.value("councilor_operator_councilors", phase="Scheduled") == 0

    # Created.
    hourly = {"type": "interval", "value": "1h"}
    councilor = Councilor.create(api, namespace, "hourly", schedule=hourly)
    scraped.wait_for(1, "councilor_operator_councilors", phase="Scheduled")
    status = councilor.status
    assert scraped.of("councilor_next_run_timestamp_seconds", councilor) == seconds(status["nextRunTimes"][0])
    assert scraped.of("councilor_expected_interval_seconds", councilor) == 3600
    assert scraped.of("councilor_last_run_timestamp_seconds", councilor) is None
    for kind, holds, reason in (
        ("Ready", "True", "Reconciled"),
        ("Scheduled", "True", "Active"),
        ("Healthy", "Unknown", "NoRunYet"),
    ):
        assert scraped.of("councilor_condition", councilor, type=kind, status=holds, reason=reason) == 1
    created = {"verb": "patch", "resource": "cronjobs", "code": "201"}
    assert scraped.value("councilor_operator_api_requests_total", **created) == 1
    # Its next time is an hour away: nothing else changes by itself.
    scraped.wait_for(1, "councilor_operator_reconciles_total", result="changed")
    assert (scraped.value("councilor_operator_watch_events_total", resource="councilors") or 0) >= 1

    # Run by schedule.
    job = councilor.fire()
    pods.start(api, job)
    scraped.wait_for(1, "councilor_operator_councilors", phase="Running")
    pods.finish(api, job, pods.report_of(job, councilor.get()))
    last = councilor.wait_for_runs(1)["lastRun"]
    completed = {"status": "completed", "severity": "success", "trigger": "scheduled"}
    scraped.wait_for(1, "councilor_runs_total", **completed)
    assert scraped.of("councilor_last_run_timestamp_seconds", councilor) == seconds(last["completedAt"])
    assert scraped.of("councilor_last_success_timestamp_seconds", councilor) == seconds(last["completedAt"])
    assert scraped.of("councilor_last_run_result", councilor, result="success") == 1
    scraped.wait_for(2, "councilor_run_duration_seconds_sum")
    scraped.wait_for(1, "councilor_run_start_delay_seconds_count")
    # The annotation of the Job has the exact time: its name, cut to the minute, would add up to a minute more.
    delay = scraped.value("councilor_run_start_delay_seconds_sum")
    exact = seconds(job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"])
    assert delay == max(0, seconds(last["startedAt"]) - exact)

    # Failed, by hand.
    failing = councilor.run_by_hand(control_plane, "hourly-by-hand")
    pods.start(api, failing)
    report = pods.report_of(
        failing, councilor.get(), status="error", severity="error", reason=Reason.AGENT_FAILED, exit_code=10
    )
    pods.finish(api, failing, report)
    scraped.wait_for(1, "councilor_runs_total", status="error", severity="error", trigger="manual")
    assert scraped.of("councilor_consecutive_failures", councilor) == 1
    assert scraped.of("councilor_last_run_result", councilor, result="failed") == 1
    assert scraped.of("councilor_last_run_result", councilor, result="success") is None
    assert scraped.of("councilor_condition", councilor, type="Healthy", status="False", reason="RunFailed") == 1
    assert scraped.of("councilor_last_success_timestamp_seconds", councilor) == seconds(last["completedAt"])

    # Missed: a minute after its first time, which comes in a second or two, that has passed for good.
    prevented = Councilor.create(api, full, "prevented", schedule=hourly)
    prevented.make_due()
    prevented.wait_for_condition("Healthy", "False", "RunMissed", seconds=120)
    scraped.wait_for(1, "councilor_missed_runs_total")
    assert prevented.status["stats"]["missed"] == 1
    eventually(lambda: "RunMissed" in prevented.event_reasons(), "the event about the missed run")
    assert scraped.of("councilor_condition", prevented, type="Healthy", status="False", reason="RunMissed") == 1

    # Deleted: the Councilor's own series go, what was counted stays.
    for item in (councilor, prevented):
        api.delete(COUNCILORS, item.namespace, item.name)
    eventually(lambda: 'name="' not in scraped.process.metrics(), "no series of a Councilor is left")
    assert scraped.value("councilor_operator_councilors", phase="Scheduled") == 0
    assert scraped.value("councilor_runs_total", **completed) == 1


def test_the_health_of_the_process(api: Api, namespace: str, control_plane: ControlPlane, scraped: Scraped) -> None:
    process = scraped.process
    assert process.probe("/healthz").text == "ok"
    assert process.probe("/readyz").text == "ok"
    assert "[+]lists ok" in process.probe("/healthz?verbose").text

    control_plane.kill("apiserver")
    try:
        sick = eventually(
            lambda: answer if (answer := process.probe("/healthz")).status_code != 200 else None,
            "the operator notices that the API server is gone",
        )
        assert sick.status_code == 503
        assert "[-]lists failed: no full list since" in sick.text
        assert "[+]queue ok" in sick.text
        assert (scraped.value("councilor_operator_list_failures_total") or 0) >= 1
    finally:
        control_plane.restart("apiserver")

    eventually(lambda: process.probe("/healthz").status_code == 200, "the operator is healthy again")
    Councilor.create(api, namespace, "after")
    scraped.wait_for(1, "councilor_operator_councilors", phase="Scheduled")
