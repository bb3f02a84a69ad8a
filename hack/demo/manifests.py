"""The objects that make up an installation of the operator. Pure.

Each carries the label `app.kubernetes.io/instance`, which tells one installation's objects from everybody else's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from councilor_operator.config import PREFIX
from councilor_operator.rights import RULES

Manifest = dict[str, Any]

OPERATOR = "councilor-operator"
RUNNER_SECRET = "councilor-runner"  # noqa: S105 - the name of a Secret
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_NAME = "app.kubernetes.io/name"
HEALTH_PORT = 8080
METRICS_PORT = 9090
USER = 65532


@dataclass(frozen=True)
class Scope:
    """Whose objects they are and where they live."""

    instance: str
    operator_namespace: str
    councilor_namespace: str


@dataclass(frozen=True)
class Installation:
    """What is installed. `settings` are the operator's, by field name of its configuration, upper case."""

    scope: Scope
    operator_image: str
    runner_image: str
    conductor_url: str
    gateway_url: str
    mongodb_uri: str
    settings: Mapping[str, str] = field(default_factory=dict)


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


def runner_secret(installation: Installation) -> Manifest:
    """What the runner's Pods need and the operator never sees."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(installation, RUNNER_SECRET, installation.scope.councilor_namespace),
        "stringData": {"MONGODB_URI": installation.mongodb_uri},
    }


def operator(installation: Installation) -> list[Manifest]:
    """Account, rights and Deployment of the operator."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": OPERATOR}
    account = {"kind": "ServiceAccount", "name": OPERATOR, "namespace": installation.scope.operator_namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": _metadata(installation, OPERATOR, installation.scope.operator_namespace),
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": _metadata(installation, OPERATOR),
            "rules": RULES,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _metadata(installation, OPERATOR),
            "roleRef": role,
            "subjects": [account],
        },
        _deployment(installation),
    ]


def _deployment(installation: Installation) -> Manifest:
    # The selector of a Deployment cannot be changed: it holds only what never does.
    selector = {LABEL_NAME: OPERATOR}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(installation, OPERATOR, installation.scope.operator_namespace),
        "spec": {
            "replicas": 1,
            # Two operators at once are harmless, but each would answer for half of the events.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": {**selector, LABEL_INSTANCE: installation.scope.instance}},
                "spec": _pod(installation),
            },
        },
    }


def _pod(installation: Installation) -> Manifest:
    settings = {
        "RUNNER_IMAGE": installation.runner_image,
        "CONDUCTOR_URL": installation.conductor_url,
        "CONDUCTOR_GATEWAY_URL": installation.gateway_url,
        "HEALTH_PORT": str(HEALTH_PORT),
        "METRICS_PORT": str(METRICS_PORT),
        **installation.settings,
    }
    alive, ready = ({"httpGet": {"path": path, "port": "health"}} for path in ("/healthz", "/readyz"))
    return {
        "serviceAccountName": OPERATOR,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "operator",
                "image": installation.operator_image,
                "imagePullPolicy": "IfNotPresent",
                "env": [{"name": PREFIX + name, "value": value} for name, value in settings.items()],
                "ports": [
                    {"name": "health", "containerPort": HEALTH_PORT},
                    {"name": "metrics", "containerPort": METRICS_PORT},
                ],
                "livenessProbe": {**alive, "initialDelaySeconds": 10, "periodSeconds": 10, "timeoutSeconds": 5},
                "readinessProbe": {**ready, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 30},
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"memory": "512Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def _metadata(installation: Installation, name: str, namespace: str | None = None) -> Manifest:
    metadata: Manifest = {
        "name": name,
        "labels": {LABEL_NAME: OPERATOR, LABEL_INSTANCE: installation.scope.instance},
    }
    return metadata if namespace is None else {**metadata, "namespace": namespace}
