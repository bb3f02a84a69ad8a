"""The API server as the commands see it: Councilors and the Pods of their runs, with the rights of whoever types.

Uses the operator's own connection (kubernetes.aio) with a kubeconfig, a context and a namespace of choice. What the API
server refuses becomes a `CliError` here and nowhere else. The client is imported when it is needed: help and the
commands without a cluster do not wait for it.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from councilor_cli.errors import CliError
from councilor_operator.constants import GROUP, KIND, PLURAL, VERSION

if TYPE_CHECKING:
    from councilor_operator.connection import Connection

Object = dict[str, Any]

ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LIST_LIMIT: Final = 500
"""Objects of one page of a list."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster and which namespace, as options of the command line; None leaves it to the kubeconfig."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None


class Cluster:
    """One API server and one namespace."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    async def councilors(self, *, everywhere: bool = False, selector: str = "") -> list[Object]:
        """All Councilors of the namespace, or of all namespaces, by namespace and name."""
        found: list[Object] = []
        parameters = {"limit": str(LIST_LIMIT), **({"labelSelector": selector} if selector else {})}
        while True:
            page = await self.request("GET", self._councilors(None if everywhere else self.namespace), parameters)
            found += page["items"]
            if not (rest := page["metadata"].get("continue")):
                return sorted(found, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))
            parameters["continue"] = rest

    async def councilor(self, name: str) -> Object:
        """A Councilor; if there is none, the error names those that it may have meant."""
        from councilor_operator.errors import NotFoundError

        path = f"{self._councilors(self.namespace)}/{name}"
        try:
            return await self._connection.request("GET", path)
        except NotFoundError:
            names = [item["metadata"]["name"] for item in await self.councilors()]
            close = difflib.get_close_matches(name, names, n=3)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            raise CliError(f"there is no Councilor {name!r} in namespace {self.namespace}{meant}") from None

    async def patch(self, name: str, change: Mapping[str, Any]) -> Object:
        """Change fields of a Councilor (merge patch); the Councilor afterwards."""
        from councilor_operator.connection import MERGE_PATCH

        path = f"{self._councilors(self.namespace)}/{name}"
        parameters = {"fieldManager": "councilor-cli"}
        return await self.request("PATCH", path, parameters, body=change, content_type=MERGE_PATCH)

    async def pods(self, job: str) -> list[Object]:
        """Pods of a Job, oldest first."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        page = await self.request("GET", path, {"labelSelector": f"batch.kubernetes.io/job-name={job}"})
        return sorted(page["items"], key=lambda pod: str(pod["metadata"].get("creationTimestamp")))

    @asynccontextmanager
    async def log(self, pod: str, *, follow: bool, previous: bool = False) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lines of a Pod's log, as they come."""
        parameters = {"follow": str(follow).lower(), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        async with self._explained(), self._connection.stream(path, parameters) as lines:
            yield lines

    async def request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Object:
        """Ask the API server; raises `CliError`."""
        async with self._explained():
            return await self._connection.request(method, path, parameters=parameters, **more)

    @asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        from councilor_operator.errors import ApiError, NotFoundError

        try:
            yield
        except NotFoundError as error:
            if "could not find the requested resource" in error.message or "page not found" in error.message:
                raise CliError(
                    f"this cluster knows no {KIND}: install the chart councilor-operator, or only the type with "
                    "`kubectl apply --server-side -f crds/`"
                ) from None
            raise CliError(error.message) from None
        except ApiError as error:
            raise CliError(_reason(error)) from None

    @staticmethod
    def _councilors(namespace: str | None) -> str:
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{GROUP}/{VERSION}{scope}/{PLURAL}"


@asynccontextmanager
async def connect(access: Access) -> AsyncIterator[Cluster]:
    """Open the connection. Raises `CliError` without a usable kubeconfig."""
    from councilor_operator.connection import connect_with
    from councilor_operator.errors import ConfigurationError

    # What the client logs about the kubeconfig is said below, with what to do.
    logging.getLogger("kubernetes").setLevel(logging.CRITICAL)
    try:
        async with connect_with(
            _count, kubeconfig=str(access.kubeconfig) if access.kubeconfig else None, context=access.context
        ) as (connection, namespace):
            yield Cluster(connection, access.namespace or namespace or _account_namespace())
    except ConfigurationError:
        where = access.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        context = f" with a context {access.context!r}" if access.context else ""
        raise CliError(
            f"no way to a cluster: {where} is no kubeconfig{context}; set KUBECONFIG, or use --kubeconfig and --context"
        ) from None


def _account_namespace() -> str:
    try:
        return ACCOUNT_NAMESPACE.read_text().strip()
    except OSError:
        return "default"


def _count(_verb: str, _resource: str, _code: str, _seconds: float) -> None:
    """Nobody asks a command line for metrics."""


def _reason(error: Any) -> str:
    match error.status:
        case 401:
            return "the API server does not know you: log in again (the credentials of the kubeconfig were refused)"
        case 403:
            return f"{error.message}; ask whoever runs the cluster for this right"
        case _:
            return str(error.message)
