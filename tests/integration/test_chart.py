"""The chart on a real API server: every object it renders is valid there, and releases come and go.

There is no node: Deployments do not start. What runs is tried in tests/e2e/test_chart.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from councilor_operator.constants import GROUP, PLURAL
from tests.chart import helm
from tests.chart.helm import CHART, NAMESPACE, RELEASE, URL, Object, merged, rendered
from tests.chart.matrix import MATRIX
from tests.chart.monitoring import definitions
from tests.controlplane.councilor import new_councilor
from tests.controlplane.fixtures import running_plane
from tests.controlplane.launcher import ControlPlane

CRD = f"{PLURAL}.{GROUP}"
SYNC = merged(URL, {"sync": {"enabled": True}})


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of the module's own: releases come with objects of the whole cluster."""
    with running_plane(tmp_path_factory.mktemp("control-plane")) as found:
        yield found


@pytest.fixture(scope="module")
def access(plane: ControlPlane) -> Path:
    """Path of its kubeconfig; nothing is installed."""
    return plane.up()


def test_every_rendered_object_is_valid(plane: ControlPlane, access: Path) -> None:
    for file in definitions():
        plane.kubectl("apply", "--server-side", "-f", str(file))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in (NAMESPACE, "chamber", "council", "councilors"):
        plane.kubectl("create", "namespace", name)
        # Pods that were not restricted would be refused.
        plane.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    refused = {row: said for row, values in MATRIX.items() if (said := _refusal(plane, rendered(merged(URL, values))))}
    assert refused == {}
    # The proof that somebody looks.
    (deployment,) = [item for item in rendered(URL) if item["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePull"] = "never"
    assert 'unknown field "spec.template.spec.containers[0].imagePull"' in _refusal(plane, [deployment])
    assert access.exists()


def _refusal(plane: ControlPlane, objects: list[Object]) -> str:
    for item in objects:
        if item["kind"] == "ServiceAccount":  # a Pod is refused without
            plane.kubectl("apply", "-f", "-", stdin=json.dumps(item))
    document = yaml.safe_dump_all(objects)
    done = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", check=False, stdin=document)
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("version", ["helm", "helm3"])
def test_a_release_comes_changes_and_goes(plane: ControlPlane, access: Path, tmp_path: Path, version: str) -> None:
    namespace = f"released-by-{version}"
    environment = {
        "KUBECONFIG": str(access),
        "HELM_CACHE_HOME": str(tmp_path / "cache"),
        "HELM_CONFIG_HOME": str(tmp_path / "config"),
        "HELM_DATA_HOME": str(tmp_path / "data"),
    }

    def call(*arguments: str | Path, values: Object | None = None) -> str:
        done = helm.run(*arguments, "--namespace", namespace, version=version, values=values, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(kind: str, *scope: str) -> set[str]:
        labels = f"app.kubernetes.io/instance={RELEASE},helm.sh/chart"
        found = json.loads(plane.kubectl("get", kind, *scope, "-l", labels, "-o", "json").stdout)
        return {item["metadata"]["name"] for item in found["items"]}

    here = ("-n", namespace)
    told = call("install", RELEASE, CHART, "--create-namespace", values=URL)
    assert "kubectl create secret generic councilor-runner -n councilors" in told
    plane.kubectl("wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=30s")
    assert objects("deployments", *here) == {RELEASE}
    before = objects("clusterroles")

    plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(new_councilor("licences")))
    told = call("upgrade", RELEASE, CHART, values=merged(SYNC, {"namespaces": [namespace]}))
    assert "kubectl apply --server-side" in told
    assert objects("deployments", *here) == {RELEASE, f"{RELEASE}-sync"}
    assert objects("roles", *here) == {RELEASE, f"{RELEASE}-sync"}
    assert objects("clusterroles") < before

    call("rollback", RELEASE, "1")
    assert objects("deployments", *here) == {RELEASE}
    assert objects("roles", *here) == set()
    assert objects("clusterroles") == before

    call("uninstall", RELEASE)
    for kind in ("deployments", "serviceaccounts", "services"):
        assert objects(kind, *here) == set()
    assert objects("clusterroles") == set()
    assert plane.kubectl("get", "councilor", "licences", *here, "-o", "name").stdout.strip().endswith("/licences")

    call("install", RELEASE, CHART, values=URL)
    assert objects("deployments", *here) == {RELEASE}
    call("uninstall", RELEASE)


def test_the_crd_is_upgraded_by_the_command_of_the_notes(plane: ControlPlane, access: Path) -> None:
    """From a CRD that somebody applied with kubectl, as `helm install` does not touch it."""
    shown = helm.run("show", "crds", CHART).stdout
    old = yaml.safe_load(shown)
    del old["spec"]["versions"][0]["additionalPrinterColumns"]
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(old))
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=shown)
    columns = json.loads(plane.kubectl("get", "crd", CRD, "-o", "json").stdout)["spec"]["versions"][0]
    assert columns["additionalPrinterColumns"]
    assert access.exists()
