"""Service accounts for the operator, as an installation makes them: bound to the rules of `rights.py` and to nothing
else."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from councilor_operator.constants import GROUP, PLURAL
from councilor_operator.rights import RULES
from tests.controlplane.api import Api, eventually

RBAC: Final = "rbac.authorization.k8s.io"
TOKEN_SECONDS: Final = 6 * 3600
"""Longer than any session of tests."""


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
    name = "councilor-operator"
    account = Account(namespace, name, folder / f"{namespace}.kubeconfig")
    api.create(("api/v1", "serviceaccounts"), namespace, {"metadata": {"name": name}})
    for scope in watched or (None,):
        bind(api, account, scope)
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


def bind(api: Api, account: Account, scope: str | None) -> None:
    """Give an account the operator's rights in a namespace, everywhere without one."""
    kind, path = "ClusterRole", f"/apis/{RBAC}/v1"
    if scope is not None:
        kind, path = "Role", f"{path}/namespaces/{scope}"
    metadata = {"name": f"{account.namespace}-{account.name}"}
    api.post(f"{path}/{kind.lower()}s", {"metadata": metadata, "rules": RULES})
    subject = {"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}
    role = {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]}
    api.post(f"{path}/{kind.lower()}bindings", {"metadata": metadata, "roleRef": role, "subjects": [subject]})
    # The API server learns of a binding as others do.
    eventually(partial(may, api, account.user, "list", PLURAL, GROUP, scope), f"{account.user} has its rights")


def _kubeconfig(admin: Path, token: str) -> str:
    """Return the administrator's kubeconfig with another user."""
    document = yaml.safe_load(admin.read_text())
    context = document["contexts"][0]["context"]
    document["users"] = [{"name": context["user"], "user": {"token": token}}]
    return yaml.safe_dump(document)
