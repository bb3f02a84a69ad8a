"""The document that a Councilor is made from, in words for whoever reads its conditions: what is wrong with it, what is
odd about it, and that changes belong there. Pure.

The sync writes labels and annotations, the operator reads them. Anybody else may write them too, so nothing of them is
taken as it is: bounded, on one line, without control characters.
"""

from typing import Final

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_DOCUMENT_PROBLEM,
    LABEL_SOURCE,
    SOURCE_MONGODB,
)
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.schedule import quote

_NAME_LIMIT: Final = 120
"""Characters of a document's name; ids of any length stand in the annotation."""
_PROBLEM_LIMIT: Final = 800
_LEFT_BEHIND: Final = (
    "; no sync keeps this Councilor equal to a document: look through its spec, then remove the annotation "
    f"{ANNOTATION_DOCUMENT_PROBLEM}"
)
_NOTE_LIMIT: Final = 600


def synced_from(councilor: ObservedCouncilor) -> str | None:
    """Return the document that the sync keeps a Councilor equal to, None for one that is made by hand."""
    if councilor.labels.get(LABEL_SOURCE) != SOURCE_MONGODB:
        return None
    return _shown(councilor, ANNOTATION_DOCUMENT, _NAME_LIMIT)


def document_problem(councilor: ObservedCouncilor) -> str | None:
    """Say why a Councilor's document is no councilor that could run, None where it is one."""
    # A copy, or one whose label was taken away to keep it: nobody else will ever remove what refuses it.
    ending = "" if synced_from(councilor) is not None else _LEFT_BEHIND
    problem = _shown(councilor, ANNOTATION_DOCUMENT_PROBLEM, _PROBLEM_LIMIT - len(ending))
    if problem is None:
        return None
    name = _shown(councilor, ANNOTATION_DOCUMENT, _NAME_LIMIT)
    return f"{f'document {name}: ' if name else ''}{problem}{ending}"


def document_note(councilor: ObservedCouncilor) -> str:
    """Return what is odd about a Councilor's document, as something to put behind a message; nothing for nothing."""
    note = _shown(councilor, ANNOTATION_DOCUMENT_NOTE, _NOTE_LIMIT)
    return f"; note on the document: {note}" if note else ""


def where_to_change(councilor: ObservedCouncilor) -> str:
    """Say that a change belongs into the document, as something to put behind advice; nothing for one made by hand."""
    document = synced_from(councilor)
    if document is None:
        return ""
    return f"; this Councilor is made from the document {document}: make the change there, an edit here is undone"


def _shown(councilor: ObservedCouncilor, annotation: str, limit: int) -> str | None:
    return quote(councilor.annotations.get(annotation, "").strip(), limit)[1:-1] or None
