"""What is taken out of an agent's answer before people, and the verdict, see it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_runner.contract import VerdictRules
from councilor_runner.legible import legible
from councilor_runner.messages import one_line
from councilor_runner.verdict import judge


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What has no end is no sequence: only its beginning goes, and never a line below it.
        ("fine \x1b]0;title\nmore\nSEVERITY: error", "fine 0;title\nmore\nSEVERITY: error"),
        ("fine â\x80\x9dok.\nSEVERITY: error", "fine âok.\nSEVERITY: error"),
        ("\x90one\x98two", "onetwo"),
        ("plain\n\ttext\r\n", "plain\n\ttext\r\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;38;5;208mbold\x1b[m", "bold"),
        ("\x9b31mred", "red"),
        ("a\x1b[2K\x1b[1Gb", "ab"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdata\x1b\\text", "text"),
        ("\x1b(Btext\x1b7", "text"),
        ("cut off \x1b[3", "cut off "),
        ("cut off \x1b", "cut off "),
        ("nul\x00 bell\x07 backspace\x08 del\x7f", "nul bell backspace del"),
        ("c1\x80\x84\x9a", "c1"),
        (
            "line\x0bfeed\x0cform\x85next\u2028line\u2029paragraph",
            "line\x0bfeed\x0cform\x85next\u2028line\u2029paragraph",
        ),
        ("zero\u200bwidth\ufeff\u2060\u00ad", "zerowidth"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("👩\u200d🚀 \u0645\u06cc\u200c\u062e ✅\ufe0f", "👩\u200d🚀 \u0645\u06cc\u200c\u062e ✅\ufe0f"),
        ("שלום עולם", "שלום עולם"),
    ],
)
def test_legible(text: str, expected: str) -> None:
    assert legible(text) == expected


@given(st.text(st.characters() | st.sampled_from("\x1b[]m;0\x07\x9b\u202e"), max_size=200))
def test_nothing_is_left_that_steers_a_terminal(text: str) -> None:
    shown = legible(text)
    assert {c for c in shown if unicodedata.category(c) == "Cc"} <= set("\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85")
    assert legible(shown) == shown
    assert not {c for c in one_line(text, 256) or "" if unicodedata.category(c) in ("Cc", "Zl", "Zp")}


@given(st.text(st.characters(exclude_categories=["Cc", "Cf"]), max_size=200))
def test_letters_stay(text: str) -> None:
    assert legible(text) == text


@pytest.mark.parametrize(
    "text", ["\x1b[31mSEVERITY: \x1b[1merror\x1b[0m", "SEV\u200bERITY: er\x1b[0mror", "x\n\x1b[2KSEVERITY: error\x07"]
)
def test_colours_do_not_hide_a_verdict(text: str) -> None:
    assert judge(legible(text), VerdictRules()).severity == "error"
