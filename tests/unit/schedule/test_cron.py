"""Cron expressions as users write them: refusals with advice, cautions, and what is passed on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_operator.schedule.cron import check_cron
from councilor_operator.schedule.finding import MESSAGE_LIMIT, ScheduleError, Suggestion
from councilor_operator.schedule.interval import check_interval

UID = "6a2f41a3-c54c-4a83-8d2f-1d0d3c2f8f6b"


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("0 9 * * *", "0 9 * * *"),
        ("  0\t9  *\u00a0* *\n", "0 9 * * *"),
        ("0 9 *\n* *", "0 9 * * *"),
        ("00 09 * * MON-fri", "00 09 * * MON-fri"),
        ("*/15 8-18/2 1,15 jan-jun *", "*/15 8-18/2 1,15 jan-jun *"),
        ("@daily", "@daily"),
        (" @hourly\n", "@hourly"),
        ("H H * * *", "33 9 * * *"),
        ("0 9 29 2 MON", "0 9 29 2 MON"),
        ("* * * * *", "* * * * *"),
        ("0 9 28 2 *", "0 9 28 2 *"),
    ],
)
def test_accepted(value: str, expression: str) -> None:
    assert check_cron(value, UID)[0] == expression


# Value, what to write instead (None: there is no telling), words that the message must hold.
REFUSED = [
    # Sunday as 7
    ("0 9 * * 7", "0 9 * * 0", "SUN"),
    ("0 9 * * 5-7", "0 9 * * 5-6,0", "SUN"),
    ("0 9 * * 0-7", "0 9 * * *", "SUN"),
    ("0 9 * * 1-7", "0 9 * * *", "SUN"),
    ("0 9 * * 1,7", "0 9 * * 0-1", "SUN"),
    ("0 9 * * 7/2", "0 9 * * 0,2,4,6", "SUN"),
    ("H H * * 7", "H H * * 0", "SUN"),
    ("0 9 * * 8", None, "0-6"),
    # ranges that wrap around
    ("0 22-2 * * *", "0 22-23,0-2 * * *", "backwards"),
    ("0 22-2/2 * * *", "0 0,2,22 * * *", "backwards"),
    ("50-10 * * * *", "50-59,0-10 * * * *", "backwards"),
    ("0 9 25-5 * *", "0 9 25-31,1-5 * *", "backwards"),
    ("0 9 * nov-feb *", "0 9 * NOV-DEC,JAN-FEB *", "backwards"),
    ("0 9 * * FRI-MON", "0 9 * * FRI-SAT,SUN-MON", "backwards"),
    ("0 9 * * 6-1", "0 9 * * 6,0-1", "backwards"),
    # number of fields
    ("0 0 9 * * *", "0 9 * * *", "6 fields, a CronJob takes five: drop the first field, the seconds"),
    ("*/30 * * * * *", "* * * * *", "the seconds"),
    ("0 0 9 * * 1-5", "0 9 * * 1-5", "the seconds"),
    ("0 0 9 ? * 2-6", "0 9 * * MON-FRI", "the seconds"),
    ("0 0 12 1/5 * ?", "0 12 1/5 * *", "the seconds"),
    ("0 0 12 * * ? 2026", "0 12 * * *", "7 fields"),
    ("0 9 * * MON 2026", "0 9 * * MON", "the last field, the year"),
    ("0 9 * * * 2026-2030", "0 9 * * *", "the year"),
    ("0 10 * * ? *", "0 10 * * *", "the year"),
    ("15 12 ? * 2-6 *", "15 12 * * MON-FRI", "the year"),
    ("0 0 0 L * ?", "0 0 28 * *", "the seconds"),
    ("0 9 * *", "0 9 * * *", "4 fields"),
    ("*/5 *", "*/5 * * * *", "2 fields"),
    ("5", None, "1 field,"),
    ("*****", None, "1 field,"),
    ("0 9 ** *", None, "4 fields"),
    ("* * * * * * * *", None, "8 fields"),
    ("0 9 * * *\n0 10 * * *", "0 9 * * *", "2 lines"),
    # what other dialects know
    ("0 9 L * *", "0 9 28 * *", "last day of the month"),
    ("0 9 L-3 * *", "0 9 28 * *", "last day of the month"),
    ("0 9 LW * *", "0 9 28 * *", "working day"),
    ("0 9 15W * *", "0 9 15 * *", "working day"),
    ("0 9 * * 5#2", "0 9 * * 5", "n-th weekday"),
    ("0 9 * * SAT#2", "0 9 * * SAT", "n-th weekday"),
    ("0 9 * * 5L", "0 9 * * 5", "last weekday"),
    ("0 9 * * L5", "0 9 * * 5", "last weekday"),
    ("0 9 * * L", "0 9 * * 6", "last weekday"),
    ("TZ=UTC 0 9 * * *", "0 9 * * *", 'timeZone: "UTC"'),
    ("CRON_TZ=America/Sao_Paulo 0 9 * * 7", "0 9 * * 0", 'timeZone: "America/Sao_Paulo"'),
    ("tz=Europe/Berlin @daily", "@daily", 'timeZone: "Europe/Berlin"'),
    ("@reboot", "@daily", "run-now"),
    ("@Daily", "@daily", "@hourly"),
    ("@dayly", "@daily", "@hourly"),
    ("@weekdays", "0 0 * * MON-FRI", "@hourly"),
    ("@never", None, "@hourly"),
    ("@", None, "@hourly"),
    ("daily", "@daily", "@"),
    ("Hourly", "@hourly", "@"),
    # H
    ("h h * * *", "H H * * *", "capital H"),
    ("H H H * *", "H H 1 * *", "minute and hour only"),
    ("H(9-3) * * * *", "H(0-29) * * * *", "goes up"),
    # out of bounds
    ("60 * * * *", "0 * * * *", "0-59"),
    ("60/5 * * * *", "59/5 * * * *", "0-59"),
    ("10-60 * * * *", "10-59 * * * *", "0-59"),
    ("0 24 * * *", "0 0 * * *", "0-23"),
    ("0 0-24 * * *", "0 0-23 * * *", "0-23"),
    ("0 0 0 * *", "0 0 1 * *", "1-31"),
    ("0 0 32 * *", "0 0 31 * *", "1-31"),
    ("0 0 1 0 *", "0 0 1 1 *", "1-12"),
    ("0 0 1 13 *", "0 0 1 12 *", "1-12"),
    ("99 99 * * 9", None, "0-59"),
    ("-1 * * * *", "1 * * * *", "not negative"),
    ("0 */-2 * * *", "0 */2 * * *", "negative"),
    ("*/0 * * * *", "* * * * *", "step of 0"),
    ("0 0/0 * * *", "0 0 * * *", "step of 0"),
    # slips
    ("5- * * * *", "5 * * * *", "upper end"),
    ("0 9 * * mon-", "0 9 * * mon", "upper end"),
    ("*/ * * * *", "* * * * *", "no step"),
    ("1/2/3 * * * *", None, "slash"),
    ("1-2-3 * * * *", None, "hyphen"),
    ("1.5 * * * *", None, "not a number"),
    ("a b c d e", None, "not a number"),
    ("x", None, "five"),
    ("0 9 * * monday-friday", "0 9 * * MON-FRI", "a name like SUN"),
    ("0 9 1 january *", "0 9 1 JAN *", "a name like JAN"),
    ("0 9 * MON *", "0 9 * * MON", "a name like JAN"),
    ("MON 9 * * *", "0 9 * * MON", "month (4th) and weekday (5th)"),
    ('"0 9 * * *"', "0 9 * * *", "quotation"),
    ("`@daily`", "@daily", "quotation"),
    ("", "0 9 * * *", "empty"),
    (" \n\t", "0 9 * * *", "empty"),
    ("9" * 5000, "0 9 * * *", "5000 characters"),
    ("0 9 * * * " * 20_000, "0 9 * * *", "200000 characters"),
    # characters that only look right
    ("\u0663 9 * * *", "3 9 * * *", "arabic-indic digit three"),
    ("\uff10 \uff19 * * *", "0 9 * * *", "fullwidth digit zero"),
    ("0 9 * * 1\u20135", "0 9 * * 1-5", "en dash"),
    ("0 9 \u2217 * *", "0 9 * * *", "asterisk operator"),
    ("\u201c0 9 * * *\u201d", "0 9 * * *", "left double quotation mark"),
    ("0 9 * * *\u200b", "0 9 * * *", "zero width space"),
    ("0 9 * * *\x00", "0 9 * * *", "u+0000"),
    ("\U0001f550 * * * *", None, "clock face one oclock"),
    # words
    ("every day at 9", "0 9 * * *", "not a cron expression"),
    ("every day at 9pm", "0 21 * * *", "not a cron expression"),
    ("every monday at 9:30 am", "30 9 * * MON", "not a cron expression"),
    ("weekdays at 17h30", "30 17 * * MON-FRI", "not a cron expression"),
    ("at noon, every day", None, "not a cron expression"),
    # never
    ("0 0 31 2 *", "0 0 28 2 *", "never comes due"),
    ("0 0 30 2 *", "0 0 28 2 *", "never comes due"),
    ("0 0 31 4,6 *", "0 0 30 4,6 *", "never comes due"),
    ("H H 31 FEB *", "H H 28 FEB *", "never comes due"),
    (", * * * *", "0 * * * *", "holds no value"),
    ("0 9 , * *", "0 9 * * *", "holds no value"),
]


@pytest.mark.parametrize(("value", "advice", "words"), REFUSED)
def test_refused(value: str, advice: str | None, words: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        check_cron(value, UID)
    error = caught.value
    assert words in error.message
    assert error.field == "schedule.value"
    assert len(error.message) <= MESSAGE_LIMIT
    assert error.message.isprintable()
    assert error.message.endswith(".")
    if advice is None:
        assert error.suggestion is None
        assert '"0 9 * * *"' in error.message
    else:
        assert error.suggestion is not None
        assert error.suggestion.value == advice
        assert f'"{advice}"' in error.message or "annotation" in error.message
        check_cron(advice, UID)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("@every 45m", "45m"),
        ("@every 1h30m", "90m"),
        ("@every 2d", "2d"),
        ("@every 30s", "1m"),
        ("@Every 1h", "1h"),
        ("@every", "1h"),
        ("2d", "2d"),
        ("45m", "45m"),
        ("90s", "2m"),
        ("1.5h", "90m"),
        ("0m", "1m"),
        ("30 minutes", "30m"),
        ("PT1H", "1h"),
        ("999999999h", "3650d"),
    ],
)
def test_intervals_in_the_wrong_type(value: str, advice: str) -> None:
    with pytest.raises(ScheduleError, match=f"Write type: interval, value: {advice}") as caught:
        check_cron(value, UID)
    assert caught.value.suggestion == Suggestion(type="interval", value=advice)
    assert check_interval(advice)
    assert ("one minute is the shortest" in caught.value.message) is (advice == "1m")


# Value, code, suggestion (None: no single one).
CAUTIONS = [
    ("*/45 * * * *", "UnevenStep", Suggestion(type="interval", value="45m")),
    ("0/45 * * * *", "UnevenStep", Suggestion(type="interval", value="45m")),
    ("H/45 * * * *", "UnevenStep", Suggestion(type="interval", value="45m")),
    ("*/7 * * * *", "UnevenStep", Suggestion(type="interval", value="7m")),
    ("*/45 9 * * *", "UnevenStep", None),
    ("*/45 * * * MON", "UnevenStep", None),
    ("0 */5 * * *", "UnevenStep", Suggestion(type="interval", value="5h")),
    ("H H/5 * * *", "UnevenStep", Suggestion(type="interval", value="5h")),
    ("0,30 */5 * * *", "UnevenStep", None),
    ("0 9 */2 * *", "UnevenStep", Suggestion(type="interval", value="2d")),
    ("0 9 */31 * *", "StepTooLong", Suggestion(value="0 9 1 * *")),
    ("0 9 1 */5 *", "UnevenStep", None),
    ("0 9 * * */2", "UnevenStep", None),
    ("*/61 * * * *", "StepTooLong", Suggestion(type="interval", value="61m")),
    ("*/90 * * * *", "StepTooLong", Suggestion(type="interval", value="90m")),
    ("*/60 * * * *", "StepTooLong", Suggestion(value="0 * * * *")),
    ("5/60 * * * *", "StepTooLong", Suggestion(value="5 * * * *")),
    ("0 */24 * * *", "StepTooLong", Suggestion(value="0 0 * * *")),
    ("0 */48 * * *", "StepTooLong", Suggestion(type="interval", value="2d")),
    ("0 9 1 * MON", "DayOrWeekday", Suggestion(value="0 9 1 * *")),
    ("0 9 1-7 * 1", "DayOrWeekday", Suggestion(value="0 9 1-7 * *")),
    ("* 9 * * *", "EveryMinute", Suggestion(value="0 9 * * *")),
    ("*/1 9-17 * * *", "EveryMinute", Suggestion(value="0 9-17 * * *")),
    ("0 9 31 * *", "MissingDays", Suggestion(value="0 9 28 * *")),
    ("0 9 30 * *", "MissingDays", Suggestion(value="0 9 28 * *")),
    ("0 9 29 2 *", "MissingDays", Suggestion(value="0 9 28 2 *")),
    ("0 9 31 3,4 *", "MissingDays", Suggestion(value="0 9 28 3,4 *")),
    ("0 9 ? * MON", "QuestionMark", Suggestion(value="0 9 * * MON")),
    ("0 9 1 * ?", "QuestionMark", Suggestion(value="0 9 1 * *")),
    ("1,,2 * * * *", "OddSpelling", Suggestion(value="1-2 * * * *")),
    ("5, * * * *", "OddSpelling", Suggestion(value="5 * * * *")),
    ("+5 * * * *", "OddSpelling", Suggestion(value="5 * * * *")),
    ("0 *-9 * * *", "OddSpelling", Suggestion(value="0 * * * *")),
]


@pytest.mark.parametrize(("value", "code", "suggestion"), CAUTIONS)
def test_cautions(value: str, code: str, suggestion: Suggestion | None) -> None:
    _, _, warnings = check_cron(value, UID)
    assert [warning.code for warning in warnings] == [code]
    (warning,) = warnings
    assert warning.suggestion == suggestion
    assert warning.field == "schedule.value"
    assert len(warning.message) <= MESSAGE_LIMIT
    assert warning.message.endswith(".")
    if suggestion is not None and suggestion.value is not None:
        assert suggestion.value in warning.message
        if suggestion.type == "interval":
            assert check_interval(suggestion.value)
        else:
            assert check_cron(suggestion.value, UID)[2] == ()


def test_the_caution_of_an_uneven_step_tells_the_times() -> None:
    assert "0 and 45" in check_cron("*/45 * * * *", UID)[2][0].message
    assert "0, 7, 14, ... and 56" in check_cron("*/7 * * * *", UID)[2][0].message


@pytest.mark.parametrize(
    "value",
    [
        *("0 9 * * *", "*/5 * * * *", "*/30 */6 * * *", "0 9 * * MON-FRI", "0 0 1 * *", "0 0 1 */3 *", "H/15 H * * *"),
        *("@yearly", "@weekly", "0 9 1,15 * *", "0 9 31 1,3,5 *", "0 9 30 4-12 *", "0 9 28-31 * *", "* * * * *"),
        *("*/5 9-17 * * MON-FRI", "0 0 * * */1", "59 23 31 12 *", "10-50/20 * * * *", "0 22-23,0-2 * * *"),
    ],
)
def test_usual_expressions_have_no_caution(value: str) -> None:
    assert check_cron(value, UID)[2] == ()


def test_cautions_add_up() -> None:
    _, _, warnings = check_cron("*/45 */5 1 * 1,,2", UID)
    assert [warning.code for warning in warnings] == ["UnevenStep", "UnevenStep", "DayOrWeekday", "OddSpelling"]


PIECES = st.sampled_from(
    [
        *(
            "0",
            "9",
            "*",
            "*/5",
            "60",
            "24",
            "7",
            "5-7",
            "22-2",
            "MON",
            "fri-mon",
            "L",
            "15W",
            "5#2",
            "H",
            "H/7",
            "H(1-5)",
        ),
        *("?", "2026", "every", "at", "1,,2", "-1", "*/0", "31", "2", "@every", "@daily", "TZ=UTC", "45m", "x"),
        *("\u0663", "1\u20135"),
    ]
)
MIXTURES = st.lists(PIECES, max_size=8).map(" ".join)
CHARACTERS = st.text("0123456789*/-,? +LW#@HTZ=CRNeveryjansumo\t\n.\"'()", max_size=60)


@settings(max_examples=600, deadline=None)
@given(st.one_of(MIXTURES, CHARACTERS, st.text(max_size=60)))
def test_advice_can_be_followed(value: str) -> None:
    """Whatever is written: it is accepted, or the message is presentable and what it suggests is accepted."""
    try:
        _, _, warnings = check_cron(value, UID)
        findings = [(warning.message, warning.suggestion) for warning in warnings]
    except ScheduleError as error:
        findings = [(error.message, error.suggestion)]
    for message, suggestion in findings:
        assert message.isprintable()
        assert len(message) <= MESSAGE_LIMIT
        if suggestion is not None and suggestion.value is not None:
            if suggestion.type == "interval":
                check_interval(suggestion.value)
            elif not message.startswith(("H is possible", 'the minute "H', 'the hour "H')):
                check_cron(suggestion.value, UID)
