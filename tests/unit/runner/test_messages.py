"""What a message says: golden texts, and the texts that agents and terminals produce."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_runner.contract import Reason, Severity
from councilor_runner.messages import (
    ANSWER_LIMIT,
    ANSWER_LINES,
    TITLE_LIMIT,
    Message,
    compose,
    duration,
    one_line,
    printable,
    summary,
)
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, PreviousRun
from councilor_runner.settings import read_settings
from tests.unit.runner.test_settings import changed

START = datetime(2026, 3, 2, 9, 0, 3, 250_000, tzinfo=UTC)
ANSWER = """- [x] 214 of 217 dependencies have a known licence
- [ ] `left-pad` 1.3.0: **WTFPL**, which nobody has approved
- [ ] `colors` 1.4.0: its licence file is gone
- [ ] `event-stream` 3.3.6: two licences that contradict each other

SEVERITY: warning"""


def message(
    outcome: Outcome,
    severity: Severity,
    *,
    recovered_from: PreviousRun | None = None,
    milliseconds: int = 42_731,
    environment: dict[str, str] | None = None,
    **parts: dict[str, Any],
) -> Message:
    parts = {"councilor": {"title": "Licence counsel"}, **parts}
    settings = read_settings({**changed(**parts), **(environment or {})})
    finished = Finished(outcome, severity, START, START + timedelta(milliseconds=milliseconds))
    return compose(settings, finished, severity, recovered_from)


BEFORE = START - timedelta(days=1)
GOLDEN: dict[str, Callable[[], Message]] = {
    "warning": lambda: message(Outcome(Reason.COMPLETED, ANSWER, 0), "warning"),
    "failed": lambda: message(
        Outcome(
            Reason.AGENT_FAILED, "Reading the lockfile\nTraceback", 3, "the agent's command ended with exit code 3"
        ),
        "error",
        agent={"displayName": "Dra. Ana"},
    ),
    "silent": lambda: message(
        Outcome("OOMKilled", message="the runner ran out of memory: raise spec.runner.resources.limits.memory"),
        "error",
        milliseconds=3_725_000,
    ),
    "recovered": lambda: message(
        Outcome(Reason.COMPLETED, "- [x] All 217 dependencies have a known licence\n\nSEVERITY: success", 0),
        "success",
        recovered_from=PreviousRun("error", failed=True, started_at=BEFORE),
    ),
    "by-hand": lambda: message(
        Outcome(Reason.COMPLETED, "\n".join(f"{number}. a finding" for number in range(1, 40)), 0),
        "error",
        environment={"COUNCILOR_JOB_NAME": "licences-now", "COUNCILOR_JOB_UID": "j-1"},
        councilor={"title": None},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    made = GOLDEN[name]()
    golden(f"message-{name}.txt", f"{made.title}\n\n{made.body()}\n")


@pytest.mark.parametrize(
    ("severity", "before", "word", "first"),
    [
        ("success", None, "SUCCESS", "Judged success."),
        ("warning", None, "WARNING", "Judged warning."),
        ("error", None, "ERROR", "Judged error."),
        (
            "success",
            PreviousRun("warning", failed=False, started_at=BEFORE),
            "RECOVERED",
            "Judged success; the run before, of 2026-03-01 09:00:03 UTC, was judged warning.",
        ),
        (
            "success",
            PreviousRun("error", failed=True, started_at=BEFORE),
            "RECOVERED",
            "Judged success; the run before, of 2026-03-01 09:00:03 UTC, failed.",
        ),
    ],
)
def test_the_verdict(severity: Severity, before: PreviousRun | None, word: str, first: str) -> None:
    made = message(Outcome(Reason.COMPLETED, "x", 0), severity, recovered_from=before)
    assert made.title == f"[{word}] Licence counsel (team-a/licences)"
    assert made.facts.split("\n")[0] == first
    assert made.severity == severity


@pytest.mark.parametrize(
    ("title", "named"),
    [
        (None, "team-a/licences"),
        ("", "team-a/licences"),
        ("licences", "team-a/licences"),
        ("Two\nlines\x00", "Two lines (team-a/licences)"),
        ("long " * 100, None),
    ],
)
def test_the_title_is_one_short_line(title: str | None, named: str | None) -> None:
    made = message(Outcome(Reason.COMPLETED, "x", 0), "error", councilor={"title": title})
    assert named is None or made.title == f"[ERROR] {named}"
    assert "team-a/licences" in made.title
    assert len(made.title) <= TITLE_LIMIT
    assert "\n" not in made.title


def test_an_answer_without_words_is_left_out() -> None:
    for text in (None, "", " \n ", "SEVERITY: warning"):
        assert "Answer" not in message(Outcome(Reason.COMPLETED, text, 0), "warning").body()


def test_markup_arrives_as_it_was_written() -> None:
    text = "*bold* _under_ `code` <b>html</b> &amp; @everyone <!channel> \\n {{x}} %s :smile: [a](https://b.example)"
    assert text in message(Outcome(Reason.COMPLETED, text, 0), "warning").body()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m and \x1b[1;4mbold\x1b[m", "red and bold"),
        ("\x1b]8;;https://a.example\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("a\x00b\x07c\x7fd\x9b1me", "abcde"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("tab\tstays", "tab\tstays"),
        ("rm \u202ehsab\u202c", "rm hsab"),
        ("half a character \ud83d", "half a character "),
        ("👩‍👩‍👧 ação ✅️", "👩‍👩‍👧 ação ✅️"),
    ],
)
def test_what_no_screen_should_get(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_unprintable_is_left(text: str) -> None:
    shown = printable(text)
    assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t"]
    assert printable(shown) == shown
    shown.encode()


@given(st.text(max_size=3000), st.integers(0, 4000))
def test_a_body_keeps_to_its_limit_and_never_loses_the_commands(text: str, limit: int) -> None:
    made = message(Outcome(Reason.COMPLETED, text, 0), "error")
    body = made.body(limit)
    assert body.startswith(made.facts)
    assert body.endswith(made.footer)
    assert len(body) <= max(limit, len(made.facts) + len(made.footer) + 2)
    assert made.body(10_000) == made.body()


@pytest.mark.parametrize("lines", [1, ANSWER_LINES, ANSWER_LINES + 1, 100_000])
def test_the_beginning_of_an_answer(lines: int) -> None:
    made = message(Outcome(Reason.COMPLETED, "a line\n" * lines, 0), "error")
    assert made.answer.count("a line") == min(lines, ANSWER_LINES)
    assert made.answer.endswith("\n…") == (lines > ANSWER_LINES)


@pytest.mark.parametrize("size", [ANSWER_LIMIT, ANSWER_LIMIT + 1, 5_000_000])
def test_a_line_without_an_end(size: int) -> None:
    made = message(Outcome(Reason.COMPLETED, "x" * size, 0), "error")
    assert len(made.answer) == ANSWER_LIMIT
    assert made.answer.endswith("…") == (size > ANSWER_LIMIT)


def test_the_longest_message_is_short() -> None:
    made = message(
        Outcome(Reason.AGENT_FAILED, "word " * 10_000, 1, "reason " * 1000),
        "error",
        councilor={"title": "t" * 1000, "name": "n" * 63, "namespace": "s" * 63},
        agent={"id": "A" * 253, "displayName": "D" * 1000},
    )
    assert len(made.body()) < 3000


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (3_661_000, "1 h 1 min"),
        (86_400_000, "1 d"),
        (90_061_000, "1 d 1 h"),
        (86_460_000, "1 d"),
    ],
)
def test_durations(milliseconds: int, words: str) -> None:
    assert duration(milliseconds) == words


@given(st.integers(0, 10**12))
def test_every_duration_has_words(milliseconds: int) -> None:
    assert re.fullmatch(r"\d+ (ms|s|min|h|d)( \d+ (s|min|h))?", duration(milliseconds))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        (None, 10, None),
        (" \n ", 10, None),
        ("a\n\n  b\tc", 10, "a b c"),
        ("exactly 10", 10, "exactly 10"),
        ("one more than", 10, "one more…"),
        ("✅" * 20, 5, "✅✅✅✅…"),
        ("\x1b[31mred\x1b[0m\x00", 10, "red"),
    ],
)
def test_one_line(text: str | None, limit: int, expected: str | None) -> None:
    assert one_line(text, limit) == expected


@pytest.mark.parametrize(
    ("outcome", "severity", "before", "expected"),
    [
        (Outcome(Reason.COMPLETED, ANSWER, 0), "warning", None, "WARNING: - [x] 214 of 217 dependencies have a…"),
        (Outcome(Reason.COMPLETED, "Fine.\nSEVERITY: success", 0), "success", None, "SUCCESS: Fine."),
        (Outcome(Reason.AGENT_FAILED, "half", 3, "it ended with 3"), "error", None, "ERROR: it ended with 3"),
        (Outcome("OOMKilled"), "error", None, "ERROR: OOMKilled"),
        (Outcome(Reason.COMPLETED, "SEVERITY: warning", 0), "warning", None, "WARNING"),
        (
            Outcome(Reason.COMPLETED, "Fine.", 0),
            "success",
            PreviousRun("warning", failed=False, started_at=BEFORE),
            "RECOVERED from warning: Fine.",
        ),
    ],
)
def test_the_essentials_on_one_line(
    outcome: Outcome, severity: Severity, before: PreviousRun | None, expected: str
) -> None:
    assert summary(Finished(outcome, severity, START, START), severity, before, 46) == expected
