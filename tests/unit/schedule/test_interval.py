"""Intervals: the accepted form and its `@every`, and the advice for everything else."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.schedule.dialect import EveryRule, parse
from councilor_operator.schedule.finding import MESSAGE_LIMIT, ScheduleError, Suggestion
from councilor_operator.schedule.interval import MAX_INTERVAL, check_interval, every_expression


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("1m", "@every 1m"),
        ("45m", "@every 45m"),
        ("60m", "@every 1h"),
        ("90m", "@every 90m"),
        ("1h", "@every 1h"),
        ("7h", "@every 7h"),
        ("1d", "@every 24h"),
        ("2d", "@every 48h"),
        ("3650d", "@every 87600h"),
        (" 45m\n", "@every 45m"),
    ],
)
def test_accepted(value: str, expression: str) -> None:
    interval = check_interval(value)
    assert every_expression(interval) == expression
    assert parse(expression) == EveryRule(int(interval.total_seconds()))


@given(st.integers(1, 10**7), st.sampled_from("mhd"))
def test_the_every_has_the_length_of_the_interval(number: int, unit: str) -> None:
    try:
        interval = check_interval(f"{number}{unit}")
    except ScheduleError:
        assert timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[unit]: number}) > MAX_INTERVAL
    else:
        assert parse(every_expression(interval)) == EveryRule(int(interval.total_seconds()))


REFUSED = [
    ("", "1h", "empty"),
    ("0m", "1m", "shorter than one minute"),
    ("30s", "1m", "shorter than one minute"),
    ("90s", "2m", "whole number"),
    ("120s", "2m", "whole number"),
    ("1.5h", "90m", "whole number"),
    ("1h30m", "90m", "whole number"),
    ("1d12h", "36h", "whole number"),
    ("007h", "7h", "whole number"),
    ("5M", "5m", "whole number"),
    ("5 m", "5m", "whole number"),
    ("5min", "5m", "whole number"),
    ("2 hours", "2h", "whole number"),
    ("2w", "14d", "whole number"),
    ("-5m", "5m", "whole number"),
    ("+5m", "5m", "whole number"),
    ("P1D", "1d", "whole number"),
    ("PT45M", "45m", "whole number"),
    ("\u0663m", "3m", "whole number"),
    ("\uff13m", "3m", "whole number"),
    ("1440m0s", "1d", "whole number"),
    ("5", "5m", "no unit"),
    ("060", "1h", "no unit"),
    ("@every 45m", "45m", "without @every"),
    ("@every 30s", "1m", "without @every"),
    ("@every", "1h", "without @every"),
    ("3651d", "3650d", "too long"),
    ("999999d", "3650d", "too long"),
    ("9" * 5000 + "h", "3650d", "too long"),
    ("0", None, "not an interval"),
    ("1mo", None, "not an interval"),
    ("1,5h", None, "not an interval"),
    ("abc", None, "not an interval"),
    ("m", None, "not an interval"),
    ("x" * 100_000, None, "not an interval"),
]


@pytest.mark.parametrize(("value", "advice", "reason"), REFUSED)
def test_refused(value: str, advice: str | None, reason: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        check_interval(value)
    error = caught.value
    assert error.field == "schedule.value"
    assert reason in error.message
    assert len(error.message) <= MESSAGE_LIMIT
    assert error.suggestion == (None if advice is None else Suggestion(value=advice))
    if advice is not None:
        assert check_interval(advice)


@pytest.mark.parametrize("value", ["*/5 * * * *", "0 9 * * MON-FRI", "@daily", "H H * * *"])
def test_cron_in_the_wrong_type(value: str) -> None:
    with pytest.raises(ScheduleError, match=r"Write type: cron\.") as caught:
        check_interval(value)
    assert caught.value.suggestion == Suggestion(type="cron")


@given(st.one_of(st.text(max_size=40), st.text("0123456789.hmsdwun +-PT@every*", max_size=40)))
def test_any_text_is_an_interval_or_refused(value: str) -> None:
    message, suggestion = "", None
    try:
        assert timedelta(minutes=1) <= check_interval(value) <= MAX_INTERVAL
    except ScheduleError as error:
        message, suggestion = error.message, error.suggestion
    assert len(message) <= MESSAGE_LIMIT
    assert message.isprintable()
    if suggestion is not None and suggestion.value is not None:
        assert check_interval(suggestion.value)
