"""What reaches a terminal, and what does not."""

import io
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from councilor_cli.loglines import readable
from councilor_cli.output import Grid, cell, one_line, plain, print_document

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is", "as it is"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("a\r\nb\rc\td", "a\nb\ufffdc\td"),
        ("abc\u202edef\u2066", "abcdef"),
        ("👩\u200d⚖️", "👩\u200d⚖️"),
        ("one\u2028two", "one\ntwo"),
        ("\ud800", "\ufffd"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_no_text_steers_a_terminal(text: str) -> None:
    assert not STEERING.search(plain(text))
    assert not STEERING.search(one_line(text))
    assert "\n" not in cell(text).plain
    assert not STEERING.search(readable(text).plain)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text()))
def test_documents_say_the_same_as_before(document: dict[str, str]) -> None:
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", written)
        print_document(document, "json")
    assert json.loads(written.getvalue()) == document
    assert not STEERING.search(written.getvalue().replace("\n", ""))


def test_a_document_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"b": ["ü", "\x1b[31m"], "a": 1}
    print_document(document, "yaml")
    out = capsys.readouterr().out
    assert (yaml.safe_load(out), list(yaml.safe_load(out))) == (document, ["b", "a"])
    assert "\x1b" not in out


def text_of(lines: Any, *, colours: bool = False) -> str:
    target = Console(
        file=io.StringIO(), force_terminal=colours, color_system="standard" if colours else None, width=300
    )
    for line in lines:
        target.print(line)
    printed: io.StringIO = target.file  # type: ignore[assignment]
    return printed.getvalue()


def test_a_grid_keeps_its_columns_when_rows_follow() -> None:
    grid = Grid(["NAME", "RESULT", "LAST"])
    first = text_of(grid.lines([[cell("a-long-name"), cell("[bold]x[/bold]"), cell(None)]]))
    assert first == "NAME          RESULT           LAST\na-long-name   [bold]x[/bold]   -\n"
    assert text_of(grid.lines([[cell("b"), cell("failed"), cell("日本")]])) == "b             failed           日本\n"


def test_words_have_colours_where_somebody_sees_them() -> None:
    rows = [[cell("warning"), cell("error", "")]]
    assert text_of(Grid(["A", "B"]).lines(rows), colours=True).splitlines()[1] == "\x1b[33mwarning\x1b[0m   error"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"time": "2026-03-02T09:30:00.1+00:00", "level": "info", "message": "sent", "job": "j", "attempt": 2}',
            r"\d\d:30:00 sent attempt=2",
        ),
        ("Traceback (most recent call last):", r"Traceback \(most recent call last\):"),
        ('{"time": "yesterday", "message": "x"}', r'\{"time": "yesterday", "message": "x"\}'),
        ("[1, 2]", r"\[1, 2\]"),
        ("", ""),
    ],
)
def test_log_lines(line: str, shown: str) -> None:
    assert re.fullmatch(shown, readable(line).plain)
