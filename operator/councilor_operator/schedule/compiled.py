"""The schedule of a Councilor, compiled: what is written to its CronJob, and when that comes due.

Entry of the package. Everything here is pure: the clock, the UID and the default zone are passed in; only the zone
database is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile

from councilor_operator.schedule import zones
from councilor_operator.schedule.cron import check_cron
from councilor_operator.schedule.dialect import DialectError, EveryRule, parse
from councilor_operator.schedule.finding import TYPE_FIELD, Lint, ScheduleError, Suggestion, quote
from councilor_operator.schedule.interval import check_interval, every_expression
from councilor_operator.schedule.recurrence import Recurrence

_TYPES = ("interval", "cron")


@dataclass(frozen=True, slots=True)
class CompiledSchedule:
    """A valid schedule.

    `cron_expression` and `time_zone` belong in `spec.schedule` and `spec.timeZone` of the CronJob. `interval` is set
    for `type: interval` alone, `recurrence` for `type: cron` alone. `warnings` are for the user: the schedule works.
    """

    cron_expression: str
    time_zone: str
    interval: timedelta | None
    warnings: tuple[Lint, ...]
    recurrence: Recurrence | None = field(repr=False, compare=False)


def compile_schedule(*, type: str, value: str, time_zone: str | None, default_zone: str, uid: str) -> CompiledSchedule:  # noqa: A002
    """Compile `spec.schedule` of a Councilor.

    `type` is `interval` or `cron`, `value` as in the resource, `time_zone` an IANA name or empty for `default_zone`,
    `uid` the UID of the Councilor, from which the values of `H` follow.

    Raises ScheduleError for what a CronJob would refuse, what would never come due, and forms this resource does not
    offer; ValueError if `value` holds `H` and `uid` is empty.
    """
    return _compile(type, value, time_zone or "", default_zone, uid if "H" in value else "")


@lru_cache(maxsize=1024)
def _compile(type: str, value: str, time_zone: str, default_zone: str, uid: str) -> CompiledSchedule:  # noqa: A002
    """Compile, or return what was compiled before: every pass asks, and many Councilors have the same schedule."""
    if type not in _TYPES:
        known = type.strip().lower()
        suggestion = (
            known if known in _TYPES else ("cron" if len(value.split()) > 1 or value[:1] == "@" else "interval")
        )
        raise ScheduleError(
            f"{TYPE_FIELD} {quote(type)} is not known. Write {suggestion}: the types are interval and cron.",
            Suggestion(type=suggestion),
            TYPE_FIELD,
        )
    zone, zone_warnings = zones.resolve(time_zone, default_zone)
    if type == "interval":
        interval = check_interval(value)
        return CompiledSchedule(every_expression(interval), zone.key, interval, zone_warnings, None)
    expression, rule, warnings = check_cron(value, uid)
    return CompiledSchedule(expression, zone.key, None, zone_warnings + warnings, Recurrence(rule, zone))


def compile_expression(expression: str, time_zone: str) -> CompiledSchedule:
    """Return what a CronJob with this `spec.schedule` and `spec.timeZone` does; raises ScheduleError for what the
    operator never writes."""
    zone, _ = zones.resolve(time_zone, time_zone)
    try:
        rule = parse(expression)
    except DialectError as error:
        raise ScheduleError(f"{quote(expression)} is no schedule of a CronJob") from error
    if isinstance(rule, EveryRule):
        return CompiledSchedule(expression, zone.key, timedelta(seconds=rule.seconds), (), None)
    return CompiledSchedule(expression, zone.key, None, (), Recurrence(rule, zone))


def next_times(
    compiled: CompiledSchedule, *, after: datetime, count: int, anchor: datetime | None = None
) -> list[datetime]:
    """The first `count` times due later than `after`, in UTC; fewer where none comes due within five years.

    `after` and `anchor` must be aware (ValueError). An interval counts from `anchor`, as the CronJob controller counts
    it: from the CronJob's `status.lastScheduleTime`, before the first run from its `creationTimestamp`. The anchor
    itself is never due. Without one, an interval counts from `after`. Cron expressions need no anchor.
    """
    return list(islice(_times(compiled, after, anchor), count))


def times_between(
    compiled: CompiledSchedule, *, start: datetime, end: datetime, limit: int, anchor: datetime | None = None
) -> list[datetime]:
    """The times due later than `start` and not later than `end`, in UTC: the earliest `limit` of them.

    An interval counts from `anchor`, without one from `start` (see `next_times`). As many times as `limit` mean that
    there may be more.
    """
    return list(islice(takewhile(lambda time: time <= end, _times(compiled, start, anchor)), limit))


def _times(compiled: CompiledSchedule, after: datetime, anchor: datetime | None) -> Iterator[datetime]:
    anchor = anchor or after
    if after.utcoffset() is None or anchor.utcoffset() is None:
        raise ValueError("times must carry their offset from UTC")
    if compiled.interval is not None:
        return _interval_times(compiled.interval, after.astimezone(UTC), anchor.astimezone(UTC))
    assert compiled.recurrence is not None  # noqa: S101 - a schedule is either of the two
    return _cron_times(compiled.recurrence, after)


def _interval_times(interval: timedelta, after: datetime, anchor: datetime) -> Iterator[datetime]:
    begin = anchor.replace(microsecond=0)
    time = begin + max(1, (after - begin) // interval + 1) * interval
    while True:
        yield time
        time += interval


def _cron_times(recurrence: Recurrence, after: datetime) -> Iterator[datetime]:
    time = recurrence.next(after)
    while time is not None:
        yield time
        time = recurrence.next(time)
