"""Who is the same run: every Pod of a Job, and nobody else."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_runner.contract import agent_of, execution_id, scheduled_time, task_id

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NINE_MINUTES = int(NINE.timestamp()) // 60


@pytest.mark.parametrize(
    ("job", "cron_job", "moment"),
    [
        (f"licences-{NINE_MINUTES}", "licences", NINE),
        (f"a-b-c-{NINE_MINUTES}", "a-b-c", NINE),
        (f"licences-{NINE_MINUTES}", "other", None),
        (f"licences-{NINE_MINUTES}-x", "licences", None),
        ("licences-run-7f3a", "licences", None),
        ("licences", "licences", None),
        ("licences-0123456789", "licences", None),
        (f"licences-0{NINE_MINUTES}", "licences", None),
    ],
)
def test_scheduled_time(job: str, cron_job: str, moment: datetime | None) -> None:
    assert scheduled_time(job, cron_job) == moment


def test_task_id_is_an_object_id_of_the_job() -> None:
    first = task_id("uid-1", "licences-29540700")
    assert len(first) == 24
    assert int(first, 16) >= 0
    assert first == task_id("uid-1", "licences-29540700")
    others = {
        task_id("uid-2", "licences-29540700"),
        task_id("uid-1", "licences-29540701"),
        task_id("uid-1", "licences-29540700", "job-uid"),
        task_id("uid-1", "licences-29540700", "job-uid-2"),
    }
    assert len(others | {first}) == 5


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(NINE, f"exec_A_Agent_{int(NINE.timestamp())}_d25315c9"), (None, "exec_A_Agent_manual_d25315c9d47428a4")],
)
def test_execution_id(moment: datetime | None, expected: str) -> None:
    assert execution_id("A_Agent", "d25315c9d47428a48cefb956", moment) == expected


@given(st.text(min_size=1, max_size=253), st.sampled_from([None, NINE]))
def test_an_execution_id_tells_its_agent(agent: str, scheduled_at: datetime | None) -> None:
    task = task_id("uid-1", "licences-29540700")
    assert agent_of(execution_id(agent, task, scheduled_at), task, scheduled_at) == agent


@pytest.mark.parametrize(
    "execution",
    [
        "",
        "exec_",
        execution_id("", "5" * 24, NINE),
        execution_id("A_Agent", "6" * 24, NINE),
        execution_id("A_Agent", "5" * 24, None),
        execution_id("A_Agent", "5" * 24, NINE.replace(minute=1)),
        execution_id("A_Agent", "5" * 24, NINE).removeprefix("exec"),
        execution_id("A_Agent", "5" * 24, NINE) + "0",
    ],
)
def test_an_execution_id_of_something_else(execution: str) -> None:
    assert agent_of(execution, "5" * 24, NINE) is None
