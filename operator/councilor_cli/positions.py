"""YAML with the places of its values, plain scalars read as kubectl reads them, keys only once. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import yaml

Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML as kubectl has it (sigs.k8s.io/yaml 1.6, goyaml.v2): `n` is false and `1e3` a number, which PyYAML takes for
    texts; a date, `12:30` and `=` are texts, which PyYAML takes for something else."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


_Loader.yaml_implicit_resolvers = {}

for _tag, _form, _first in (
    (
        "bool",
        r"[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        "yYnNtTfFoO",
    ),
    ("int", r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", "<<", "<"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})\Z"), list(_first))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, counted from 1 as editors do."""

    line: int
    column: int


START: Final = Place(1, 1)


class UnreadableError(ValueError):
    """No YAML; `place` is where it ceases to be."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


class Document:
    """One document: its value, and where its parts stand."""

    def __init__(self, node: yaml.Node) -> None:
        self._places: dict[Path, Place] = {}
        self.repeated: list[Path] = []
        """Keys that stand in their mapping more than once."""
        self._note(node, (), frozenset())
        loader = _Loader("")
        try:
            self.value: Any = loader.construct_document(node)
        except (yaml.YAMLError, ValueError, TypeError) as error:
            raise UnreadableError("a value cannot be read: put it in quotes", _place(node.start_mark)) from error
        finally:
            loader.dispose()

    def place(self, path: Path) -> Place:
        """Return where a value stands, or the nearest around it that is there at all."""
        while path not in self._places and path:
            path = path[:-1]
        return self._places.get(path, START)

    def _note(self, node: yaml.Node, path: Path, around: frozenset[int]) -> None:
        self._places.setdefault(path, _place(node.start_mark))
        if id(node) in around:
            raise UnreadableError("an alias stands within what it names: write the value out", _place(node.start_mark))
        around |= {id(node)}
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*path, str(key.value))
                if inner in self._places:
                    self.repeated.append(inner)
                # Of the key: that is where an editor has to go, also for a text of many lines.
                self._places[inner] = _place(key.start_mark)
                self._note(value, inner, around)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                self._note(value, (*path, position), around)


def read(text: str) -> Iterator[Document]:
    """Yield the documents of a text that are not empty; raises UnreadableError where it is no YAML."""
    try:
        for node in yaml.compose_all(text, Loader=_Loader):
            if node is not None:
                yield Document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What stands there is somebody's text; the parser's own words do not repeat more than a character of it.
        message = f"no YAML: {error.problem or error.context}"
        raise UnreadableError(message, _place(mark) if mark is not None else START) from error
    except yaml.YAMLError as error:
        raise UnreadableError("no YAML: a character that is not allowed; save the file as UTF-8", START) from error


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)
