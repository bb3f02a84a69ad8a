"""The objects that make up an installation of operator and sync. Pure.

Each carries the label `app.kubernetes.io/instance`, which tells one installation's objects from everybody else's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from councilor_operator.config import PREFIX
from councilor_operator.rights import RULES, SYNC_RULES

Manifest = dict[str, Any]

OPERATOR = "councilor-operator"
SYNC = "councilor-sync"
RUNNER_SECRET = "councilor-runner"  # noqa: S105 - the name of a Secret
RBAC = "rbac.authorization.k8s.io"
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
    return _secret(installation, RUNNER_SECRET, OPERATOR, installation.scope.councilor_namespace)


def operator(installation: Installation) -> list[Manifest]:
    """Account, rights and Deployment of the operator."""
    settings = {
        "RUNNER_IMAGE": installation.runner_image,
        "CONDUCTOR_URL": installation.conductor_url,
        "CONDUCTOR_GATEWAY_URL": installation.gateway_url,
        **installation.settings,
    }
    return [
        _account(installation, OPERATOR),
        *_rights(installation, OPERATOR, RULES, None),
        _deployment(installation, OPERATOR, "run", settings),
    ]


def sync(installation: Installation) -> list[Manifest]:
    """Account, rights, Secret and Deployment of the sync. It lives beside the operator, and its rights are where the
    Councilors are."""
    settings = {"SYNC_NAMESPACE": installation.scope.councilor_namespace}
    address = {
        "name": "MONGODB_URI",
        "valueFrom": {"secretKeyRef": {"name": SYNC, "key": "MONGODB_URI"}},
    }
    return [
        _account(installation, SYNC),
        *_rights(installation, SYNC, SYNC_RULES, installation.scope.councilor_namespace),
        _secret(installation, SYNC, SYNC, installation.scope.operator_namespace),
        _deployment(installation, SYNC, "sync", settings, address),
    ]


def _account(installation: Installation, name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(installation, name, installation.scope.operator_namespace),
    }


def _rights(installation: Installation, name: str, rules: Sequence[Manifest], namespace: str | None) -> list[Manifest]:
    """Rights of an account in one namespace, or everywhere."""
    kind = "ClusterRole" if namespace is None else "Role"
    metadata = _metadata(installation, name, namespace)
    account = {"kind": "ServiceAccount", "name": name, "namespace": installation.scope.operator_namespace}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
            "subjects": [account],
        },
    ]


def _secret(installation: Installation, name: str, app: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(installation, name, namespace, app),
        "stringData": {"MONGODB_URI": installation.mongodb_uri},
    }


def _deployment(
    installation: Installation, name: str, command: str, settings: Mapping[str, str], *environment: Manifest
) -> Manifest:
    # The selector of a Deployment cannot be changed: it holds only what never does.
    selector = {LABEL_NAME: name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(installation, name, installation.scope.operator_namespace),
        "spec": {
            "replicas": 1,
            # Two at once are harmless, but each would do half of the work, and tell of it.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": {**selector, LABEL_INSTANCE: installation.scope.instance}},
                "spec": _pod(installation, name, command, settings, environment),
            },
        },
    }


def _pod(
    installation: Installation,
    name: str,
    command: str,
    settings: Mapping[str, str],
    environment: Sequence[Manifest],
) -> Manifest:
    ports = {"HEALTH_PORT": str(HEALTH_PORT), "METRICS_PORT": str(METRICS_PORT)}
    alive, ready = ({"httpGet": {"path": path, "port": "health"}} for path in ("/healthz", "/readyz"))
    return {
        "serviceAccountName": name,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": name.removeprefix("councilor-"),
                "image": installation.operator_image,
                "imagePullPolicy": "IfNotPresent",
                "args": [command],
                "env": [
                    *({"name": PREFIX + key, "value": value} for key, value in {**ports, **settings}.items()),
                    *environment,
                ],
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


def _metadata(installation: Installation, name: str, namespace: str | None = None, app: str | None = None) -> Manifest:
    """Metadata of an object; `app` is the part of the installation that it belongs to, where it has another name."""
    metadata: Manifest = {
        "name": name,
        "labels": {LABEL_NAME: app or name, LABEL_INSTANCE: installation.scope.instance},
    }
    return metadata if namespace is None else {**metadata, "namespace": namespace}
