"""values.yaml explains every value, and its schema refuses what is no value of the chart."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from councilor_operator import __version__
from hack.chart.values import described, page
from tests.chart.helm import CHART, ROOT, URL, Object, merged, run
from tests.chart.matrix import MATRIX

VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
FOR_PARENTS = {("global",), ("enabled",)}
"""Values that Helm or a parent chart sets."""


def leaves(values: Object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        here = (*path, key)
        is_group = isinstance(value, dict) and value and is_closed(here)
        found |= leaves(value, here) if is_group else {here: value}
    return found


def schema_of(path: tuple[str, ...]) -> Object:
    node = SCHEMA
    for key in path:
        node = node["properties"][key]
    return node


def is_closed(path: tuple[str, ...]) -> bool:
    """Whether the chart knows all keys below, and they are no object of Kubernetes'."""
    return "properties" in schema_of(path) and path[-1] != "resources"


def schema_leaves(node: Object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if "properties" not in node or (path and path[-1] == "resources"):
        return {path}
    return {leaf for key, child in node["properties"].items() for leaf in schema_leaves(child, (*path, key))}


def test_values_and_schema_have_the_same_keys() -> None:
    assert set(leaves(VALUES)) == schema_leaves(SCHEMA) - FOR_PARENTS


def test_every_value_is_explained() -> None:
    explained = {value.path: value.text for value in described((CHART / "values.yaml").read_text())}
    missing = [".".join(path) for path in leaves(VALUES) if not explained.get(".".join(path))]
    assert not missing
    for path in leaves(VALUES):
        assert schema_of(path)["description"] == explained[".".join(path)]


def test_every_value_is_set_by_the_matrix() -> None:
    """What no row sets is never seen rendered."""
    everything: Object = {}
    for row in (URL, *MATRIX.values()):
        everything = merged(everything, row)
    missing = [".".join(path) for path in leaves(VALUES) if not reaches(everything, path)]
    assert not missing


def reaches(values: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def open_objects(node: Object, path: str = "") -> list[str]:
    children = node.get("properties", {})
    found = [path] if children and node.get("additionalProperties", True) is not False else []
    return found + [name for key, child in children.items() for name in open_objects(child, f"{path}.{key}")]


def test_every_object_of_the_chart_is_closed() -> None:
    assert not [name for name in open_objects(SCHEMA) if not name.endswith("extraEnv")]


REFUSED: dict[str, tuple[Object, str]] = {
    "typo": ({"operater": {}}, "additional properties 'operater' not allowed"),
    "typo below": ({"operator": {"metricsPerCouncillor": True}}, "'metricsPerCouncillor'"),
    "typo in an image": ({"image": {"name": "x"}}, "'name'"),
    "typo in the sync": ({"sync": {"dialect": "conductor"}}, "'dialect'"),
    "URI in place of a Secret": ({"sync": {"mongodb": {"uri": "mongodb://user:password@db"}}}, "'uri'"),
    "text for a number": ({"operator": {"workers": "many"}}, "/operator/workers"),
    "too many workers": ({"operator": {"workers": 1000}}, "/operator/workers"),
    "no resync": ({"operator": {"resyncSeconds": 1}}, "/operator/resyncSeconds"),
    "text for a switch": ({"sync": {"enabled": "yes"}}, "/sync/enabled"),
    "unknown dialect": ({"sync": {"cronDialect": "quartz"}}, "/sync/cronDialect"),
    "unknown protocol": ({"conductor": {"protocol": "http"}}, "/conductor/protocol"),
    "address without scheme": ({"conductor": {"url": "conductor:8000"}}, "/conductor/url"),
    "credentials in an address": ({"conductor": {"url": "http://user:password@conductor"}}, "/conductor/url"),
    "credentials in a proxy": ({"runner": {"proxy": {"https": "http://user:password@proxy"}}}, "/runner/proxy/https"),
    "range without proxy": ({"runner": {"proxy": {"noProxy": ["10.0.0.0/8"]}}}, "/runner/proxy/noProxy/0"),
    "one namespace as text": ({"namespaces": "councilors"}, "/namespaces"),
    "namespace that is none": ({"namespaces": ["Councilors"]}, "/namespaces/0"),
    "namespace twice": ({"namespaces": ["a", "a"]}, "/namespaces"),
    "pull Secret as an object": ({"imagePullSecrets": [{"name": "registry"}]}, "/imagePullSecrets/0"),
    "digest without algorithm": ({"image": {"digest": "0" * 64}}, "/image/digest"),
    "tag with a space": ({"runner": {"image": {"tag": "1 2"}}}, "/runner/image/tag"),
    "pull policy": ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    "log level": ({"operator": {"logLevel": "trace"}}, "/operator/logLevel"),
    "resources of another name": ({"runner": {"resources": {"limit": {"memory": "1Gi"}}}}, "'limit'"),
    "interval": ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "/metrics/serviceMonitor/interval"),
    "port": ({"networkPolicy": {"apiServer": {"ports": [0]}}}, "/networkPolicy/apiServer/ports/0"),
    "time to verify": ({"verify": {"timeoutSeconds": 1}}, "/verify/timeoutSeconds"),
    "no eviction at all": (
        {"operator": {"podDisruptionBudget": {"maxUnavailable": 0}}},
        "/operator/podDisruptionBudget/maxUnavailable",
    ),
    "long name": ({"fullnameOverride": "n" * 41}, "/fullnameOverride"),
    "variable": ({"operator": {"extraEnv": [{"name": "NOT-A NAME"}]}}, "/operator/extraEnv/0/name"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_the_schema_refuses(case: str, version: str) -> None:
    values, words = REFUSED[case]
    done = run("template", "r", CHART, "--kube-version", "1.36.0", version=version, values=merged(URL, values))
    assert done.returncode != 0
    assert (words if version == "helm" else as_helm_3_17(words)) in done.stderr, done.stderr


def as_helm_3_17(words: str) -> str:
    """The same, in the words of another library: paths with points, names of properties without quotes."""
    if words.startswith("/"):
        return f"- {words[1:].replace('/', '.')}: "
    (name,) = re.findall("'(.*)'", words)
    return f": Additional property {name} is not allowed"


SENTENCES: dict[str, tuple[Object, str]] = {
    "no address": ({}, "conductor.url is missing: say where"),
    "sync beside the operator's namespaces": (
        merged(URL, {"namespaces": ["chamber"], "sync": {"enabled": True, "namespace": "council"}}),
        "sync.namespace is council, which is none of `namespaces`",
    ),
    "check beside the operator's namespaces": (
        merged(URL, {"namespaces": ["chamber"], "verify": {"namespace": "council"}}),
        "verify.namespace is council, which is none of `namespaces`",
    ),
    "rules without metrics": (
        merged(URL, {"metrics": {"enabled": False, "prometheusRule": {"enabled": True}}}),
        "metrics.prometheusRule.enabled needs metrics.enabled",
    ),
    "monitor without Service": (
        merged(URL, {"metrics": {"service": {"enabled": False}, "serviceMonitor": {"enabled": True}}}),
        "metrics.serviceMonitor.enabled needs metrics.service.enabled",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_what_does_not_go_together_is_said(case: str) -> None:
    values, words = SENTENCES[case]
    done = run("template", "r", CHART, "--kube-version", "1.36.0", values=values)
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_helm_finds_nothing_to_complain_about(version: str) -> None:
    linted = run("lint", "--strict", "--kube-version", "1.36.0", CHART, version=version, values=URL)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_crd_is_the_generated_one() -> None:
    (copy,) = (CHART / "crds").iterdir()
    assert copy.read_text() == (ROOT / "crds" / copy.name).read_text()


def test_the_page_of_the_chart_lists_every_value() -> None:
    text = (CHART / "README.md").read_text()
    assert text == page((CHART / "values.yaml").read_text(), text)
    for path in leaves(VALUES):
        assert re.search(rf"^\| `{re.escape('.'.join(path))}` \|", text, re.MULTILINE)
