"""Councilors in files, checked by the rules of the API server and of the operator, without either. Pure.

The types are the operator's own; those the CRD is generated from. What only a cluster can know is not checked: the name
that is taken, the agent that does not exist, the operator's default zone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from councilor_cli.positions import START, Document, Path, Place, UnreadableError, read
from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.complaints import problems_of
from councilor_operator.constants import GROUP, VERSION
from councilor_operator.schedule import CompiledSchedule, ScheduleError, compile_schedule, quote

API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "Councilor"
STAND_IN_UID: Final = "00000000-0000-0000-0000-000000000000"
"""For the values of H, which follow from the UID that the API server will give."""

# apimachinery, validation.IsDNS1123Subdomain.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LIMIT: Final = 253
_NAME_FORM: Final = "up to 253 small letters, digits, - and ., with a letter or digit at both ends"
_FIELDS: Final = ("apiVersion", "kind", "metadata", "spec", "status")


class Severity(StrEnum):
    """How bad a finding is: an error is refused, by the API server or by the operator."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong in a file; `message` names the field."""

    place: Place
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one file."""

    findings: tuple[Finding, ...]
    councilors: int
    others: int
    """Documents of other kinds: theirs is not checked."""


def check(text: str, *, default_zone: str = "UTC") -> Checked:
    """Check the documents of a file; `default_zone` is for schedules that name none."""
    findings: list[Finding] = []
    councilors = others = 0
    try:
        for document in read(text):
            for path, item in _objects(document.value):
                if isinstance(item, Mapping) and item.get("kind") not in (None, KIND):
                    others += 1
                    continue
                councilors += 1
                found = [*_repeated(document, path), *_findings(item, default_zone)]
                findings += [Finding(document.place((*path, *inner)), how, text) for inner, how, text in found]
    except UnreadableError as error:
        findings.append(Finding(error.place, Severity.ERROR, str(error)))
    else:
        if not councilors and not others:
            findings.append(Finding(START, Severity.ERROR, "there is nothing in it: write a Councilor"))
    order = sorted(findings, key=lambda finding: (finding.place.line, finding.place.column))
    return Checked(tuple(order), councilors, others)


def schedules(text: str, *, default_zone: str = "UTC") -> Iterator[tuple[str, CompiledSchedule]]:
    """Yield names and schedules of the Councilors of a file that `check` has nothing against."""
    for document in read(text):
        for _, item in _objects(document.value):
            if isinstance(item, Mapping) and item.get("kind") == KIND:
                spec = CouncilorSpec.model_validate(item["spec"])
                yield str(item["metadata"].get("name", "")), _compiled(spec, default_zone)


def _compiled(spec: CouncilorSpec, default_zone: str) -> CompiledSchedule:
    return compile_schedule(
        type=spec.schedule.type,
        value=spec.schedule.value,
        time_zone=spec.schedule.time_zone,
        default_zone=default_zone,
        uid=STAND_IN_UID,
    )


def _objects(value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the objects of a document: itself, or the items of a List."""
    if isinstance(value, Mapping) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        yield from ((("items", position), item) for position, item in enumerate(value["items"]))
    elif value is not None:
        yield (), value


_Found = tuple[Path, Severity, str]


def _repeated(document: Document, path: Path) -> Iterator[_Found]:
    for found in document.repeated:
        if found[: len(path)] == path:
            inner = found[len(path) :]
            yield inner, Severity.ERROR, f"{_shown(inner)}: stands here more than once, remove all but one"


def _findings(item: Any, default_zone: str) -> Iterator[_Found]:
    if not isinstance(item, Mapping):
        yield (), Severity.ERROR, f"no object: write apiVersion: {API_VERSION}, kind: {KIND}, metadata and spec"
        return
    yield from _head(item)
    yield from _metadata(item.get("metadata"))
    spec = item.get("spec")
    if not isinstance(spec, Mapping):
        yield ("spec",), Severity.ERROR, "spec: missing, write an object with the fields agentId, schedule, task"
        return
    yield from _spec(spec, default_zone)


def _head(item: Mapping[str, Any]) -> Iterator[_Found]:
    for field, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if field not in item:
            yield (), Severity.ERROR, f"{field}: missing, write {wanted}"
        elif item[field] != wanted:
            yield (field,), Severity.ERROR, f"{field}: write {wanted}"
    for field in item:
        if field not in _FIELDS:
            similar = get_close_matches(str(field)[:64], _FIELDS, n=1)
            advice = f"write {similar[0]} or remove it" if similar else "remove it"
            yield (str(field),), Severity.ERROR, f"{quote(str(field))}: there is no such field, {advice}"


def _metadata(metadata: Any) -> Iterator[_Found]:
    if not isinstance(metadata, Mapping) or not (metadata.get("name") or metadata.get("generateName")):
        yield ("metadata",), Severity.ERROR, "metadata.name: missing, write a name such as coverage-review"
        return
    name = metadata.get("name")
    if name is None:
        return
    if not isinstance(name, str):
        yield ("metadata", "name"), Severity.ERROR, "metadata.name: not a text, put it in quotes"
    elif len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        yield ("metadata", "name"), Severity.ERROR, f"metadata.name: write {_NAME_FORM}"


def _spec(spec: Mapping[str, Any], default_zone: str) -> Iterator[_Found]:
    try:
        valid = CouncilorSpec.model_validate(spec)
    except ValidationError as error:
        for path, message in problems_of(error).items():
            yield ("spec", *path), Severity.ERROR, message
        return
    try:
        compiled = _compiled(valid, default_zone)
    except ScheduleError as error:
        yield _path(error.field), Severity.ERROR, f"spec.{error.field}: {error.message}"
        return
    for lint in compiled.warnings:
        yield _path(lint.field), Severity.WARNING, f"spec.{lint.field}: {lint.message}"
    if valid.execution.cwd is None:
        yield (
            ("spec", "execution"),
            Severity.WARNING,
            "spec.execution.cwd: not given; without a default of the operator it is refused there",
        )


def _path(field: str) -> Path:
    return ("spec", *field.split("."))


def _shown(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
