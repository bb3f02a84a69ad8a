"""The termination message: always JSON, always below the kubelet's limit, always what was known."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_runner.contract import TERMINATION_MESSAGE_LIMIT, ChannelResult, Reason, RunReport
from councilor_runner.termination import encode, write

NOW = datetime(2026, 3, 2, 9, 0, 4, 120000, tzinfo=UTC)


def report(**over: Any) -> RunReport:
    values: dict[str, Any] = {
        "execution_id": "exec_A_Agent_1772442000_d25315c9",
        "task_id": "d25315c9d47428a48cefb956",
        "trigger": "scheduled",
        "status": "completed",
        "severity": "warning",
        "exit_code": 0,
        "reason": Reason.COMPLETED,
        "started_at": NOW,
        "completed_at": NOW,
        "duration_ms": 0,
    }
    return RunReport(**{**values, **over})


def test_what_fits_is_not_touched() -> None:
    full = report(
        summary="ação " * 51,
        message="é" * 512,
        scheduled_at=NOW,
        agent_exit_code=0,
        notified=(ChannelResult(channel="panel", delivered=False, reason="the gateway answered 502"),),
    )
    assert RunReport.model_validate_json(encode(full)) == full


@settings(deadline=None)
@given(
    st.text(max_size=256),
    st.text(max_size=5000),
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300)), max_size=40),
)
def test_always_valid_and_small_enough(summary: str, message: str, channels: list[tuple[str, str]]) -> None:
    notified = tuple(ChannelResult(channel=name, delivered=False, reason=why) for name, why in channels)
    data = encode(report(summary=summary, message=message, notified=notified, execution_id="exec_" + "a" * 300))
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    decoded = RunReport.model_validate_json(data)
    assert decoded.severity == "warning"
    assert summary.startswith(decoded.summary or "")
    assert message.startswith(decoded.message or "")


def test_many_channels_with_long_reasons_all_say_something() -> None:
    notified = tuple(
        ChannelResult(channel=f"channel-{number:02}", delivered=False, reason=f"add the key {number:02} " + "and " * 40)
        for number in range(20)
    )
    decoded = RunReport.model_validate_json(encode(report(summary="s" * 256, message="m" * 512, notified=notified)))
    assert [result.channel for result in decoded.notified] == [result.channel for result in notified]
    assert all((result.reason or "").startswith("add the key") for result in decoded.notified)
    assert decoded.summary
    assert decoded.message


# What the longest names of a Councilor's fields allow: agentId 253 characters, 20 channels of 63.
AGENT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=253)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\x00\x01\x1f"\\👩é\u2028'), max_size=600)
MOMENT = st.datetimes(timezones=st.just(UTC))
REPORTS = st.builds(
    # By a function: the names of the model's own signature are those of its JSON.
    lambda **fields: RunReport(**fields),
    execution_id=AGENT.map(lambda agent: f"exec_{agent}_1772442000_d25315c9"),
    task_id=st.just("d25315c9d47428a48cefb956"),
    trigger=st.sampled_from(["scheduled", "manual"]),
    status=st.sampled_from(["completed", "error", "skipped"]),
    severity=st.sampled_from(["success", "warning", "error", None]),
    exit_code=st.integers(-(2**31), 2**31 - 1),
    agent_exit_code=st.none() | st.integers(-(2**31), 2**31 - 1),
    reason=st.sampled_from(list(Reason)),
    message=st.none() | TEXT,
    summary=st.none() | TEXT.map(lambda text: text[:256]),
    scheduled_at=st.none() | MOMENT,
    started_at=MOMENT,
    completed_at=MOMENT,
    duration_ms=st.integers(0, 2**53),
    dispatched=st.booleans(),
    recorded=st.booleans(),
    notified=st.lists(
        st.builds(
            ChannelResult,
            channel=st.text("abcXYZ019-._", min_size=1, max_size=63),
            delivered=st.booleans(),
            reason=st.none() | TEXT,
        ),
        max_size=20,
    ).map(tuple),
)
SHORTENED = ("message", "summary", "notified")


@given(REPORTS)
def test_every_report_arrives(whole: RunReport) -> None:
    data = encode(whole)
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    arrived = RunReport.model_validate_json(data)
    assert arrived.model_dump(exclude=set(SHORTENED)) == whole.model_dump(exclude=set(SHORTENED))
    for name in ("message", "summary"):
        assert (getattr(whole, name) or "").startswith(getattr(arrived, name) or "")
    for before, after in zip(whole.notified, arrived.notified, strict=False):
        assert (after.channel, after.delivered) == (before.channel, before.delivered)
        assert after.reason in (before.reason, None)


@pytest.mark.parametrize("character", ["a", "é", "👩", '"', "\\"])
def test_the_longest_report_keeps_its_ids_and_every_channel(character: str) -> None:
    notified = tuple(
        ChannelResult(channel=f"{number:02}" + "c" * 61, delivered=False, reason="\x01" * 300) for number in range(20)
    )
    agent = character * 253
    whole = report(execution_id=f"exec_{agent}_1772442000_d25315c9", message="\x01" * 512, summary="\x01" * 256)
    data = encode(whole.model_copy(update={"notified": notified}))
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    arrived = RunReport.model_validate_json(data)
    assert arrived.execution_id == whole.execution_id
    assert [result.channel for result in arrived.notified] == [result.channel for result in notified]


@pytest.mark.parametrize("character", ["a", "é", "✅", "\x01", '"', "👩\u200d🚀"])
def test_cut_at_a_character(character: str) -> None:
    data = encode(report(message=character * 4096, summary=character))
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    json.loads(data.decode("utf-8"))


def test_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "termination-log"
    path.write_text("older and much longer " * 400)
    inode = path.stat().st_ino
    write(report(), path)
    assert path.stat().st_ino == inode
    assert RunReport.model_validate_json(path.read_bytes()) == report()


def test_no_file_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(report(), tmp_path / "missing" / "termination-log")
    assert list(tmp_path.iterdir()) == []
    assert [(entry.levelname, entry.getMessage()) for entry in caplog.records] == [
        ("WARNING", "termination message not written")
    ]
