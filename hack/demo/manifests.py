"""What an installation is made of: the chart's values, and the objects that are not the chart's. Pure.

The objects carry the label `app.kubernetes.io/instance` with the name of demo or tests: what they made, and take away
again, is told from everybody else's by it. The chart's own objects are the release's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

RELEASE = "councilor-operator"
OPERATOR = RELEASE
"""Name of the operator's Deployment in a release of this name."""
SYNC = f"{RELEASE}-sync"
RUNNER_SECRET = "councilor-runner"  # noqa: S105 - the name of a Secret
SYNC_SECRET = "councilor-sync"  # noqa: S105 - the name of a Secret
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Scope:
    """Whose objects they are and where they live."""

    instance: str
    operator_namespace: str
    councilor_namespace: str


@dataclass(frozen=True)
class Installation:
    """What is installed."""

    scope: Scope
    operator_image: str
    runner_image: str
    conductor_url: str
    gateway_url: str
    mongodb_uri: str
    default_cwd: str = ""
    """Working directory of Councilors that name none."""


def namespaces(scope: Scope) -> list[Manifest]:
    """Both namespaces, which admit nothing but Pods of the restricted level."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {
                    LABEL_INSTANCE: scope.instance,
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
        }
        for name in (scope.operator_namespace, scope.councilor_namespace)
    ]


def secrets(installation: Installation) -> list[Manifest]:
    """What the runner's Pods need and the operator never sees, and what the sync needs. Helm holds none of them."""
    scope = installation.scope
    return [
        runner_secret(installation),
        _secret(installation, SYNC_SECRET, scope.operator_namespace),
    ]


def runner_secret(installation: Installation) -> Manifest:
    """What the runner's Pods need and the operator never sees."""
    return _secret(installation, RUNNER_SECRET, installation.scope.councilor_namespace)


def values(installation: Installation) -> dict[str, Any]:
    """The chart's values."""
    return {
        "image": image(installation.operator_image),
        "runner": {"image": image(installation.runner_image), "secretName": RUNNER_SECRET},
        "conductor": {"url": installation.conductor_url, "gatewayUrl": installation.gateway_url},
        "defaults": {"cwd": installation.default_cwd},
        "sync": {
            "enabled": True,
            "namespace": installation.scope.councilor_namespace,
            "mongodb": {"secretName": SYNC_SECRET, "secretKey": "MONGODB_URI"},
        },
        "verify": {"namespace": installation.scope.councilor_namespace},
    }


def image(reference: str) -> Mapping[str, str]:
    """The values of an image that a reference names, `REGISTRY/NAME:TAG` or `REGISTRY/NAME@DIGEST`."""
    name, _, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    # What has neither means the same to a cluster.
    return {"repository": f"{folder}{slash}{base}", "tag": tag or ("" if digest else "latest"), "digest": digest}


def _secret(installation: Installation, name: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL_INSTANCE: installation.scope.instance},
        },
        "stringData": {"MONGODB_URI": installation.mongodb_uri},
    }
