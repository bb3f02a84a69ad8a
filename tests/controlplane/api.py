"""The API server as tests talk to it: a few verbs over HTTPS, plain mappings."""

import base64
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

Object = dict[str, Any]
Result = TypeVar("Result")

COUNCILORS = "apis/councilors.conductor.community/v1alpha1", "councilors"
CRON_JOBS = "apis/batch/v1", "cronjobs"
JOBS = "apis/batch/v1", "jobs"
PODS = "api/v1", "pods"
RESOURCE_QUOTAS = "api/v1", "resourcequotas"
EVENTS = "apis/events.k8s.io/v1", "events"
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

Kind = tuple[str, str]


def eventually(check: Callable[[], Result | None], what: str, *, seconds: float = 60.0) -> Result:
    """Return the first answer of `check` that is true, so no empty list either; fail saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


class Api:
    """An API server, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        headers = {}
        if token := user.get("token"):
            headers["Authorization"] = f"Bearer {token}"
        else:
            with tempfile.NamedTemporaryFile() as pair:
                pair.write(base64.b64decode(user["client-certificate-data"]))
                pair.write(base64.b64decode(user["client-key-data"]))
                pair.flush()
                context.load_cert_chain(pair.name)
        self._client = httpx.Client(base_url=cluster["server"], verify=context, timeout=30, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request as it is, and again while the API server, just started, asks for patience."""

        def answer() -> httpx.Response | None:
            response = self._client.request(method, path, **arguments)
            return None if response.status_code == 429 else response

        return eventually(answer, f"{method} {path} is answered with something else than 429")

    def post(self, path: str, body: Object) -> Object:
        """Post to a path: what has no namespace, and reviews."""
        return _ok(self.request("POST", path, json=body))

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Create an object."""
        return _ok(self.request("POST", _path(kind, namespace), json=body))

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object, None if it does not exist."""
        response = self.request("GET", _path(kind, namespace, name))
        return None if response.status_code == 404 else _ok(response)

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Object]:
        """Return the objects of a namespace."""
        items = _ok(self.request("GET", _path(kind, namespace), params={"labelSelector": selector}))["items"]
        return list(items)

    def patch(self, kind: Kind, namespace: str, name: str, body: Object, *, subresource: str = "") -> Object:
        """Merge into an object."""
        path = _path(kind, namespace, name, *([subresource] if subresource else []))
        return _ok(self.request("PATCH", path, json=body, headers=MERGE_PATCH))

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and, in the background, what it owns."""
        self.request("DELETE", _path(kind, namespace, name), params={"propagationPolicy": "Background"})

    def wait_for_none(self, kind: Kind, namespace: str) -> None:
        """Wait until a namespace has no object of a kind."""
        eventually(lambda: not self.list(kind, namespace), f"no {kind[1]} are left in {namespace}")

    def make_namespace(self, name: str) -> str:
        """Create a namespace and wait until its default service account is there."""
        _ok(self.request("POST", "/api/v1/namespaces", json={"metadata": {"name": name}}))
        eventually(
            lambda: self.get(("api/v1", "serviceaccounts"), name, "default"), f"namespace {name} has a service account"
        )
        return name


def _path(kind: Kind, namespace: str, *rest: str) -> str:
    group, plural = kind
    return "/".join(["", group, "namespaces", namespace, plural, *rest])


def _ok(response: httpx.Response) -> Object:
    if response.is_error:
        raise AssertionError(f"{response.request.method} {response.request.url.path}: {response.text}")
    body: Object = response.json()
    return body
