"""Cron expressions: `schedule.value` where `schedule.type` is `cron`."""

from councilor_operator.schedule import caution, refusal, spread
from councilor_operator.schedule.dialect import CronRule, DialectError, parse, split_fields
from councilor_operator.schedule.finding import Lint
from councilor_operator.schedule.recurrence import can_come_due


def check_cron(value: str, uid: str) -> tuple[str, CronRule, tuple[Lint, ...]]:
    """The expression for the CronJob (one blank between fields, `H` resolved), its rule, and what is odd about it.

    Raises ScheduleError for what a CronJob refuses, for `@every` (an interval, not cron) and for what never comes due.
    """
    refusal.refuse_text(value)
    fields = split_fields(value)
    expression = " ".join(fields)
    if spread.holds_spread(expression):
        expression = spread.resolve(expression, uid)
    try:
        rule = parse(expression)
    except DialectError as error:
        raise refusal.dialect_refusal(error, fields) from error
    assert isinstance(rule, CronRule)  # noqa: S101 - @every was refused above
    if not can_come_due(rule):
        raise refusal.never_refusal(fields, rule)
    if expression.startswith("@"):
        return expression, rule, ()
    return expression, rule, caution.cautions(fields, rule)
