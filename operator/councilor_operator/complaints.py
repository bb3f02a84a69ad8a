"""Why a Councilor is refused, in words for the person who wrote it: what its types and the API server complain about,
by the fields of the Councilor. Pure.

The schema refuses most of this at the door. What is said here is for what a schema cannot say, and for objects that an
older CRD let through. Values are never repeated: prompts have no place in a status.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from councilor_operator.api.crd import structural
from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.errors import Cause
from councilor_operator.schedule import quote

PROBLEMS_SHOWN: Final = 5
_LIST_LIMIT: Final = 850
"""Characters of all problems together: with what stands before them a condition's message holds them."""
_MESSAGE_LIMIT: Final = 800

# Fields of the CronJob (batch/v1) and what they are made from; the first that matches counts.
_POD: Final = r"(?:spec\.)?(?:jobTemplate\.spec\.)?template\.spec\."
_ORIGINS: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (_POD + r"containers\[0\]\.resources", "spec.runner.resources"),
        (_POD + r"tolerations", "spec.runner.tolerations"),
        (_POD + r"nodeSelector", "spec.runner.nodeSelector"),
        (_POD + r"containers\[0\]\.env\[\d+\]\.valueFrom\.configMapKeyRef", "spec.task.promptFrom.configMapKeyRef"),
        (r"spec\.schedule$", "spec.schedule.value"),
        (r"spec\.timeZone$", "spec.schedule.timeZone"),
    )
)
# What apimachinery adds to its explanations; too long for a condition, and of no use to most.
_REGEX: Final = re.compile(r",? \(?e\.g\. .*$|,? ?\(?regex used for validation.*$|; regex.*$", re.DOTALL)


def describe_errors(error: ValidationError) -> str:
    """Say which fields of a spec are wrong and what to write there, without repeating their values."""
    return _listed(problems_of(error).values())


def problems_of(error: ValidationError) -> dict[tuple[str | int, ...], str]:
    """Return what `describe_errors` says, whole and by the paths of the fields below `spec`."""
    # A union complains once for each of its members, and about the same field.
    problems: dict[tuple[str | int, ...], str] = {}
    for item in error.errors(include_url=False, include_input=False):
        path, schema = _located(item["loc"])
        problems.setdefault(path, _problem(path, schema, item))
    return problems


def describe_rejection(kind: str, message: str, causes: Sequence[Cause]) -> str:
    """Say what the API server has against a CronJob or Job by the fields of the Councilor it was made from.

    `message` is what it said, for answers without causes: a quota, an admission webhook, missing rights. The order is
    always the same: the API server visits mappings in another order each time, and a condition that changes is
    written, told and looked at again.
    """
    refused = f"the API server refuses the {kind}"
    if not causes:
        return f"{refused}, change the Councilor or the rule that it breaks: {quote(message, _MESSAGE_LIMIT)[1:-1]}"
    problems = sorted({f"{_origin(cause.field)}: {_REGEX.sub('', cause.message)}" for cause in causes})
    return f"{refused}, change these fields: {_listed(problems)}"


def _listed(problems: Iterable[str]) -> str:
    found = list(problems)
    shown, more = found[:PROBLEMS_SHOWN], len(found) - PROBLEMS_SHOWN
    limit = _LIST_LIMIT // max(1, len(shown))
    return "; ".join(problem if len(problem) <= limit else problem[: limit - 1] + "…" for problem in shown) + (
        f"; and {more} more" if more > 0 else ""
    )


def _origin(field: str) -> str:
    for pattern, replacement in _ORIGINS:
        if pattern.match(field):
            return pattern.sub(replacement, field, count=1)
    return f"{field} of the CronJob"


@cache
def _schema() -> Mapping[str, Any]:
    document = CouncilorSpec.model_json_schema(by_alias=True)
    schema: Mapping[str, Any] = structural(document, document["$defs"])
    return schema


def _located(location: Sequence[str | int]) -> tuple[tuple[str | int, ...], Mapping[str, Any] | None]:
    """Return the path of a complaint and what the schema says of it, None for what it does not know."""
    path: list[str | int] = []
    schema: Mapping[str, Any] | None = _schema()
    for part in location:
        if schema is None:
            break
        if isinstance(part, int):
            inner = schema.get("items")
        elif "properties" in schema:
            inner = schema["properties"].get(part)
        else:
            inner = schema.get("additionalProperties")
        if inner is None and ("type" not in schema or schema["type"] not in {"object", "array"}):
            # Which member of a union complained.
            break
        path.append(part)
        schema = inner
    return tuple(path), schema


def _problem(path: tuple[str | int, ...], schema: Mapping[str, Any] | None, item: Any) -> str:
    shown = "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in path)
    match item["type"]:
        case "value_error":
            return f"{shown}: {item['ctx']['error']}"
        case "extra_forbidden":
            siblings = (_located(path[:-1])[1] or {}).get("properties", ())
            similar = difflib.get_close_matches(str(path[-1])[:64], siblings, n=1)
            return f"{shown}: there is no such field, {f'write {similar[0]} or ' if similar else ''}remove it"
        case "missing":
            return f"{shown}: missing, write {_form(schema or {})}"
        case _:
            return f"{shown}: write {_form(schema or {})}"


def _name(part: str) -> str:
    return part if re.fullmatch(r"[A-Za-z0-9_]{1,40}", part) else quote(part)


def _form(schema: Mapping[str, Any]) -> str:
    """Say what a field has to look like."""
    if schema.get("x-kubernetes-int-or-string"):
        return "an amount such as 500m, 2 or 1Gi"
    if "enum" in schema:
        values: Sequence[Any] = schema["enum"]
        return " or ".join(filter(None, (", ".join(map(str, values[:-1])), str(values[-1]))))
    match schema.get("type"):
        case "object" if "properties" in schema:
            return "an object with the fields " + ", ".join(schema.get("required", schema["properties"]))
        case "object":
            most, value = schema["maxProperties"], _form(schema["additionalProperties"])
            return f"an object of up to {most} names, each with {value}"
        case "array":
            return f"a list of up to {schema['maxItems']}, each of them {_form(schema['items'])}"
        case "integer" if "minimum" in schema:
            return f"a whole number from {schema['minimum']} to {schema['maximum']}"
        case "integer":
            return "a whole number"
        case "boolean":
            return "true or false"
        case _ if "pattern" in schema or "x-kubernetes-validations" in schema:
            # Nobody reads a regular expression for an answer: the descriptions of these fields say the form in words.
            return f"text ({schema['description'].removesuffix('.')})"
        case _ if least := schema.get("minLength"):
            return f"text of {least} to {schema['maxLength']} characters"
        case _:
            return f"text of up to {schema['maxLength']} characters"
