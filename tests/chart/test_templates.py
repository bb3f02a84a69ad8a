"""What the chart renders, over a matrix of values."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from councilor_operator import __version__
from councilor_operator.config import OperatorConfig
from councilor_operator.rights import RULES, SYNC_RULES, VERIFY_RULES
from councilor_operator.sync.config import SyncConfig
from tests.chart.helm import CHART, NAMESPACE, RELEASE, URL, Object, merged, rendered, run
from tests.chart.matrix import MATRIX, Values

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
INSIDE = {"COUNCILOR_LISTEN_ADDRESS"}
"""A Pod's own business."""


@functools.cache
def objects(row: str) -> list[Object]:
    return rendered(merged(URL, MATRIX[row]))


def of(row: str, kind: str, component: str | None = None) -> list[Object]:
    return [
        item
        for item in objects(row)
        if item["kind"] == kind and component in (None, item["metadata"]["labels"]["app.kubernetes.io/component"])
    ]


def pods(row: str) -> Iterator[tuple[str, Object]]:
    for item in objects(row):
        if item["kind"] == "Deployment":
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def environment(row: str, component: str) -> dict[str, str]:
    container = of(row, "Deployment", component)[0]["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


@pytest.mark.parametrize("row", MATRIX)
def test_every_object_is_labelled_and_in_its_place(row: str) -> None:
    asked: Values = MATRIX[row]
    others = [asked.get(part, {}).get("namespace") for part in ("sync", "verify")]
    allowed = {NAMESPACE, *asked.get("namespaces", []), *others}
    seen = set()
    for item in objects(row):
        metadata = item["metadata"]
        assert metadata["labels"]["app.kubernetes.io/version"] == __version__
        assert metadata["labels"]["app.kubernetes.io/instance"] == RELEASE
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        if item["kind"] in CLUSTER_WIDE:
            assert "namespace" not in metadata
        else:
            assert metadata["namespace"] in allowed
        assert len(metadata["name"]) <= 63 or item["kind"] in CLUSTER_WIDE
        key = (item["kind"], metadata.get("namespace"), metadata["name"])
        assert key not in seen, key
        seen.add(key)


@pytest.mark.parametrize("row", MATRIX)
def test_no_object_holds_a_secret_or_nothing(row: str) -> None:
    assert not of(row, "Secret")
    text = json.dumps([item for item in objects(row) if item["kind"] != "ConfigMap"])  # Grafana has nulls of its own
    for empty in ('": null', '"<nil>"', "%!", "<no value>"):
        assert empty not in text


@pytest.mark.parametrize("row", MATRIX)
def test_every_pod_is_of_the_restricted_level(row: str) -> None:
    found = dict(pods(row))
    assert found
    for name, spec in found.items():
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(spec.get(word) for word in ("hostNetwork", "hostPID", "hostIPC", "volumes"))
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
            assert container["resources"]


@pytest.mark.parametrize("row", [row for row in MATRIX if row != "names"])
def test_selectors_never_change(row: str) -> None:
    for item in of(row, "Deployment"):
        labels = item["spec"]["template"]["metadata"]["labels"]
        component = item["metadata"]["labels"]["app.kubernetes.io/component"]
        selector = item["spec"]["selector"]["matchLabels"]
        assert selector == {
            "app.kubernetes.io/name": "councilor-operator",
            "app.kubernetes.io/instance": RELEASE,
            "app.kubernetes.io/component": component,
        }
        assert selector.items() <= labels.items()
    for item in of(row, "Service") + of(row, "PodDisruptionBudget"):
        chosen = item["spec"].get("selector", {}).get("matchLabels") or item["spec"]["selector"]
        assert chosen["app.kubernetes.io/component"] in {"operator", "sync"}


@pytest.mark.parametrize("row", MATRIX)
def test_both_processes_take_their_settings(row: str) -> None:
    """The settings are those that the processes read, and they read them."""
    given = environment(row, "operator")
    own = {OperatorConfig.variable(name) for name in OperatorConfig.model_fields}
    extra = {"TZ"} if row == "operator" else set()
    assert set(given) - extra <= own
    OperatorConfig.from_environment(given)
    if of(row, "Deployment", "sync"):
        given = {**environment(row, "sync"), "MONGODB_URI": "mongodb://db"}
        extra = {"TZ"} if row == "sync-settings" else set()
        assert set(given) - extra <= {SyncConfig.variable(name) for name in SyncConfig.model_fields}
        SyncConfig.from_environment(given)


def test_no_setting_is_forgotten() -> None:
    """Every setting of the code can be reached through values, but for what belongs to a Pod's insides."""
    rows = [environment(row, "operator") for row in MATRIX]
    reached = {name for row in rows for name in row}
    assert reached >= {OperatorConfig.variable(name) for name in OperatorConfig.model_fields} - INSIDE
    rows = [environment(row, "sync") for row in MATRIX if of(row, "Deployment", "sync")]
    reached = {name for row in rows for name in row}
    assert reached >= {SyncConfig.variable(name) for name in SyncConfig.model_fields} - INSIDE


def test_the_defaults_are_the_codes_own() -> None:
    """What values.yaml says without being asked is what the processes do without being told."""
    needed = {"COUNCILOR_CONDUCTOR_URL": "http://c", "COUNCILOR_RUNNER_IMAGE": "i"}
    ignored = {"conductor_url", "runner_image"}
    rendered_config = OperatorConfig.from_environment(environment("defaults", "operator")).model_dump(exclude=ignored)
    assert rendered_config == OperatorConfig.from_environment(needed).model_dump(exclude=ignored)
    needed = {"MONGODB_URI": "mongodb://db", "COUNCILOR_SYNC_NAMESPACE": NAMESPACE}
    given = {**environment("sync-in-its-own-namespace", "sync"), "MONGODB_URI": "mongodb://db"}
    assert SyncConfig.from_environment(given) == SyncConfig.from_environment(needed)


def rights(row: str, kind: str, component: str) -> list[list[Any]]:
    return [item["rules"] for item in of(row, kind, component) if "aggregat" not in json.dumps(item["metadata"])]


def test_rights_are_those_that_the_code_needs() -> None:
    assert rights("defaults", "ClusterRole", "operator") == [RULES]
    assert rights("namespaces", "ClusterRole", "operator") == []
    assert rights("namespaces", "Role", "operator") == [RULES] * 3
    assert rights("namespaces", "Role", "sync") == [SYNC_RULES]
    assert rights("sync", "Role", "sync") == [SYNC_RULES]
    assert rights("defaults", "Role", "verify") == [VERIFY_RULES]
    roles = {(item["metadata"]["namespace"]) for item in of("namespaces", "Role", "operator")}
    assert roles == {"chamber", "council", "councilors"}
    left = [item["metadata"]["name"] for item in objects("without-rights") if "Role" in item["kind"]]
    assert set(left) == {f"{RELEASE}-verify"}  # the test's own, which are there while it runs


@pytest.mark.parametrize("row", MATRIX)
def test_bindings_bind_what_is_there(row: str) -> None:
    roles = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in objects(row)}
    accounts = {spec["serviceAccountName"] for _, spec in pods(row)}
    for item in objects(row):
        if item["kind"].endswith("Binding"):
            ref = item["roleRef"]
            assert (ref["kind"], item["metadata"].get("namespace"), ref["name"]) in roles
            assert {subject["name"] for subject in item["subjects"]} <= accounts
            assert {subject["namespace"] for subject in item["subjects"]} == {NAMESPACE}


def test_what_rolls_a_deployment_out() -> None:
    """A setting that changes is a Pod that changes; the version of the chart alone is none."""
    template = of("defaults", "Deployment")[0]["spec"]["template"]
    assert template != of("conductor", "Deployment")[0]["spec"]["template"]
    assert "helm.sh/chart" not in json.dumps(template)
    assert "app.kubernetes.io/version" not in json.dumps(template)


def test_nothing_of_the_chart_reaches_cron_jobs() -> None:
    """CronJobs change with the operator's settings: none of them holds the release's name, revision or version, but the
    runner's image."""
    given = environment("defaults", "operator")
    holders = {name for name, value in given.items() if __version__ in value or RELEASE in value}
    assert holders <= {"COUNCILOR_RUNNER_IMAGE"}


def test_monitors_keep_the_councilors_labels() -> None:
    for kind, key in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
        (monitor,) = of("monitoring", kind)
        assert monitor["spec"][key][0]["honorLabels"] is True


def test_alerts_can_be_left_out_and_labelled() -> None:
    (rules,) = of("monitoring", "PrometheusRule")
    alerts = {rule["alert"]: rule for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert "CouncilorUnhealthy" not in alerts
    assert "CouncilorSyncDown" not in alerts
    assert len(alerts) > 15
    assert all(rule["labels"]["team"] == "platform" and rule["labels"]["severity"] for rule in alerts.values())
    assert "{{ $labels.namespace }}" in alerts["CouncilorNotReady"]["annotations"]["summary"]


def test_both_helms_render_the_same() -> None:
    values = merged(URL, MATRIX["monitoring"], MATRIX["network"])
    assert rendered(values) == rendered(values, version="helm3")


@pytest.mark.parametrize(
    ("release", "operator", "sync"),
    [
        ("councilor-operator", "councilor-operator", "councilor-operator-sync"),
        ("agents", "agents-councilor-operator", "agents-councilor-operator-sync"),
        ("my-councilor-operator", "my-councilor-operator", "my-councilor-operator-sync"),
        ("r" * 53, "r" * 40, "r" * 40 + "-sync"),
    ],
)
def test_names(release: str, operator: str, sync: str) -> None:
    found = rendered(merged(URL, MATRIX["sync"]), release=release)
    assert [item["metadata"]["name"] for item in found if item["kind"] == "Deployment"] == [operator, sync]


def test_runs_are_limited_where_the_release_knows_of_some() -> None:
    def limited(**values: object) -> list[str]:
        policy = {"networkPolicy": {"runner": {"enabled": True}}}
        found = rendered(merged(URL, policy, values))
        return [item["metadata"]["namespace"] for item in found if item["kind"] == "NetworkPolicy"]

    assert limited() == [NAMESPACE]
    assert limited(namespaces=["a", "b"]) == ["a", "b"]
    assert limited(verify={"namespace": "chamber"}) == ["chamber"]
    sync = {"enabled": True, "namespace": "council"}
    assert limited(sync=sync, verify={"namespace": "chamber"}) == ["council", "chamber"]
    assert limited(sync=sync, verify={"namespace": "council"}) == ["council"]


def test_a_name_of_digits_stays_a_text() -> None:
    everything = rendered(merged(URL, {"nameOverride": "007"}), release="123")
    labels = [item["metadata"]["labels"] for item in everything]
    assert {type(value) for found in labels for value in found.values()} == {str}
    (deployment,) = (item for item in everything if item["kind"] == "Deployment")
    assert deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "123"
    assert deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] == "007"


def test_annotations_of_a_pod_have_each_key_once() -> None:
    key = "kubectl.kubernetes.io/default-container"
    values = merged(URL, {"operator": {"podAnnotations": {key: "x"}}})
    done = run("template", "r", CHART, "--kube-version", "1.36.0", values=values)
    assert done.stdout.count(key) == 1
    assert f"{key}: x" in done.stdout
