"""Service accounts for operator, sync and `verify`, as an installation makes them: bound to the rules of `rights.py`
and to nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from councilor_operator.constants import GROUP, PLURAL
from councilor_operator.rights import RULES, SYNC_RULES, VERIFY_RULES
from tests.controlplane.api import Api, eventually

RBAC: Final = "rbac.authorization.k8s.io"
TOKEN_SECONDS: Final = 6 * 3600
"""Longer than any session of tests."""

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""
_VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_ASKED: Final[Mapping[str, Sequence[str]]] = {
    "": ("secrets", "configmaps", "pods", "pods/log", "pods/exec", "namespaces", "serviceaccounts", "nodes"),
    "batch": ("cronjobs", "cronjobs/status", "jobs", "jobs/status"),
    "apps": ("deployments",),
    RBAC: ("roles", "clusterroles", "rolebindings", "clusterrolebindings"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "events.k8s.io": ("events",),
    "coordination.k8s.io": ("leases",),
    GROUP: (PLURAL, f"{PLURAL}/status"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """A service account of a namespace."""

    namespace: str
    name: str
    kubeconfig: Path
    """Of somebody who has the account's token and nothing else."""

    @property
    def user(self) -> str:
        """The name under which the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def token(self) -> str:
        """Its token."""
        return str(yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"])


def make_account(api: Api, admin: Path, folder: Path, namespace: str, *, watched: tuple[str, ...] = ()) -> Account:
    """Create an account with the operator's rights, everywhere or in the `watched` namespaces alone."""
    account = _new_account(api, admin, folder, namespace, "councilor-operator")
    for scope in watched or (None,):
        bind(api, account, scope)
    return account


def make_sync_account(api: Api, admin: Path, folder: Path, namespace: str) -> Account:
    """Create an account with the sync's rights in a namespace, in which it also lives."""
    account = _new_account(api, admin, folder, namespace, "councilor-sync")
    bind(api, account, namespace, SYNC_RULES)
    return account


def make_verify_account(api: Api, admin: Path, folder: Path, namespace: str) -> Account:
    """Create an account with the rights of `councilor-operator verify` in a namespace, in which it also lives."""
    account = _new_account(api, admin, folder, namespace, "councilor-verify")
    bind(api, account, namespace, VERIFY_RULES)
    return account


def _new_account(api: Api, admin: Path, folder: Path, namespace: str, name: str) -> Account:
    """Create an account that may do nothing yet."""
    account = Account(namespace, name, folder / f"{namespace}-{name}.kubeconfig")
    api.create(("api/v1", "serviceaccounts"), namespace, {"metadata": {"name": name}})
    request = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
    answer = api.create(("api/v1", f"serviceaccounts/{name}/token"), namespace, request)
    account.kubeconfig.write_text(_kubeconfig(admin, answer["status"]["token"]))
    return account


def may(api: Api, user: str, verb: str, resource: str, group: str = "", namespace: str | None = None) -> bool:
    """Tell whether a user has a right, as `kubectl auth can-i --as` does; everywhere without a namespace."""
    plural, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
    if namespace is not None:
        attributes["namespace"] = namespace
    body = {"spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes}}
    answer = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def rights(rules: Sequence[Mapping[str, Sequence[str]]]) -> set[Right]:
    """Return what rules allow, one by one."""
    return {right for rule in rules for right in product(rule["apiGroups"], rule["resources"], rule["verbs"])}


def used(requests: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Return the rights that requests took, from the API server's records of them."""
    return {
        right
        for entry in requests
        if "resource" in entry.get("objectRef", {}) and entry["responseStatus"]["code"] < 500
        for right in _needed(entry)
    }


def allowed(api: Api, user: str, namespace: str | None = None) -> set[Right]:
    """Return what a user may do of all that could be of use to a thief; everywhere without a namespace."""
    asked = {
        (group, resource, verb) for group, plurals in _ASKED.items() for resource, verb in product(plurals, _VERBS)
    }
    return {
        (group, resource, verb) for group, resource, verb in asked if may(api, user, verb, resource, group, namespace)
    }


def bind(api: Api, account: Account, scope: str | None, rules: Sequence[Mapping[str, Sequence[str]]] = RULES) -> None:
    """Give an account rights, the operator's unless told otherwise, in a namespace, everywhere without one."""
    kind, path = "ClusterRole", f"/apis/{RBAC}/v1"
    if scope is not None:
        kind, path = "Role", f"{path}/namespaces/{scope}"
    metadata = {"name": f"{account.namespace}-{account.name}"}
    api.post(f"{path}/{kind.lower()}s", {"metadata": metadata, "rules": rules})
    subject = {"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}
    role = {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]}
    api.post(f"{path}/{kind.lower()}bindings", {"metadata": metadata, "roleRef": role, "subjects": [subject]})
    # The API server learns of a binding as others do.
    first = rules[0]
    right = first["verbs"][0], first["resources"][0], first["apiGroups"][0]
    eventually(partial(may, api, account.user, *right, scope), f"{account.user} has its rights")


def _needed(entry: Mapping[str, Any]) -> Iterator[Right]:
    target = entry["objectRef"]
    resource = "/".join(part for part in (target["resource"], target.get("subresource")) if part)
    group = target.get("apiGroup", "")
    yield group, resource, entry["verb"]
    if entry["verb"] == "patch" and entry["responseStatus"]["code"] == 201:
        # Server-side apply of something new takes both.
        yield group, resource, "create"


def _kubeconfig(admin: Path, token: str) -> str:
    """Return the administrator's kubeconfig with another user."""
    document = yaml.safe_load(admin.read_text())
    context = document["contexts"][0]["context"]
    document["users"] = [{"name": context["user"], "user": {"token": token}}]
    return yaml.safe_dump(document)
