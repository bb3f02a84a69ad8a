"""Telling people: which outcomes, over which channels, in which words.

`panel` and `toast` are the user interface of Conductor, reached through the gateway's task events. Conductor's watcher
already announces the end of every task there, but knows no verdict; so the runner posts its own event for the runs that
somebody wants to hear of, with the severity in the visible text. A failed delivery never fails a run: it stands, with
its reason, in `notified`.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from councilor_runner import logs
from councilor_runner.contract import ChannelResult, Notifications, RunContract, Severity
from councilor_runner.legible import legible
from councilor_runner.records import Finished

if TYPE_CHECKING:
    from councilor_runner.gateway import Gateway

SECONDS = 5.0
RESULT_SUMMARY_LIMIT = 200
"""Characters the gateway keeps of `result_summary`."""
_UNAVAILABLE = "this channel is not available yet: use panel or toast"
_GATEWAY_CHANNELS = ("panel", "toast")


def wanted(notifications: Notifications, severity: Severity, *, recovered: bool) -> bool:
    """Whether anybody is to hear of a run with this severity; `recovered`: the first success after something else."""
    match severity:
        case "success":
            return notifications.on_success or (notifications.on_recovery and recovered)
        case "warning":
            return notifications.on_warning
        case "error":
            return notifications.on_error


def summarise(text: str | None, limit: int) -> str | None:
    """Return the beginning of a text on one line, at most `limit` characters; None when there is nothing to show."""
    # Enough of the text for any limit, so that an answer of megabytes is not split as a whole.
    line = " ".join(legible((text or "")[: limit * 20]).split())
    if not line:
        return None
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def task_event(
    contract: RunContract, *, task_id: str, instance_id: str, finished: Finished, severity: Severity, recovered: bool
) -> dict[str, object]:
    """Return the body of `POST /api/internal/task-event` (gateway e8df455).

    The gateway knows only events of tasks. An error is a `task_error` also when the agent itself ended well: only so
    does the panel show it as one.
    """
    verdict = "RECOVERED" if recovered else severity.upper()
    words = summarise(finished.outcome.text, RESULT_SUMMARY_LIMIT) or ""
    if finished.outcome.status == "error":
        words = finished.outcome.message or words
    failed = severity == "error"
    return {
        "type": "task_error" if failed else "task_completed",
        "data": {
            "task_id": task_id,
            "agent_id": contract.agent.id,
            "agent_name": contract.councilor.title or contract.agent.display_name or contract.councilor.name,
            "agent_emoji": contract.councilor.emoji,
            "instance_id": instance_id,
            "status": "error" if failed else "completed",
            "severity": severity,
            "duration_ms": finished.duration_ms,
            "exit_code": finished.outcome.agent_exit_code,
            "result_summary": summarise(f"{verdict}: {words}", RESULT_SUMMARY_LIMIT),
            "timestamp": finished.completed_at.isoformat(),
        },
    }


def remaining(channels: tuple[str, ...], told: tuple[ChannelResult, ...]) -> tuple[str, ...]:
    """Return the channels that nothing was delivered to yet."""
    delivered = {result.channel for result in told if result.delivered}
    return tuple(channel for channel in channels if channel not in delivered)


def merge(earlier: tuple[ChannelResult, ...], later: tuple[ChannelResult, ...]) -> tuple[ChannelResult, ...]:
    """Return one result for each channel, in the order in which they were first tried; the later one counts."""
    return tuple({result.channel: result for result in earlier + later}.values())


async def notify(
    channels: tuple[str, ...], gateway: "Gateway | None", event: Mapping[str, object]
) -> tuple[ChannelResult, ...]:
    """Try every channel; return what became of each, in the order of `channels`."""
    through_gateway = await _post(gateway, event) if set(channels) & set(_GATEWAY_CHANNELS) else None
    results = []
    for channel in dict.fromkeys(channels):
        reason = through_gateway if channel in _GATEWAY_CHANNELS else _UNAVAILABLE
        results.append(ChannelResult(channel=channel, delivered=reason is None, reason=reason))
        logs.info("notification", channel=channel, delivered=reason is None, detail=reason)
    return tuple(results)


async def _post(gateway: "Gateway | None", event: Mapping[str, object]) -> str | None:
    # Panel and toast are two views of the same event: posting it for each would show it twice.
    if gateway is None:
        return "no gateway is configured: set its address in the operator's configuration"
    try:
        async with asyncio.timeout(SECONDS):
            return await gateway.post_event(event)
    except TimeoutError:
        return f"the gateway did not answer within {SECONDS:g} s"
