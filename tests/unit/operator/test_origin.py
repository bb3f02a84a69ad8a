"""What conditions say of documents: whatever stands in labels and annotations, bounded, on one line and legible."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_DOCUMENT_PROBLEM,
    LABEL_SOURCE,
    SOURCE_MONGODB,
)
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.origin import document_note, document_problem, synced_from, where_to_change
from tests import factories

SYNCED = {LABEL_SOURCE: SOURCE_MONGODB}
DOCUMENT = "agent_instances/698c3a9ae07b15d2c4f8a613"


def councilor(labels: dict[str, str] | None = None, **annotations: str) -> ObservedCouncilor:
    keys = {
        "document": ANNOTATION_DOCUMENT,
        "problem": ANNOTATION_DOCUMENT_PROBLEM,
        "note": ANNOTATION_DOCUMENT_NOTE,
    }
    return factories.councilor(labels=labels, annotations={keys[key]: value for key, value in annotations.items()})


@pytest.mark.parametrize(
    ("labels", "document", "expected"),
    [
        (SYNCED, DOCUMENT, DOCUMENT),
        (SYNCED, f" {DOCUMENT}\n", DOCUMENT),
        (SYNCED, "", None),
        (SYNCED, " ", None),
        (None, DOCUMENT, None),
        ({LABEL_SOURCE: "git"}, DOCUMENT, None),
        ({LABEL_SOURCE: ""}, DOCUMENT, None),
        ({"team": "a"} | SYNCED, DOCUMENT, DOCUMENT),
    ],
)
def test_what_a_councilor_is_kept_equal_to(labels: dict[str, str] | None, document: str, expected: str | None) -> None:
    made = councilor(labels, document=document)
    assert synced_from(made) == expected
    assert where_to_change(made) == (
        f"; this Councilor is made from the document {expected}: make the change there, an edit here is undone"
        if expected
        else ""
    )


LEFT = (
    "no sync keeps this Councilor equal to a document: look through its spec, then remove the annotation "
    "conductor.community/document-problem"
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (councilor(SYNCED, document=DOCUMENT, problem="cwd is blank"), f"document {DOCUMENT}: cwd is blank"),
        (councilor(SYNCED, document=DOCUMENT, problem=" \n"), None),
        (councilor(SYNCED, document=DOCUMENT), None),
        (councilor(), None),
        # A copy under another name, or a label that was taken away.
        (councilor(document=DOCUMENT, problem="cwd is blank"), f"document {DOCUMENT}: cwd is blank; {LEFT}"),
        (councilor(SYNCED, problem="cwd is blank"), f"cwd is blank; {LEFT}"),
        (
            councilor(SYNCED, document=DOCUMENT, problem="a\nb\tc\x1b[31md\u202ee"),
            f"document {DOCUMENT}: a b c\ufffd[31md\ufffde",
        ),
    ],
)
def test_problems(made: ObservedCouncilor, expected: str | None) -> None:
    assert document_problem(made) == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("7 was read as Sunday", "; note on the document: 7 was read as Sunday"),
        (" ", ""),
        ("", ""),
        ("x" * 601, f"; note on the document: {'x' * 599}…"),
    ],
)
def test_notes(note: str, expected: str) -> None:
    assert document_note(councilor(SYNCED, document=DOCUMENT, note=note)) == expected


@given(
    labels=st.sampled_from([None, SYNCED]),
    document=st.text(max_size=400),
    problem=st.text(max_size=2000),
    note=st.text(max_size=2000),
)
def test_any_text_is_fit_for_a_condition(labels: dict[str, str] | None, document: str, problem: str, note: str) -> None:
    made = councilor(labels, document=document, problem=problem, note=note)
    texts = [document_problem(made) or "", document_note(made) + where_to_change(made)]
    for text in texts:
        assert len(text) <= 1000
        assert all(unicodedata.category(char)[0] != "C" for char in text)
        assert "\n" not in text
    assert bool(texts[0]) == bool(problem.strip())
