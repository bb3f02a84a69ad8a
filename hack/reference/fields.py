"""docs/reference.md: every field of a Councilor from the CRD's schema, every setting from its type. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from councilor_operator.config import OperatorConfig

_INTRODUCTION: Final = """\
<!-- Generated from the types by `make manifests`. -->

# Reference

The kind `Councilor`, `councilors.conductor.community/v1alpha1`; also by `kubectl explain councilor.spec --recursive`.
What is not in these tables is refused, with the name that may have been meant.

"""
_SETTINGS: Final = """\
## Settings of the operator

Environment variables; the chart sets them from its values. Those of the sync: [sync.md](sync.md#settings).

| variable | default | |
|---|---|---|
"""


def page(crd: Mapping[str, Any]) -> str:
    """Return the page."""
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    parts = [_INTRODUCTION]
    for part, title in (("spec", "## Spec"), ("status", "## Status")):
        parts += [f"{title}\n\n| field | type | default | |\n|---|---|---|---|\n", *_rows(schema[part], ""), "\n"]
    return "".join([*parts, _SETTINGS, *_settings()])


def _rows(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        need = "required" if name in required else _default(field)
        text = " ".join(str(field.get("description", "")).split())
        rules = " ".join(
            f"{rule['message'].rstrip('.').capitalize()}." for rule in field.get("x-kubernetes-validations", ())
        )
        words = _cell(" ".join(filter(None, (text, rules))))
        yield f"| `{path}` | {_type(field)} | {need} | {words} |\n"
        yield from _rows(field, f"{path}.")
        if field.get("type") == "array":
            yield from _rows(field["items"], f"{path}[].")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field or field["default"] in ({}, None):
        return ""
    value = field["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(field: Mapping[str, Any]) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    match field.get("type"):
        case "array":
            return f"list of {_type(field['items'])}"
        case "object" if "properties" not in field:
            return f"names to {_type(field.get('additionalProperties', {}))}"
        case "integer" if "minimum" in field and "maximum" in field:
            return f"{field['minimum']} to {field['maximum']}"
        case "string":
            return {"date-time": "time"}.get(str(field.get("format")), "text")
        case other:
            return str(other or "any")


def _settings() -> Iterator[str]:
    for name, field in OperatorConfig.model_fields.items():
        if field.is_required():
            default = "required"
        else:
            value = field.get_default(call_default_factory=True)
            shown = _shown(value)
            default = f"`{shown}`" if shown else ""
        yield f"| `{OperatorConfig.variable(name)}` | {_cell(default)} | {_cell(field.description or '')} |\n"


def _shown(value: object) -> str:
    """Return a default as it would stand in the environment."""
    match value:
        case None:
            return ""
        case tuple():
            return ",".join(map(str, value))
        case bool() | dict() | list():
            return json.dumps(value)
        case _:
            return str(value)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
