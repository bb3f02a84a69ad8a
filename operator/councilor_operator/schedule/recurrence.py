"""When a cron expression comes due: the search for the next time, in the wall-clock time of a zone.

Gives, second for second, what `SpecSchedule.Next` of robfig/cron v3.0.1 gives, because the CronJob controller starts
runs by it and a published next run must be the real one. Consequences for changes of the clock: a wall-clock time that
does not exist is skipped, an hour that occurs twice comes due twice, and days that do not begin at midnight behave as
they do there, oddities included (after a shift of half an hour, fixed hours are missed until the next day).

The search walks month, day, hour, minute, each step converted to wall-clock time. Where no change of the clock is
within reach, many steps are taken as one; close to a change every single step is taken, in the same order as there.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from councilor_operator.schedule.dialect import CronRule

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86400
_SEARCH_YEARS: Final = 5
# The search may look this far ahead; beyond, Python's calendar ends.
_LAST_YEAR: Final = 9990
_LONG_MONTHS: Final = frozenset({1, 3, 5, 7, 8, 10, 12})


def can_come_due(rule: CronRule) -> bool:
    """Whether any date at all fits the expression: 30 February does not, 29 February does."""
    numbered = any(
        rule.month.bits >> month & 1 and rule.day_of_month.bits & _days_of_month(month, leap=True)
        for month in range(1, 13)
    )
    # Joined by "and", one of the two day fields has a star and so allows every day: only the other one can fail.
    weekdays = rule.weekday.bits != 0
    some_day = numbered or (weekdays and rule.month.bits != 0) if rule.days_are_alternatives else numbered and weekdays
    return some_day and rule.minute.bits != 0 and rule.hour.bits != 0


def _days_of_month(month: int, *, leap: bool) -> int:
    """All days of a month, as a mask."""
    if month == 2:
        return 0x3FFFFFFE if leap else 0x1FFFFFFE
    return 0xFFFFFFFE if month in _LONG_MONTHS else 0x7FFFFFFE


@lru_cache(maxsize=7 * 128)
def _weekday_mask(weekdays: int, first: int) -> int:
    """Those of the days 1 to 31 that fall on the given weekdays, as a mask, in a month that begins on weekday
    `first` (0 is Sunday)."""
    return sum((weekdays >> (first + day - 1) % 7 & 1) << day for day in range(1, 32))


class Recurrence:
    """The times of one expression in one zone. Immutable."""

    def __init__(self, rule: CronRule, zone: ZoneInfo) -> None:
        self._rule = rule
        self._zone = zone

    def next(self, after: datetime) -> datetime | None:
        """The first time due later than `after` (aware), in UTC.

        None when nothing comes due within five calendar years, as for 30 February, or beyond the year 9990.
        """
        if after.year > _LAST_YEAR:
            return None
        if self._zone.key == "UTC":
            return self._next_in_utc(after.astimezone(UTC))
        search = _Search(self, self._rule, self._zone, (after - _EPOCH) // timedelta(seconds=1) + 1)
        last_year = search.local.year + _SEARCH_YEARS
        while search.local.year <= last_year:
            if (
                search.find_month()
                and search.find_day()
                and search.find_hour()
                and search.find_minute()
                and search.find_second()
            ):
                return search.local.astimezone(UTC)
        return None

    def _next_in_utc(self, after: datetime) -> datetime | None:
        """The same where no clock ever changes: one look at each field instead of a search."""
        begin = after.replace(microsecond=0) + timedelta(seconds=1)
        last_year = begin.year + _SEARCH_YEARS
        if begin.second:
            begin += timedelta(seconds=60 - begin.second)
        year, month, day, hour, minute = begin.year, begin.month, begin.day, begin.hour, begin.minute
        rule = self._rule
        while year <= last_year:
            if not rule.month.bits >> month & 1 or not self.days(year, month) >> day:
                year, month = (year, month + 1) if month < 12 else (year + 1, 1)
                day, hour, minute = 1, 0, 0
            elif following := _lowest_above(self.days(year, month), day - 1, 32) - day:
                day, hour, minute = day + following, 0, 0
            elif not rule.hour.bits >> hour:
                day, hour, minute = day + 1, 0, 0
            elif following := _lowest_above(rule.hour.bits, hour - 1, 24) - hour:
                hour, minute = hour + following, 0
            elif not rule.minute.bits >> minute:
                hour, minute = hour + 1, 0
            else:
                return datetime(year, month, day, hour, _lowest_above(rule.minute.bits, minute - 1, 60), tzinfo=UTC)
        return None

    def days(self, year: int, month: int) -> int:
        """The days of a month that match, as a mask."""
        first = date(year, month, 1).isoweekday() % 7
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        numbers, weekdays = self._rule.day_of_month.bits, _weekday_mask(self._rule.weekday.bits, first)
        matching = numbers | weekdays if self._rule.days_are_alternatives else numbers & weekdays
        return matching & _days_of_month(month, leap=leap)


class _Search:
    """One search: an instant (Unix seconds) with its wall-clock reading.

    Each `find_...` moves on until its field matches and returns True; it returns False when that wrapped into the next
    larger unit, whose field must then be looked at again.
    """

    def __init__(self, recurrence: Recurrence, rule: CronRule, zone: ZoneInfo, unix: int) -> None:
        self._recurrence = recurrence
        self._rule = rule
        self._zone = zone
        # Until the first move the smaller fields are those of the start; from then on they are at their beginning.
        self._moved = False
        self._set_instant(unix)

    def _set_instant(self, unix: int) -> None:
        self._unix = unix
        self.local = datetime.fromtimestamp(unix, self._zone)

    def _set_wall_clock(self, day: int, second: int) -> None:
        """Go to a wall-clock time, given as ordinal day and second of the day.

        For times that do not exist or occur twice, the choice is that of Go's `time.Date`: the offset in force at the
        instant which the offset in force at the wall-clock time, read as UTC, leads to.
        """
        wall = (day - _EPOCH_DAY) * _DAY + second
        offset = _offset(datetime.fromtimestamp(wall, self._zone))
        self._set_instant(wall - offset)
        settled = _offset(self.local)
        if settled != offset:
            self._set_instant(wall - settled)

    def _leap(self, count: int, unit: int) -> None:
        """Go `count` units of elapsed time ahead, or only one when the clock changes on the way."""
        unix, offset = self._unix, self.local.utcoffset()
        self._set_instant(unix + count * unit)
        if count > 1 and self.local.utcoffset() != offset:
            self._set_instant(unix + unit)

    def find_month(self) -> bool:
        months = self._rule.month.bits
        while not months >> self.local.month & 1:
            local = self.local
            if not self._moved:
                self._moved = True
                self._set_wall_clock(local.toordinal() - local.day + 1, 0)
                local = self.local
            following = _lowest_above(months, local.month, 13)
            if not self._is_plain_midnight() or local.day != 1:
                following = local.month + 1
            else:
                here, there = local.toordinal(), _first_of_month(local.year, following)
                if any(
                    here < day <= there and date.fromordinal(day).day == 1 for day in _late_days(self._zone, local.year)
                ):
                    following = local.month + 1
            self._set_wall_clock(_first_of_month(local.year, following) + local.day - 1, _second_of_day(local))
            if self.local.month == 1:
                return False
        return True

    def find_day(self) -> bool:
        while True:
            local = self.local
            days = self._recurrence.days(local.year, local.month)
            if days >> local.day & 1:
                return True
            if not self._moved:
                self._moved = True
                self._set_wall_clock(local.toordinal(), 0)
                local = self.local
            here = local.toordinal()
            there = here + 1
            if self._is_plain_midnight():
                length = _first_of_month(local.year, local.month + 1) - here + local.day - 1
                there = here - local.day + _lowest_above(days, local.day, length + 1)
                if any(here < day <= there for day in _late_days(self._zone, local.year)):
                    there = here + 1
            begin = self._unix
            self._step_to_day(there, _second_of_day(local))
            if self._unix <= begin:
                # A whole day was skipped (Kwajalein, 21 August 1993). There the search never ends; here it goes on.
                self._step_to_day(there + 1, 0)
            if self.local.day == 1:
                return False

    def _step_to_day(self, day: int, second: int) -> None:
        self._set_wall_clock(day, second)
        if (hour := self.local.hour) != 0:
            self._set_instant(self._unix + 3600 * (24 - hour if hour > 12 else -hour))

    def find_hour(self) -> bool:
        hours = self._rule.hour.bits
        while not hours >> self.local.hour & 1:
            if not self._moved:
                self._moved = True
                self._set_wall_clock(self.local.toordinal(), self.local.hour * 3600)
            hour = self.local.hour
            self._leap(_lowest_above(hours, hour, 24) - hour, 3600)
            if self.local.hour == 0:
                return False
        return True

    def find_minute(self) -> bool:
        minutes = self._rule.minute.bits
        while not minutes >> self.local.minute & 1:
            if not self._moved:
                self._moved = True
                self._set_instant(self._unix - self._unix % 60)
            minute = self.local.minute
            self._leap(_lowest_above(minutes, minute, 60) - minute, 60)
            if self.local.minute == 0:
                return False
        return True

    def find_second(self) -> bool:
        if self.local.second == 0:
            return True
        self._moved = True
        self._set_instant(self._unix + 60 - self.local.second)
        return False

    def _is_plain_midnight(self) -> bool:
        return self.local.hour == self.local.minute == self.local.second == 0


def _lowest_above(bits: int, position: int, otherwise: int) -> int:
    """The lowest set bit above a position, `otherwise` when there is none below that."""
    higher = bits >> (position + 1)
    return min(position + (higher & -higher).bit_length(), otherwise) if higher else otherwise


def _offset(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None  # noqa: S101 - every reading carries its zone
    return offset.days * _DAY + offset.seconds


def _second_of_day(local: datetime) -> int:
    return local.hour * 3600 + local.minute * 60 + local.second


def _first_of_month(year: int, month: int) -> int:
    """The ordinal day of the first of a month; month 13 is the next January."""
    return date(year + 1, 1, 1).toordinal() if month > 12 else date(year, month, 1).toordinal()


@lru_cache(maxsize=4096)
def _late_days(zone: ZoneInfo, year: int) -> tuple[int, ...]:
    """The days of a year, and the New Year's Day after it, on which midnight does not exist (ordinal days)."""
    first, last = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
    late = []
    for day in range(first, last + 1):
        midnight = datetime.combine(date.fromordinal(day), datetime.min.time(), zone)
        # In a gap, fold 0 reads the clock before the change and fold 1 the one after, which is ahead.
        if _offset(midnight.replace(fold=1)) > _offset(midnight):
            late.append(day)
    return tuple(late)
