"""Telling people: which outcomes, over which channels.

`panel` and `toast` are the user interface of Conductor, reached through the gateway's task events. Conductor's watcher
already announces the end of every task there, but knows no verdict; so the runner posts its own event for the runs that
somebody wants to hear of, with the severity in the visible text. Every other channel is one of `channels`. A failed
delivery never fails a run: it stands, with its reason, in `notified`.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from councilor_runner import logs
from councilor_runner.contract import GATEWAY_CHANNELS, ChannelResult, Notifications, RunContract, Severity
from councilor_runner.interruption import Interruption
from councilor_runner.messages import Message, summary
from councilor_runner.records import Finished, PreviousRun
from councilor_runner.settings import Settings

if TYPE_CHECKING:
    from councilor_runner.gateway import Gateway

SECONDS = 5.0
INTERRUPTED_SECONDS = 3.0
RESULT_SUMMARY_LIMIT = 200
"""Characters the gateway keeps of `result_summary`."""


def wanted(notifications: Notifications, severity: Severity, *, recovered: bool) -> bool:
    """Whether anybody is to hear of a run with this severity; `recovered`: the first success after something else."""
    match severity:
        case "success":
            return notifications.on_success or (notifications.on_recovery and recovered)
        case "warning":
            return notifications.on_warning
        case "error":
            return notifications.on_error


def task_event(
    contract: RunContract,
    *,
    task_id: str,
    instance_id: str,
    finished: Finished,
    severity: Severity,
    recovered_from: PreviousRun | None,
) -> dict[str, object]:
    """Return the body of `POST /api/internal/task-event` (gateway e8df455).

    The gateway knows only events of tasks. An error is a `task_error` also when the agent itself ended well: only so
    does the panel show it as one.
    """
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
            "result_summary": summary(finished, severity, recovered_from, RESULT_SUMMARY_LIMIT),
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
    channels: tuple[str, ...],
    event: Mapping[str, object],
    message: Message,
    *,
    settings: Settings,
    gateway: "Gateway | None",
    interruption: Interruption,
) -> tuple[ChannelResult, ...]:
    """Try every channel, all at the same time; return what became of each, in the order of `channels`."""
    channels = tuple(dict.fromkeys(channels))
    through_gateway, others = await asyncio.gather(
        _post([channel for channel in channels if channel in GATEWAY_CHANNELS], gateway, event, interruption),
        _deliver([channel for channel in channels if channel not in GATEWAY_CHANNELS], message, settings, interruption),
    )
    reasons = through_gateway | others
    results = []
    for channel in channels:
        reason = reasons[channel]
        results.append(ChannelResult(channel=channel, delivered=reason is None, reason=reason))
        logs.info("notification", channel=channel, delivered=reason is None, detail=reason)
    return tuple(results)


async def _deliver(
    channels: list[str], message: Message, settings: Settings, interruption: Interruption
) -> dict[str, str | None]:
    if not channels:
        return {}
    from councilor_runner.channels import AddressBook, deliver

    book = AddressBook(settings.notifications_path, settings.contract.notifications.secret)
    try:
        return await deliver(channels, book, message, interruption)
    except Exception as error:
        return _not_sent(channels, error)


async def _post(
    channels: list[str], gateway: "Gateway | None", event: Mapping[str, object], interruption: Interruption
) -> dict[str, str | None]:
    if not channels:
        return {}
    reason: str | None
    if gateway is None:
        reason = "no gateway is configured: set its address in the operator's configuration"
    else:
        try:
            async with interruption.limit(SECONDS, INTERRUPTED_SECONDS):
                reason = await gateway.post_event(event)
        except TimeoutError:
            reason = "the gateway did not answer in time"
        except Exception as error:
            return _not_sent(channels, error)
    # Panel and toast are two views of the same event: posting it for each would show it twice.
    return dict.fromkeys(channels, reason)


def _not_sent(channels: list[str], error: Exception) -> dict[str, str | None]:
    # The run is recorded and counted by now: nothing that happens here may end it otherwise.
    logs.error("notifications not sent", error)
    return dict.fromkeys(channels, f"internal error ({type(error).__name__}); the runner's log tells where")
