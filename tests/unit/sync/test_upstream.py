"""Conductor's cron dialect, held against what its scheduler did.

`tests/data/upstream-cron.jsonl` was written by running `CronTrigger.from_crontab` of APScheduler 3.11.3 in UTC: for
each expression the first ten times due from 2026-01-01 and before 2030, or null where it raised ValueError.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from councilor_operator.schedule import ScheduleError, compile_schedule, next_times
from councilor_operator.sync.upstream import Adapted, UpstreamError, adapt, differences, unambiguous

START = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
END = datetime(2030, 1, 1, tzinfo=UTC)
VECTORS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parents[2] / "data" / "upstream-cron.jsonl").read_text().splitlines()
]
READ = [vector for vector in VECTORS if vector["times"] is not None]
REFUSED = [vector["expression"] for vector in VECTORS if vector["times"] is None]

THE_SAME_AT_FIRST = {
    "0 9 1-30 * 0-6",
    "0 9 1-30 * 0,1,2,3,4,5,6",
    "*/7 9-17/2 */15 JAN,JUL 3",
    "5-50/10 */7 */2 * 1,3,5",
    "*/1 0 1,15 * MON-FRI",
    "*/15 8,20 30 jan-mar/2 *,1",
    "007 */1 */15 * MON-FRI/2",
    "*/45 */1 1-31 * 1-5/2",
}
"""Expressions whose first ten times do not show what differs: ten times on one day, or a 30 February."""


def due(value: str, count: int) -> list[str] | None:
    """The first times of a cron expression as a CronJob has them, None for one that is refused."""
    try:
        compiled = compile_schedule(type="cron", value=value, time_zone=None, default_zone="UTC", uid="any")
    except ScheduleError:
        return None
    times = next_times(compiled, after=START, count=count)
    return [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times if time < END]


def adapted(value: str) -> str | None:
    try:
        return adapt(value).value
    except UpstreamError:
        return None


@pytest.mark.parametrize("vector", READ, ids=lambda vector: vector["expression"])
def test_a_translation_comes_due_when_conductor_would_or_is_refused(vector: dict[str, Any]) -> None:
    value = adapted(vector["expression"])
    times = None if value is None else due(value, max(len(vector["times"]), 1))

    assert times in (None, vector["times"])


def test_hardly_anything_that_can_be_said_is_refused() -> None:
    """Refused are both day fields at once, the last day of a month, and what never comes due."""
    refused = [
        vector["expression"]
        for vector in READ
        if (value := adapted(vector["expression"])) is None or due(value, 1) is None
    ]
    unexplained = [
        expression
        for expression in refused
        if vector_times(expression) and "last" not in expression.lower() and not restricts_both_days(expression)
    ]

    assert unexplained == []
    assert len(refused) < len(READ) / 3


def vector_times(expression: str) -> list[str]:
    times: list[str] = next(vector["times"] for vector in READ if vector["expression"] == expression)
    return times


def restricts_both_days(expression: str) -> bool:
    _, _, day, _, weekday = expression.split()
    return day not in {"*", "*/1", "1-31", "*,3"} and weekday not in {"*", "*/1", "MON-SUN", "0-6", "*,1", "*,MON"}


@pytest.mark.parametrize("vector", READ, ids=lambda vector: vector["expression"])
def test_what_differs_is_told_and_nothing_else(vector: dict[str, Any]) -> None:
    expression, times = vector["expression"], vector["times"]
    as_written = due(expression, max(len(times), 1))

    differs = (as_written is not None and as_written != times) or expression in THE_SAME_AT_FIRST
    assert bool(differences(expression)) == differs


@pytest.mark.parametrize("expression", REFUSED)
def test_of_what_conductor_refuses_nothing_is_compared(expression: str) -> None:
    assert differences(expression) == ()


@pytest.mark.parametrize("expression", REFUSED)
def test_what_conductor_refuses_is_left_as_it_stands_but_for_weekday_numbers(expression: str) -> None:
    """Another field may still need what Conductor means by it."""
    fields = expression.split()
    value = adapted(expression)
    if value is None:
        assert len(fields) == 5
        return
    if len(fields) != 5:
        assert value == expression
        return
    for before, after in zip(fields[:3], value.split()[:3], strict=True):
        assert after in (before, "*")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0 9 * * 1", "0 9 * * TUE"),
        ("0 9 * * 0", "0 9 * * MON"),
        ("0 9 * * 6", "0 9 * * SUN"),
        ("0 9 * * 06", "0 9 * * SUN"),
        ("0 9 * * 1-5", "0 9 * * TUE-SAT"),
        ("0 9 * * 0-4", "0 9 * * MON-FRI"),
        ("0 9 * * 5-6", "0 9 * * SAT,SUN"),
        ("0 9 * * 5,6", "0 9 * * SAT,SUN"),
        ("0 9 * * 1-6", "0 9 * * TUE-SAT,SUN"),
        ("0 9 * * */2", "0 9 * * MON,WED,FRI,SUN"),
        ("0 9 * * 2/3", "0 9 * * WED,SAT"),
        ("0 9 * * FRI-SUN", "0 9 * * FRI,SAT,SUN"),
        ("0 9 * * MON-SUN", "0 9 * * *"),
        ("0 9 * * MON-FRI/2", "0 9 * * MON-FRI"),
        ("0 9 * * MON-5", "0 9 * * MON"),
        ("0 9 * * MON#2", "0 9 * * MON"),
        ("0 9 * * MON,3", "0 9 * * MON,THU"),
        ("0 9 1 JAN-MAR/2 *", "0 9 1 JAN-MAR *"),
        ("0 9 1-31 * 1", "0 9 * * TUE"),
        ("0 9 1 * 0-6", "0 9 1 * *"),
        ("0 9 * * 7", "0 9 * * SUN"),
        ("0 9 * * 07", "0 9 * * SUN"),
    ],
)
def test_a_translation_is_noted(value: str, expected: str) -> None:
    result = adapt(value)

    assert result.value == expected
    assert f'"{expected}"' in result.notes[-1]


@pytest.mark.parametrize(
    "value",
    [
        "0 9 * * MON",
        "0 9 * * mon-fri",
        "0  9 * *   MON",
        "0 9 * * 0-6",
        "0 9 * * */1",
        "*/7 * * * *",
        "0 9 1 * *",
        "@daily",
        "H 9 * * MON",
        "0 9 ? * MON",
        "bogus",
        "0 0 9 * * 1",
        "0 9 L * *",
        "0 9 * * SUN-TUE",
        "\u0660 9 * * 1",
        "",
    ],
)
def test_the_rest_is_left_alone(value: str) -> None:
    assert adapt(value) == Adapted(value, ())


@pytest.mark.parametrize(
    ("value", "what", "advice"),
    [
        ("0 9 * * 1-7", '"1-7"', "names"),
        ("0 9 * * 6,7", '"6,7"', "names"),
        ("0 9 * * 5-1", '"5-1"', "names"),
        ("0 9 * * */7", '"*/7"', "names"),
        ("99 99 * * 9", '"9"', "names"),
        ("0 9 * * 1L", '"1L"', "names"),
        ("0 9 1 * MON", '"1"', "Set one of the two to *"),
        ("0 9 13 * 4", '"FRI"', "Set one of the two to *"),
        ("0 9 */2 * FRI-SUN", '"*/2"', "Set one of the two to *"),
    ],
)
def test_what_a_cronjob_cannot_say_is_refused_with_advice(value: str, what: str, advice: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        adapt(value)

    assert what in caught.value.message
    assert advice in caught.value.message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0 9 * * 1", ("as MON;", "reads TUE.", "MON or TUE")),
        ("0 9 * * 1-5", ("MON-FRI", "TUE-SAT")),
        ("0 9 * * 0", ("as SUN;", "reads MON.")),
        ("0 9 * * */2", ("TUE,THU,SAT,SUN", "MON,WED,FRI,SUN")),
        ("0 9 * * MON-5", ("MON-FRI", "reads MON.")),
        ("0 9 1 JAN-MAR/2 *", ("JAN,MAR", "JAN-MAR")),
        ("0 9 13 * FRI", ("both to fit", "Set one of them to *")),
        ("0 9 1-31 * MON", ("both to fit",)),
        ("0 9 13 * 5", ("FRI or SAT", "both to fit")),
    ],
)
def test_other_readings_are_told_in_names(value: str, words: tuple[str, ...]) -> None:
    told = "; ".join(differences(value))

    for word in words:
        assert word in told


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5 9 * * 0", "5 9 * * SUN"),
        ("5 9 * * 1-5", "5 9 * * MON-FRI"),
        ("5 9 * * MON", "5 9 * * MON"),
        ("5 9 * * *", "5 9 * * *"),
        ("5 9 * * 9", "5 9 * * 9"),
        ("@daily", "@daily"),
        ("7h", "7h"),
    ],
)
def test_advice_names_weekdays(value: str, expected: str) -> None:
    assert unambiguous(value) == expected


FIELD_TEXT = st.text(alphabet="0123456789*/-,?HLW#+monfrisuja MONFRISUJA\t", max_size=12)


@given(st.lists(FIELD_TEXT, max_size=6).map(" ".join) | st.text(max_size=60))
@example("0 9 * * 0-" + "9" * 200)
@example("0 9 * * " + "9" * 5000)
@example("0 0 * * ,")
def test_nothing_but_a_refusal_is_raised(value: str) -> None:
    differences(value)
    unambiguous(value)
    first = adapted(value)
    if first is not None and first != value:
        # What is translated reads alike in both dialects, except where Conductor refused another field.
        assert not any("weekday" in note for note in differences(first))
