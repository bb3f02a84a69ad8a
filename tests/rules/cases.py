"""For each alert: series with which it fires, and series that come near and with which it does not.

Series are promtool's notation, a value each minute: `0x60` is 61 times 0, `0+60x60` rises by 60, `_x5` is nothing.
"""

from dataclasses import dataclass, field
from typing import Final

Series = dict[str, str]

UP: Final = {'councilor_operator_build_info{version="0.1.0"}': "1x200"}
NAME: Final = 'namespace="chamber",name="licences"'
LABELS: Final = {"namespace": "chamber", "name": "licences"}


@dataclass(frozen=True)
class Case:
    """`fires` at minute `at` with `labels` and `value`; `quiet` are near misses."""

    fires: Series
    quiet: tuple[Series, ...]
    labels: dict[str, str] = field(default_factory=dict)
    value: str = "1"
    at: int = 90
    also: tuple[Series, ...] = ()
    """Other series with which it fires with the same labels and value."""


def _counter(metric: str, labels: str = "") -> tuple[Series, tuple[Series, ...]]:
    """One more within the last hour; none, a higher number from long ago, a restart."""
    name = f"{metric}{{{labels}}}"
    return {name: "0x60 1x60"}, ({name: "0x200"}, {name: "0x10 7x200"}, {name: "7x60 0x60"})


def restarted(metric: str, labels: str = "", *, begins: int = 85) -> Series:
    """An operator that is gone, and its successor, which counts what happened meanwhile before it is scraped first."""
    separator = "," if labels else ""
    return {
        f'{metric}{{{labels}{separator}instance="old"}}': "0x60 stale",
        f'{metric}{{{labels}{separator}instance="new"}}': f"_x{begins} 1x100",
    }


def _condition(kind: str, status: str, reason: str) -> str:
    return f'councilor_condition{{{NAME},type="{kind}",status="{status}",reason="{reason}"}}'


MISSED = _counter("councilor_missed_runs_total")
UNKNOWN = _counter("councilor_unknown_runs_total")
RECORDS = _counter("councilor_run_record_failures_total")
REPORTS = _counter("councilor_report_jobs_total", 'result="failed"')
TOLD = _counter("councilor_notifications_total", 'outcome="failed"')
REFUSED = 'councilor_sync_write_failures_total{cause="refused"}'
FORBIDDEN = 'councilor_operator_api_requests_total{verb="list",resource="pods",code="403"}'
CREATED, RAN, SUCCEEDED = (
    f"councilor_{what}_timestamp_seconds{{{NAME}}}" for what in ("created", "last_run", "last_success")
)
INTERVAL = f"councilor_expected_interval_seconds{{{NAME}}}"
NEXT = f"councilor_next_run_timestamp_seconds{{{NAME}}}"

CASES: Final[dict[str, Case]] = {
    "CouncilorOperatorDown": Case(
        {'councilor_operator_build_info{version="0.1.0"}': "1x60 stale"},
        (UP, {'councilor_operator_build_info{version="0.1.0"}': "1x85 _x5 1x60"}),
        value="1",
    ),
    "CouncilorOperatorBlind": Case(
        {"councilor_operator_last_list_timestamp_seconds": "600x200"},
        ({"councilor_operator_last_list_timestamp_seconds": "0+60x200"},),
    ),
    "CouncilorOperatorQueueStuck": Case(
        {"councilor_operator_queue_age_seconds": "0x60 100+60x60"},
        (
            {"councilor_operator_queue_age_seconds": "59x200"},
            {"councilor_operator_queue_age_seconds": "0x88 200x2 0x60"},
        ),
    ),
    "CouncilorOperatorFailing": Case(
        {"councilor_operator_queue_backing_off": "2x200"},
        ({"councilor_operator_queue_backing_off": "0x200"}, {"councilor_operator_queue_backing_off": "0x70 2x100"}),
        value="2",
    ),
    "CouncilorOperatorForbidden": Case(
        {FORBIDDEN: "0+1x200"},
        ({FORBIDDEN: "3x200"}, {FORBIDDEN.replace("403", "200"): "0+1x200"}),
        {"verb": "list", "resource": "pods"},
    ),
    "CouncilorRunsMissed": Case(*MISSED, also=(restarted("councilor_missed_runs_total"),)),
    "CouncilorRunsStartLate": Case(
        {
            'councilor_run_start_delay_seconds_bucket{le="120"}': "0x200",
            'councilor_run_start_delay_seconds_bucket{le="300"}': "0+1x200",
            'councilor_run_start_delay_seconds_bucket{le="+Inf"}': "0+1x200",
        },
        (
            {
                'councilor_run_start_delay_seconds_bucket{le="30"}': "0+1x200",
                'councilor_run_start_delay_seconds_bucket{le="+Inf"}': "0+1x200",
            },
        ),
    ),
    "CouncilorRunRecordsFailing": Case(
        *RECORDS, at=80, also=(restarted("councilor_run_record_failures_total", begins=62),)
    ),
    "CouncilorRecordsLost": Case(
        REPORTS[0],
        (*REPORTS[1], {'councilor_report_jobs_total{result="succeeded"}': "0+1x200"}),
        also=(restarted("councilor_report_jobs_total", 'result="refused"'),),
    ),
    "CouncilorResultsUnknown": Case(*UNKNOWN, also=(restarted("councilor_unknown_runs_total"),)),
    "CouncilorNotificationsLost": Case(
        TOLD[0],
        (*TOLD[1], {'councilor_notifications_total{outcome="delivered"}': "0+1x200"}),
        also=(restarted("councilor_notifications_total", 'outcome="failed"'),),
    ),
    "CouncilorNotReady": Case(
        {_condition("Ready", "False", "InvalidSchedule"): "1x200"},
        (
            {_condition("Ready", "True", "Reconciled"): "1x200"},
            {_condition("Ready", "False", "InvalidSchedule"): "_x87 1x60"},
            {_condition("Healthy", "False", "RunFailed"): "1x200"},
        ),
        {**LABELS, "reason": "InvalidSchedule"},
    ),
    "CouncilorSuspended": Case(
        {_condition("Scheduled", "False", "Suspended"): "1x200"},
        ({_condition("Scheduled", "False", "Paused"): "1x200"},),
        LABELS,
    ),
    "CouncilorFailingRepeatedly": Case(
        {f"councilor_consecutive_failures{{{NAME}}}": "3x200"},
        (
            {f"councilor_consecutive_failures{{{NAME}}}": "1x200"},
            {f"councilor_consecutive_failures{{{NAME}}}": "0x88 2x60"},
        ),
        LABELS,
        value="3",
    ),
    "CouncilorUnhealthy": Case(
        {_condition("Healthy", "False", "RunFailed"): "1x200"},
        (
            {_condition("Healthy", "True", "RunSucceeded"): "1x200"},
            {_condition("Healthy", "Unknown", "NoRunYet"): "1x200"},
        ),
        {**LABELS, "reason": "RunFailed"},
    ),
    "CouncilorNotRunning": Case(
        {CREATED: "0x200", RAN: "60x200", INTERVAL: "600x200"},
        (
            {CREATED: "0x200", RAN: "0+60x200", INTERVAL: "600x200"},
            {CREATED: "0+60x200", INTERVAL: "600x200"},
            {CREATED: "0x200", RAN: "60x200"},  # paused: there is no interval
        ),
        LABELS,
    ),
    "CouncilorWithoutSuccess": Case(
        {CREATED: "0x200", INTERVAL: "600x200"},
        ({CREATED: "0x200", SUCCEEDED: "0+60x200", INTERVAL: "600x200"}, {CREATED: "0x200", INTERVAL: "3600x200"}),
        LABELS,
    ),
    "CouncilorStatusStale": Case(
        {NEXT: "600x200"},
        ({NEXT: "60+60x200"}, {NEXT: f"{90 * 60 - 200}x200"}),
        LABELS,
    ),
    "CouncilorSyncDown": Case(
        {'councilor_sync_build_info{version="0.1.0"}': "1x60 stale"},
        ({'councilor_sync_build_info{version="0.1.0"}': "1x200"}, UP),
    ),
    "CouncilorSyncBlind": Case(
        {"councilor_sync_last_comparison_timestamp_seconds": "600x200"},
        ({"councilor_sync_last_comparison_timestamp_seconds": "0+60x200"},),
    ),
    "CouncilorSyncIncomplete": Case(
        {REFUSED: "0+1x200"}, ({REFUSED: "4x200"}, {REFUSED.replace("refused", "conflict"): "0+1x200"})
    ),
    "CouncilorSyncHolds": Case(
        {'councilor_sync_held_councilors{reason="SourceEmpty"}': "4x200"},
        (
            {'councilor_sync_held_councilors{reason="SourceEmpty"}': "0x200"},
            {'councilor_sync_held_councilors{reason="DeletionLimit"}': "4x200"},
        ),
        {"reason": "SourceEmpty"},
        value="4",
    ),
    "CouncilorSyncNameTaken": Case(
        {"councilor_sync_collisions": "2x200"},
        ({"councilor_sync_collisions": "0x200"}, {"councilor_sync_collisions": "0x80 2x60"}),
        value="2",
    ),
}
