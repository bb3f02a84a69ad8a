"""The generated CRD: a structural schema (apiextensions v1) with columns, bounds, defaults and rules of the design."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from councilor_operator.api.crd import custom_resource_definition, manifest, structural
from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.api.status import CouncilorStatus

Schema = dict[str, Any]
CRD = custom_resource_definition()
VERSION: Schema = CRD["spec"]["versions"][0]
ROOT: Schema = VERSION["schema"]["openAPIV3Schema"]
SPEC: Schema = ROOT["properties"]["spec"]
STATUS: Schema = ROOT["properties"]["status"]

# What a structural schema may hold, of which we use a part (apiextensions v1 JSONSchemaProps).
KNOWN = {
    "type",
    "description",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "enum",
    "default",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "nullable",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-int-or-string",
}


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from walk(schema[key], f"{path}[]")


NODES = dict(walk(ROOT))
FIELDS = {path: node for path, node in NODES.items() if path not in {"", ".apiVersion", ".kind", ".metadata"}}


def at(path: str) -> Schema:
    return NODES[path]


# --- the frame --------------------------------------------------------------------------------------------------------


def test_identity() -> None:
    assert CRD["apiVersion"] == "apiextensions.k8s.io/v1"
    assert CRD["metadata"]["name"] == "councilors.councilors.conductor.community"
    assert CRD["spec"]["group"] == "councilors.conductor.community"
    assert CRD["spec"]["scope"] == "Namespaced"
    assert CRD["spec"]["names"] == {
        "kind": "Councilor",
        "listKind": "CouncilorList",
        "plural": "councilors",
        "singular": "councilor",
        "shortNames": ["cncl"],
        "categories": ["conductor"],
    }


def test_one_version_served_and_stored_with_a_status_subresource() -> None:
    assert [version["name"] for version in CRD["spec"]["versions"]] == ["v1alpha1"]
    assert VERSION["served"] is VERSION["storage"] is True
    assert VERSION["subresources"] == {"status": {}}


def test_the_manifest_is_yaml_of_the_same_without_anchors() -> None:
    text = manifest()
    assert yaml.safe_load(text) == CRD
    assert not re.search(r"^[^#]*: [&*]", text, re.MULTILINE)
    assert text.startswith("# Generated")


def test_it_fits_the_annotation_of_kubectl_apply() -> None:
    assert len(json.dumps(CRD)) < 262144 // 2


# --- structural -------------------------------------------------------------------------------------------------------


def test_every_node_is_structural() -> None:
    for path, node in NODES.items():
        assert set(node) <= KNOWN, path
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert node.get("type") != "null", path
        assert node.get("additionalProperties") is not False, path
        assert not ({"properties", "additionalProperties"} <= set(node)), path


def test_nothing_of_pydantic_is_left() -> None:
    text = json.dumps(CRD)
    for word in ('"$ref"', '"$defs"', '"anyOf"', '"allOf"', '"oneOf"', '"const"', '"title": "', '"null"', "exclusiveM"):
        assert word not in text.replace('"title": {', ""), word


def test_a_field_called_title_survives() -> None:
    assert at(".spec.title")["type"] == "string"


def test_every_field_is_described() -> None:
    undescribed = [path for path, node in FIELDS.items() if not path.endswith("[]") and not node.get("description")]
    assert undescribed == []


def test_descriptions_are_one_line() -> None:
    assert not [path for path, node in NODES.items() if "\n" in node.get("description", "")]


def test_the_apiserver_can_bound_every_rule() -> None:
    """CEL assumes the worst of what has no bound: all text, lists and maps of the spec have one."""
    for path, node in walk(SPEC, ".spec"):
        match node.get("type"):
            case "string":
                assert "enum" in node or "maxLength" in node or "pattern" in node, path
            case "array":
                assert "maxItems" in node, path
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, path


def test_defaults_are_of_their_type_and_within_their_bounds() -> None:
    found = 0
    for path, node in NODES.items():
        if "default" not in node:
            continue
        found += 1
        default = node["default"]
        match node["type"]:
            case "boolean":
                assert isinstance(default, bool), path
            case "integer":
                assert isinstance(default, int), path
                assert node.get("minimum", default) <= default <= node.get("maximum", default), path
            case "string":
                assert default in node["enum"], path
            case "array":
                (rule,) = node["items"]["x-kubernetes-validations"]
                assert all(re.search(matched_by(rule["rule"]), item) for item in default), path
            case other:
                pytest.fail(f"{path}: a default of type {other}")
    assert found > 10


def test_no_required_field_has_a_default() -> None:
    for path, node in NODES.items():
        for name in node.get("required", ()):
            assert "default" not in node["properties"][name], f"{path}.{name}"


def test_status_objects_never_appear_by_default() -> None:
    """A default object would make the API server write a status that the operator never set."""
    assert not [path for path, node in walk(STATUS) if node.get("type") == "object" and "default" in node]


@pytest.mark.parametrize(
    ("union", "message"),
    [([{"type": "string"}, {"type": "integer"}], "union"), ([{"type": "null"}], "union")],
)
def test_a_union_that_no_structural_schema_can_say_is_refused(union: list[Schema], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        structural({"anyOf": union}, {})


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"$ref": "#/$defs/A"}, {"type": "object", "description": "of A"}),
        ({"$ref": "#/$defs/A", "description": "of the field"}, {"type": "object", "description": "of the field"}),
        ({"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}, {"type": "object", "description": "of A"}),
        ({"anyOf": [{"type": "null"}, {"type": "string"}], "default": None}, {"type": "string"}),
        ({"const": 1, "type": "integer"}, {"enum": [1], "type": "integer"}),
        ({"type": "object", "additionalProperties": False, "title": "T"}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/A"}},
            {"type": "object", "additionalProperties": {"type": "object", "description": "of A"}},
        ),
        (
            {"type": "array", "items": {"$ref": "#/$defs/A"}},
            {"type": "array", "items": {"type": "object", "description": "of A"}},
        ),
        ({"type": "string", "description": "two\n    lines"}, {"type": "string", "description": "two lines"}),
        ({"type": "boolean", "default": False}, {"type": "boolean", "default": False}),
        ({"type": "integer", "default": 0}, {"type": "integer", "default": 0}),
        ({"type": "object", "default": {}}, {"type": "object"}),
        ({"type": "array", "default": []}, {"type": "array"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}], "x-kubernetes-int-or-string": True},
            {"x-kubernetes-int-or-string": True},
        ),
        (
            {"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}},
            {"type": "object", "properties": {"title": {"type": "string"}}},
        ),
    ],
)
def test_conversion(node: Schema, expected: Schema) -> None:
    definitions = {"A": {"type": "object", "title": "A", "description": "of A", "additionalProperties": False}}
    assert structural(node, definitions) == expected


# --- the design -------------------------------------------------------------------------------------------------------


def test_columns() -> None:
    columns = VERSION["additionalPrinterColumns"]
    assert [(column["name"], column["type"], column.get("priority", 0)) for column in columns] == [
        ("Agent", "string", 0),
        ("Schedule", "string", 0),
        ("Zone", "string", 1),
        ("Phase", "string", 0),
        ("Last Run", "date", 0),
        ("Result", "string", 0),
        ("Next Run", "string", 0),
        ("Success", "number", 0),
        ("Runs", "integer", 1),
        ("Healthy", "string", 1),
        ("Age", "date", 0),
    ]


@pytest.mark.parametrize("column", VERSION["additionalPrinterColumns"], ids=lambda column: str(column["name"]))
def test_every_column_shows_a_field_of_its_type(column: dict[str, str]) -> None:
    if column["jsonPath"] == ".metadata.creationTimestamp":
        assert column["type"] == "date"
        return
    node = at(re.sub(r"\[[^]]+\]", "[]", column["jsonPath"]))
    expected = "date" if node.get("format") == "date-time" else node["type"]
    assert column["type"] == expected


@pytest.mark.parametrize(
    ("path", "required"),
    [
        ("", ["spec"]),
        (".spec", ["agentId", "schedule", "task"]),
        (".spec.schedule", ["type", "value"]),
        (".spec.task", None),
        (".spec.task.promptFrom", ["configMapKeyRef"]),
        (".spec.task.promptFrom.configMapKeyRef", ["name", "key"]),
        (".spec.execution", None),
        (".status", None),
        (".status.stats", None),
        (".status.conditions[]", ["type", "status", "lastTransitionTime", "reason"]),
        (".status.active[]", ["executionId", "jobName"]),
        (".status.recentRuns[]", ["jobName", "result"]),
    ],
)
def test_required(path: str, required: list[str] | None) -> None:
    assert at(path).get("required") == required


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("schedule.enabled", True),
        ("concurrencyPolicy", "Forbid"),
        ("task.outputFormat", "checklist"),
        ("execution.contextMode", "stateless"),
        ("execution.timeoutSeconds", 600),
        ("execution.retries", 2),
        ("verdict.askAgent", True),
        ("notifications.onSuccess", False),
        ("notifications.onWarning", True),
        ("notifications.onError", True),
        ("notifications.onRecovery", True),
        ("notifications.channels", ["panel"]),
        ("suspendAfterFailures", 5),
        ("history.successfulRuns", 3),
        ("history.failedRuns", 3),
    ],
)
def test_defaults(path: str, default: object) -> None:
    assert at(f".spec.{path}")["default"] == default


@pytest.mark.parametrize(
    "path",
    [
        "schedule.timeZone",
        "execution.cwd",
        "execution.provider",
        "task.name",
        "runner.resources",
        "verdict.errorKeywords",
    ],
)
def test_what_the_operator_decides_has_no_default(path: str) -> None:
    assert "default" not in at(f".spec.{path}")


@pytest.mark.parametrize(
    ("path", "bounds"),
    [
        ("agentId", {"minLength": 1, "maxLength": 253}),
        ("schedule.value", {"minLength": 1, "maxLength": 256}),
        ("schedule.startingDeadlineSeconds", {"minimum": 1, "maximum": 86400}),
        ("task.prompt", {"minLength": 1, "maxLength": 10000}),
        ("task.contextFiles", {"maxItems": 50}),
        ("execution.timeoutSeconds", {"minimum": 1, "maximum": 86400}),
        ("execution.retries", {"minimum": 0, "maximum": 10}),
        ("suspendAfterFailures", {"minimum": 0, "maximum": 1000}),
        ("history.successfulRuns", {"minimum": 1, "maximum": 100}),
        ("history.failedRuns", {"minimum": 1, "maximum": 100}),
        ("notifications.channels", {"maxItems": 20}),
        ("verdict.errorKeywords", {"maxItems": 100}),
        ("verdict.errorKeywords[]", {"minLength": 1, "maxLength": 100}),
        ("runner.nodeSelector", {"maxProperties": 20}),
        ("runner.resources.limits", {"maxProperties": 10}),
    ],
)
def test_bounds(path: str, bounds: dict[str, int]) -> None:
    node = at(f".spec.{path}")
    assert {key: node.get(key) for key in bounds} == bounds


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.schedule.type", ["interval", "cron"]),
        (".spec.concurrencyPolicy", ["Forbid", "Replace", "Allow"]),
        (".spec.task.outputFormat", ["summary", "detailed", "checklist"]),
        (".spec.execution.provider", ["claude", "gemini", "cursor-agent"]),
        (".spec.execution.contextMode", ["stateless", "stateful"]),
        (".status.phase", ["Scheduled", "Running", "Paused", "Suspended", "Invalid"]),
        (".status.conditions[].status", ["True", "False", "Unknown"]),
        (".status.lastRun.status", ["completed", "error", "skipped"]),
        (".status.lastRun.severity", ["success", "warning", "error"]),
        (".status.lastRun.trigger", ["scheduled", "manual"]),
        (".status.lastRun.result", ["success", "warning", "error", "failed", "skipped"]),
        (".status.recentRuns[].result", ["success", "warning", "error", "failed", "skipped"]),
    ],
)
def test_words(path: str, values: list[str]) -> None:
    assert at(path)["enum"] == values


def test_lists_say_how_they_merge() -> None:
    assert at(".status.conditions")["x-kubernetes-list-type"] == "map"
    assert at(".status.conditions")["x-kubernetes-list-map-keys"] == ["type"]
    assert at(".spec.notifications.channels")["x-kubernetes-list-type"] == "set"


def test_quantities_are_numbers_or_text() -> None:
    amount = at(".spec.runner.resources.limits")["additionalProperties"]
    assert amount["x-kubernetes-int-or-string"] is True
    assert (amount["minimum"], amount["maxLength"]) == (0, 32)
    assert re.search(amount["pattern"], "1.5Gi")
    assert not re.search(amount["pattern"], "lots")


def matched_by(rule: str) -> str:
    match = re.search(r"matches\(r?'(.*)'\)$", rule)
    assert match is not None
    return match[1]


def rules(path: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = at(path).get("x-kubernetes-validations", [])
    return found


def test_rules_stand_where_they_are_needed_and_tell_what_to_write() -> None:
    everywhere = [path for path, node in NODES.items() if "x-kubernetes-validations" in node]
    assert everywhere == [".spec.schedule", ".spec.task", ".spec.notifications.channels[]"]
    for path in everywhere:
        for rule in rules(path):
            assert len(rule["message"]) > 20
            assert rule.get("fieldPath", ".").startswith(".")
            assert "self" in rule["rule"]


def interval_pattern() -> str:
    (rule,) = [entry["rule"] for entry in rules(".spec.schedule") if "self.type != 'interval'" in entry["rule"]]
    return matched_by(rule)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("1m", True),
        ("45m", True),
        ("6h", True),
        ("365d", True),
        ("0m", False),
        ("01h", False),
        ("-5m", False),
        ("1.5h", False),
        ("90s", False),
        ("2w", False),
        ("6 h", False),
        ("6", False),
        ("h", False),
        ("6H", False),
        ("1h30m", False),
        ("6h\n", False),
    ],
)
def test_the_form_of_an_interval(value: str, allowed: bool) -> None:
    # RE2's $ is the end of the text, Python's \Z.
    pattern = interval_pattern().replace("$", r"\Z")
    assert bool(re.search(pattern, value)) is allowed


def test_prompt_and_prompt_from_exclude_each_other() -> None:
    assert any(rule["rule"] == "has(self.prompt) != has(self.promptFrom)" for rule in rules(".spec.task"))


def test_optional_fields_are_asked_for_before_they_are_used() -> None:
    for rule in rules(".spec.task"):
        for field in re.findall(r"self\.(\w+)\.", rule["rule"]):
            assert f"has(self.{field})" in rule["rule"]


# --- schema and parser are one ----------------------------------------------------------------------------------------


def test_schema_and_types_know_the_same_fields() -> None:
    for model, schema in ((CouncilorSpec, SPEC), (CouncilorStatus, STATUS)):
        assert set(schema["properties"]) == {field.alias for field in model.model_fields.values()}


def test_the_status_fields_of_the_design() -> None:
    assert set(STATUS["properties"]) >= {
        "observedGeneration",
        "conditions",
        "phase",
        "cronJobName",
        "schedule",
        "timeZone",
        "nextRunTimes",
        "active",
        "lastRun",
        "lastSuccessTime",
        "recentRuns",
        "stats",
    }
    assert set(at(".status.stats")["properties"]) == {
        "totalExecutions",
        "success",
        "warning",
        "error",
        "failed",
        "skipped",
        "missed",
        "unknown",
        "consecutiveFailures",
        "successRate",
    }
