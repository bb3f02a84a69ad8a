"""Reading the fields of one document: each by its dotted path, in the form the Councilor takes, with what is wrong or
odd about it collected on the way. Pure; nothing that stands in a document raises.

Whether a value fits is asked of the types of the API themselves, so what is read here the CRD accepts. Of a document's
content nothing is repeated.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from councilor_operator.api.crd import structural
from councilor_operator.api.spec import CouncilorSpec

_PROBLEMS_SHOWN: Final = 5
_PROBLEM_LIMIT: Final = 640
"""Characters of all problems together; the operator shows no more of them in a condition."""
_NOTES_SHOWN: Final = 5


def _schema() -> Mapping[str, Any]:
    document = CouncilorSpec.model_json_schema(by_alias=True)
    schema: Mapping[str, Any] = structural(document, document["$defs"])
    return schema


_SCHEMA: Final = _schema()


def limit(path: str, bound: str = "maxLength") -> int:
    """Return a bound of the CRD for a field of the spec, by its dotted path: `limit("task.prompt")` is 10000."""
    node: Mapping[str, Any] = _SCHEMA
    for name in path.split("."):
        node = node["properties"][name]
    found: int = node[bound]
    return found


def accepts(type_: TypeAdapter[str], text: str) -> bool:
    """Return whether the CRD takes a text for a type of the API."""
    try:
        type_.validate_python(text)
    except ValidationError:
        return False
    return True


class Reading:
    """A document as it is read, with its problems and notes in the order they were met."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._problems: list[str] = []
        self._notes: list[str] = []

    def refuse(self, path: str, problem: str) -> None:
        """No run may come of the document, because of this field."""
        self._problems.append(f"{path}: {problem}")

    def refuse_as(self, problem: str) -> None:
        """The same, in words that begin with the path."""
        self._problems.append(problem)

    def note(self, path: str, note: str) -> None:
        """Something about a field is odd, or read otherwise than Conductor reads it."""
        self._notes.append(f"{path}: {note}")

    @property
    def problem(self) -> str | None:
        """All problems in one text of at most 640 characters: whole ones, and the number of those left out."""
        if not self._problems:
            return None
        for shown in range(min(len(self._problems), _PROBLEMS_SHOWN), 0, -1):
            more = len(self._problems) - shown
            text = "; ".join([*self._problems[:shown], *([f"and {more} more"] if more else [])])
            if len(text) <= _PROBLEM_LIMIT:
                return text
        return text[: _PROBLEM_LIMIT - 1] + "…"

    @property
    def notes(self) -> tuple[str, ...]:
        """The first notes."""
        return tuple(self._notes[:_NOTES_SHOWN])

    def value(self, path: str) -> Any:
        """Return what stands at a path, None where nothing does."""
        node: Any = self._body
        for name in path.split("."):
            if not isinstance(node, Mapping):
                return None
            node = node.get(name)
        return node

    def is_object(self, path: str, form: str, *, required: bool = False) -> bool:
        """Return whether an object stands at a path; refuse what is none, and if it is required also its absence.

        `form` says what is in it: "with type and value".
        """
        value = self.value(path)
        if isinstance(value, Mapping):
            return True
        if value is not None:
            self.refuse(path, f"write an object {form}, this is {_kind(value)}")
        elif required:
            self.refuse(path, f"missing or no object, write an object {form}")
        return False

    def text(self, path: str, advice: str, *, required: bool = False) -> str | None:
        """Return a text without the blanks around it, None for none or a blank one; refuse what is no text, and if it
        is required also its absence."""
        value = self.value(path)
        if isinstance(value, str):
            if (plain := cleaned(value)) or not required:
                return plain or None
            self.refuse(path, f"blank, {advice}")
        elif value is not None:
            self.refuse(path, f"{advice} as text, this is {_kind(value)}")
        elif required:
            self.refuse(path, f"missing, {advice}")
        return None

    def flag(self, path: str) -> bool | None:
        """Return true or false, None where nothing stands; refuse anything else."""
        value = self.value(path)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(path, f"write true or false, this is {_kind(value)}")
        return None

    def texts(self, path: str, type_: TypeAdapter[str], form: str, entry: str) -> list[str] | None:
        """Return the entries of a list of texts, without blanks around them and without blank ones; None where nothing
        stands, or something is refused.

        `form` names the list ("a list of file paths"), `entry` says what an entry has to look like.
        """
        value = self.value(path)
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            self.refuse(path, f"write {form}, this is {_kind(value)}")
            return None
        found = []
        for position, item in enumerate(value, start=1):
            if not isinstance(item, str):
                self.refuse(path, f"entry {position} is {_kind(item)}, {entry}")
                return None
            text = cleaned(item)
            if text and not accepts(type_, text):
                self.refuse(path, f"entry {position} does not fit, {entry}")
                return None
            if text:
                found.append(text)
        return found

    def label(self, path: str, most: int) -> str | None:
        """Return a text that is only displayed: what is none is left out, too long a text is cut, both noted."""
        value = self.value(path)
        if value is None:
            return None
        if not isinstance(value, str):
            self.note(path, f"left out, it is {_kind(value)} and no text")
            return None
        text = cleaned(value)
        if len(text) > most:
            self.note(path, f"shortened, it has {len(text)} characters and {most} are shown")
            text = text[: most - 1].rstrip() + "…"
        return text or None


def cleaned(text: str) -> str:
    """Return a text without the blanks around it, as plain text that can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode().strip()


def _kind(value: Any) -> str:
    """What something is, in the words of JSON."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return f"of type {type(value).__name__[:40]}"
