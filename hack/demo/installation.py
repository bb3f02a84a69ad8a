"""Puts an installation into the cluster and takes it out again, without touching anybody else's objects.

Operator and sync come by the chart, as everybody's do: one release. The type, the namespaces and the Secrets are made
beside it, and earlier.
"""

from typing import Any

import yaml

from councilor_operator.constants import GROUP, PLURAL

from . import manifests
from .cluster import Cluster
from .commands import ROOT, CommandError
from .manifests import LABEL_INSTANCE, OPERATOR, RELEASE, SYNC, Installation, Scope
from .progress import DemoError

CHART = ROOT / "charts" / "councilor-operator"
CRD = CHART / "crds" / f"{PLURAL}.{GROUP}.yaml"
ROLLOUT_SECONDS = 90
DELETION = "--timeout=90s"
LABEL_PART_OF = "app.kubernetes.io/part-of"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"


def prepare(cluster: Cluster, scope: Scope) -> None:
    """Makes what the operator and the Councilors live in: the type and the namespaces.

    Raises DemoError when something of the same name belongs to somebody else: two operators for one cluster would both
    answer, and taking this one out again would take the other one's Councilors with it.
    """
    names = (scope.operator_namespace, scope.councilor_namespace)
    taken = [
        f"{kind} {name}"
        for kind, name in (
            ("CustomResourceDefinition", f"{PLURAL}.{GROUP}"),
            *(("Namespace", name) for name in names),
        )
        if (found := cluster.find(kind, name)) is not None and _instance(found) != scope.instance
    ]
    taken += [f"release in namespace {name}" for name in _releases(cluster) if name != scope.operator_namespace]
    if taken:
        raise DemoError(
            f"this cluster has a {taken[0]} that is not this installation's ({LABEL_INSTANCE}={scope.instance}): use "
            "another cluster, or remove the other installation first (`make demo-down` for the demo's)"
        )
    definition = yaml.safe_load(CRD.read_text())
    definition["metadata"].setdefault("labels", {})[LABEL_INSTANCE] = scope.instance
    cluster.apply([definition, *manifests.namespaces(scope)])
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{PLURAL}.{GROUP}", "--timeout=30s")


def install(cluster: Cluster, installation: Installation) -> None:
    """Installs operator and sync, or changes those that are there, and returns when they are at work."""
    cluster.apply(manifests.secrets(installation))
    try:
        cluster.helm(
            *("upgrade", "--install", RELEASE, str(CHART), "--namespace", installation.scope.operator_namespace),
            # `prepare` has made it, with a label that says whose it is.
            "--skip-crds",
            *("--wait", f"--timeout={ROLLOUT_SECONDS}s", "--values", "-"),
            stdin=yaml.safe_dump(manifests.values(installation)),
        )
    except CommandError as error:
        raise DemoError(f"{error}\n{diagnosis(cluster, installation.scope)}") from error


def uninstall(cluster: Cluster, scope: Scope) -> None:
    """Takes operator and sync away; Councilors, their CronJobs and the Secrets stay. None there is no error."""
    cluster.helm(
        *("uninstall", RELEASE, "--namespace", scope.operator_namespace, "--ignore-not-found"),
        *("--wait", f"--timeout={ROLLOUT_SECONDS}s"),
    )


def remove(cluster: Cluster, scope: Scope) -> None:
    """Deletes the release and what carries the instance's label; what is gone already is no error. The Councilors go
    first."""
    labelled = ["-l", f"{LABEL_INSTANCE}={scope.instance}", "--ignore-not-found", DELETION]
    cluster.kubectl("delete", "crd", *labelled)
    uninstall(cluster, scope)
    cluster.kubectl("delete", "namespace", *labelled, "--wait=true")
    for name in (scope.councilor_namespace, scope.operator_namespace):
        if (left := cluster.find("namespace", name)) is not None and _instance(left) == scope.instance:
            raise DemoError(f"namespace {name} is still being deleted: see `kubectl describe namespace {name}`")


def diagnosis(cluster: Cluster, scope: Scope) -> str:
    """What a person needs to find out why nothing happens: Pods, events and the last words of operator and
    sync."""
    namespaces = (scope.operator_namespace, scope.councilor_namespace)
    questions = [
        ["get", f"{PLURAL}.{GROUP},cronjobs,jobs,pods", "-n", namespaces[1], "-o", "wide"],
        ["get", "pods", "-n", namespaces[0], "-o", "wide"],
        *(["get", "events", "-n", name, "--sort-by=.metadata.creationTimestamp"] for name in namespaces),
        ["logs", f"deployment/{OPERATOR}", "-n", namespaces[0], "--tail=200", "--all-containers"],
        ["logs", f"deployment/{OPERATOR}", "-n", namespaces[0], "--tail=50", "--previous", "--ignore-errors"],
        ["logs", f"deployment/{SYNC}", "-n", namespaces[0], "--tail=100", "--all-containers"],
    ]
    answers = []
    for question in questions:
        try:
            answer = cluster.kubectl(*question)
        except CommandError as error:
            answer = error.stderr
        answers.append(f"$ kubectl {' '.join(question)}\n{answer.strip()}")
    return "\n\n".join(answers)


def _releases(cluster: Cluster) -> set[str]:
    """Namespaces of the releases of the chart in this cluster, by their Deployments."""
    found = cluster.get("deployments", "--all-namespaces", "-l", f"{LABEL_PART_OF}={RELEASE}")["items"]
    return {
        item["metadata"].get("annotations", {}).get(RELEASE_NAMESPACE, item["metadata"]["namespace"]) for item in found
    }


def _instance(found: dict[str, Any]) -> str | None:
    labels: dict[str, str] = found["metadata"].get("labels") or {}
    return labels.get(LABEL_INSTANCE)
