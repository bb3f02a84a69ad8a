"""Types to CustomResourceDefinition: prints the CRD that `crds/` holds (`python -m councilor_operator.api.crd`).

pydantic emits JSON Schema 2020-12; the API server wants a *structural* schema (apiextensions v1): no `$ref`, no `type:
"null"`, no `title`, no `additionalProperties: false`. The conversion is the whole of this module; what a field means
stands in `v1alpha1.py`.
"""

import sys
from collections.abc import Mapping
from typing import Any

import yaml

from councilor_operator.api.v1alpha1 import Councilor
from councilor_operator.constants import GROUP, KIND, PLURAL, VERSION

COLUMNS: list[dict[str, Any]] = [
    {"name": "Agent", "type": "string", "jsonPath": ".spec.agentId"},
    {"name": "Schedule", "type": "string", "jsonPath": ".spec.schedule.value"},
    {"name": "Zone", "type": "string", "jsonPath": ".status.timeZone", "priority": 1},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Last Run", "type": "date", "jsonPath": ".status.lastRun.startedAt"},
    {"name": "Result", "type": "string", "jsonPath": ".status.lastRun.result"},
    # A date column prints an age, and <invalid> for a time to come.
    {"name": "Next Run", "type": "string", "jsonPath": ".status.nextRunTimes[0]"},
    {"name": "Success", "type": "number", "jsonPath": ".status.stats.successRate"},
    {"name": "Runs", "type": "integer", "jsonPath": ".status.stats.totalExecutions", "priority": 1},
    {"name": "Healthy", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Healthy')].reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]

_DROPPED = frozenset({"$defs", "title", "additionalProperties", "discriminator"})


def structural(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Return one node of a pydantic schema as a structural schema; `definitions` is the document's `$defs`.

    Raises `ValueError` for a union other than "X or nothing", which a structural schema cannot say.
    """
    if not isinstance(node, Mapping):
        return node
    node = dict(node)
    if node.pop("x-kubernetes-int-or-string", False):
        bounds = _keep(node, "description", "maxLength", "pattern", "minimum")
        return {"x-kubernetes-int-or-string": True, **bounds}
    if reference := node.pop("$ref", None):
        # What stands beside a reference (the field's own description) wins over the definition's.
        return structural({**definitions[reference.rpartition("/")[2]], **node}, definitions)
    if choices := node.pop("anyOf", None):
        concrete = [choice for choice in choices if choice.get("type") != "null"]
        if len(concrete) != 1:
            raise ValueError(f"a structural schema cannot hold the union {choices}")
        return structural({**concrete[0], **node}, definitions)

    schema: dict[str, Any] = {}
    if isinstance(values := node.get("additionalProperties"), Mapping):
        schema["additionalProperties"] = structural(values, definitions)
    for key, value in node.items():
        match key:
            case "properties":
                schema[key] = {name: structural(child, definitions) for name, child in value.items()}
            case "items":
                schema[key] = structural(value, definitions)
            case "description":
                schema[key] = " ".join(value.split())
            case "const":
                schema["enum"] = [value]
            case "default":
                # An absent parent stays absent; its children's defaults are documented on the children.
                if value not in (None, "", []) and not isinstance(value, Mapping):
                    schema[key] = value
            case _ if key not in _DROPPED:
                schema[key] = value
    return schema


def _keep(node: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: node[key] for key in keys if key in node}


def custom_resource_definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition of the Councilor (apiextensions.k8s.io/v1)."""
    document = Councilor.model_json_schema(by_alias=True)
    schema = structural(document, document["$defs"])
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["cncl"],
                "categories": ["conductor"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": COLUMNS,
                    "schema": {
                        "openAPIV3Schema": {
                            **{key: value for key, value in schema.items() if key != "properties"},
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                **schema["properties"],
                            },
                        }
                    },
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: people read and review this file."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - signature of the library
        return True


def manifest() -> str:
    """Return the CRD as YAML, ready for `kubectl apply`."""
    header = "# Generated from operator/councilor_operator/api/v1alpha1.py by `make manifests`. Do not edit.\n"
    return header + yaml.dump(
        custom_resource_definition(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True
    )


if __name__ == "__main__":
    sys.stdout.write(manifest())
