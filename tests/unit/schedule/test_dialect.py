"""The CronJob dialect: what is accepted, with which values, and what is refused for which reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.schedule.dialect import (
    DAY_OF_MONTH,
    DESCRIPTORS,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    CronRule,
    DialectError,
    EveryRule,
    Fault,
    Field,
    parse,
    parse_field,
    split_fields,
    values_of,
)

ACCEPTED = [
    (MINUTE, "*", list(range(60)), True),
    (MINUTE, "?", list(range(60)), True),
    (MINUTE, "0-59", list(range(60)), False),
    (MINUTE, "*/1", list(range(60)), True),
    (MINUTE, "0/1", list(range(60)), False),
    (MINUTE, "*/15", [0, 15, 30, 45], False),
    (MINUTE, "*/45", [0, 45], False),
    (MINUTE, "*/61", [0], False),
    (MINUTE, "*/9223372036854775807", [0], False),
    (MINUTE, "50/5", [50, 55], False),
    (MINUTE, "5/61", [5], False),
    (MINUTE, "10-20/5", [10, 15, 20], False),
    (MINUTE, "10-10", [10], False),
    (MINUTE, "3,1,2", [1, 2, 3], False),
    (MINUTE, "3,*", list(range(60)), True),
    (MINUTE, "3,*/2", [0, 2, 3, *range(4, 60, 2)], False),
    (MINUTE, "1,,2", [1, 2], False),
    (MINUTE, "1,", [1], False),
    (MINUTE, ",", [], False),
    (MINUTE, "+5", [5], False),
    (MINUTE, "+5/+10", [5, 15, 25, 35, 45, 55], False),
    (MINUTE, "007", [7], False),
    (MINUTE, "0" * 5000 + "7", [7], False),
    (MINUTE, "*-9", list(range(60)), True),
    (MINUTE, "*-what-ever", list(range(60)), True),
    (MINUTE, "*-9/30", [0, 30], False),
    (HOUR, "9-17/4", [9, 13, 17], False),
    (HOUR, "22-23,0-2", [0, 1, 2, 22, 23], False),
    (DAY_OF_MONTH, "31", [31], False),
    (DAY_OF_MONTH, "*/10", [1, 11, 21, 31], False),
    (MONTH, "jan", [1], False),
    (MONTH, "JAN-Mar", [1, 2, 3], False),
    (MONTH, "feb/5", [2, 7, 12], False),
    (MONTH, "dec,1", [1, 12], False),
    (WEEKDAY, "sun-SAT", list(range(7)), False),
    (WEEKDAY, "Mon-fri", [1, 2, 3, 4, 5], False),
    (WEEKDAY, "mon-3", [1, 2, 3], False),
    (WEEKDAY, "fr\u0130", [5], False),  # lower case of the dotted capital I is i there
    (WEEKDAY, "6", [6], False),
]


@pytest.mark.parametrize(("field", "text", "values", "star"), ACCEPTED)
def test_accepted_fields(field: Field, text: str, values: list[int], star: bool) -> None:
    mask = parse_field(text, field)
    assert values_of(mask.bits) == values
    assert mask.star is star


REFUSED = [
    (MINUTE, "60", Fault.ABOVE_MAXIMUM),
    (MINUTE, "0-60", Fault.ABOVE_MAXIMUM),
    (MINUTE, "60/5", Fault.BACKWARDS),
    (MINUTE, "-1", Fault.NOT_A_NUMBER),
    (MINUTE, "5-", Fault.NOT_A_NUMBER),
    (MINUTE, "-", Fault.NOT_A_NUMBER),
    (MINUTE, "*/", Fault.NOT_A_NUMBER),
    (MINUTE, "/5", Fault.NOT_A_NUMBER),
    (MINUTE, "**", Fault.NOT_A_NUMBER),
    (MINUTE, "1.5", Fault.NOT_A_NUMBER),
    (MINUTE, "1_0", Fault.NOT_A_NUMBER),
    (MINUTE, "0x1", Fault.NOT_A_NUMBER),
    (MINUTE, "\u0663", Fault.NOT_A_NUMBER),
    (MINUTE, "\uff13", Fault.NOT_A_NUMBER),
    (MINUTE, "mon", Fault.NOT_A_NUMBER),
    (MINUTE, "H", Fault.NOT_A_NUMBER),
    (MINUTE, "*/9223372036854775808", Fault.NOT_A_NUMBER),
    (MINUTE, "9" * 6000, Fault.NOT_A_NUMBER),
    (MINUTE, "5-+-7", Fault.HYPHENS),
    (MINUTE, "*/-2", Fault.NEGATIVE),
    (MINUTE, "*/-9223372036854775809", Fault.NOT_A_NUMBER),
    (MINUTE, "*/0", Fault.STEP_ZERO),
    (MINUTE, "*/-0", Fault.STEP_ZERO),
    (MINUTE, "5-1", Fault.BACKWARDS),
    (MINUTE, "1-2-3", Fault.HYPHENS),
    (MINUTE, "x-2-3", Fault.NOT_A_NUMBER),
    (MINUTE, "1/2/3", Fault.SLASHES),
    (HOUR, "24", Fault.ABOVE_MAXIMUM),
    (HOUR, "22-2", Fault.BACKWARDS),
    (DAY_OF_MONTH, "0", Fault.BELOW_MINIMUM),
    (DAY_OF_MONTH, "32", Fault.ABOVE_MAXIMUM),
    (DAY_OF_MONTH, "L", Fault.NOT_A_NUMBER),
    (DAY_OF_MONTH, "15W", Fault.NOT_A_NUMBER),
    (MONTH, "0", Fault.BELOW_MINIMUM),
    (MONTH, "13", Fault.ABOVE_MAXIMUM),
    (MONTH, "january", Fault.NOT_A_NUMBER),
    (MONTH, "dec-jan", Fault.BACKWARDS),
    (WEEKDAY, "7", Fault.ABOVE_MAXIMUM),
    (WEEKDAY, "5-7", Fault.ABOVE_MAXIMUM),
    (WEEKDAY, "fri-mon", Fault.BACKWARDS),
    (WEEKDAY, "5#2", Fault.NOT_A_NUMBER),
    (WEEKDAY, "5L", Fault.NOT_A_NUMBER),
]


@pytest.mark.parametrize(("field", "text", "fault"), REFUSED)
def test_refused_fields(field: Field, text: str, fault: Fault) -> None:
    with pytest.raises(DialectError) as caught:
        parse_field(text, field)
    assert caught.value.fault is fault
    assert caught.value.field is field
    assert caught.value.part == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Fault.FIELD_COUNT),
        ("   ", Fault.FIELD_COUNT),
        ("* * * *", Fault.FIELD_COUNT),
        ("* * * * * *", Fault.FIELD_COUNT),
        (" @daily", Fault.FIELD_COUNT),
        ("TZ=UTC 0 9 * * *", Fault.FIELD_COUNT),
        ("*\x1c* * * * *", Fault.NOT_A_NUMBER),
        ("@Daily", Fault.DESCRIPTOR),
        ("@daily ", Fault.DESCRIPTOR),
        ("@reboot", Fault.DESCRIPTOR),
        ("@every", Fault.DESCRIPTOR),
        ("@every ", Fault.DURATION),
        ("@every  1h", Fault.DURATION),
        ("@every 2d", Fault.DURATION),
        ("@every 1", Fault.DURATION),
    ],
)
def test_refused_texts(text: str, fault: Fault) -> None:
    with pytest.raises(DialectError) as caught:
        parse(text)
    assert caught.value.fault is fault


def test_the_first_wrong_field_is_named() -> None:
    with pytest.raises(DialectError) as caught:
        parse("0 24 0 13 7")
    assert caught.value.field is HOUR


@pytest.mark.parametrize(("name", "expression"), DESCRIPTORS.items())
def test_descriptors_are_short_for_expressions(name: str, expression: str) -> None:
    assert parse(name) == parse(expression)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("@every 45m", 2700), ("@every 48h", 172800), ("@every 1h30m10.9s", 5410), ("@every -5m", 1), ("@every 0", 1)],
)
def test_every(text: str, seconds: int) -> None:
    assert parse(text) == EveryRule(seconds)


@pytest.mark.parametrize(
    ("expression", "alternatives"),
    [
        ("0 0 1 * 1", True),
        ("0 0 1 * *", False),
        ("0 0 * * 1", False),
        ("0 0 ? * 1", False),
        ("0 0 */2 * 1", True),
        ("0 0 */1 * 1", False),
        ("0 0 1-31 * 1", True),
        ("0 0 5,* * 1", False),
        ("0 0 1 * 0-6", True),
    ],
)
def test_days_are_alternatives_when_neither_has_a_star(expression: str, alternatives: bool) -> None:
    rule = parse(expression)
    assert isinstance(rule, CronRule)
    assert rule.days_are_alternatives is alternatives


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a b", ["a", "b"]),
        ("\ta \n b\r\n", ["a", "b"]),
        ("a\u00a0b\u2003c\u3000d\u0085e\u2028f", ["a", "b", "c", "d", "e", "f"]),
        ("a\u200bb\x1cc", ["a\u200bb\x1cc"]),
    ],
)
def test_fields_split_where_go_splits(text: str, fields: list[str]) -> None:
    assert split_fields(text) == fields


@given(st.one_of(st.text(max_size=60), st.text("0123456789*/-,? +LW#@HTZ=CRNeveryjansumo\t\n.", max_size=60)))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        rule = parse(text)
    except DialectError:
        return
    assert isinstance(rule, CronRule | EveryRule)
