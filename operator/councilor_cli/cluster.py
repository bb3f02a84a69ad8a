"""The cluster as the commands use it: Councilors read and changed, Jobs and Pods read, logs and watches followed.

Answers of the API server become sentences in `explanations.py`. Nothing here prints.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote as url_quote

import aiohttp
from kubernetes.aio.client import ApiClient

from councilor_cli.credentials import Choice, Login, login
from councilor_cli.errors import CliError, MissingError
from councilor_cli.explanations import Question, close_names, explain, no_such_type
from councilor_operator.connection import JSON, MERGE_PATCH, REQUEST_TIMEOUT_SECONDS, Connection, error_of
from councilor_operator.constants import GROUP, LABEL_JOB_NAME, PLURAL, VERSION
from councilor_operator.errors import ApiError, NotFoundError, TransientError

Object = dict[str, Any]

PAGE_SIZE: Final = 500
_WATCH_SECONDS: Final = 300
"""How long a watch is asked to last before it is begun again."""


class StreamingConnection(Connection):
    """A connection that also yields answers line by line, as they come."""

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client, lambda *_: None, program="councilor")

    async def lines(self, path: str, parameters: Mapping[str, str]) -> AsyncIterator[str]:
        """Yield the lines of an answer that may take for ever; raises the errors of `request`."""
        patient = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_SECONDS)
        try:
            answer = await self._client.rest_client.request(
                "GET",
                self._url(path, parameters),
                headers={**await self._headers(JSON), "Accept": "*/*"},
                _request_timeout=patient,
            )
            if answer.status >= 300:
                raise error_of(answer.status, await answer.read(), answer.headers.get("Retry-After"))
            rest = b""
            async for piece in answer.response.content.iter_any():
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise TransientError(f"the API server cannot be reached: {type(error).__name__}") from error


class Cluster:
    """An API server, with the rights and the namespace of whoever types.

    Every method raises `CliError`: `MissingError`, `UnreachableError` and `ForbiddenError` where a command may want to
    tell them apart.
    """

    def __init__(self, connection: StreamingConnection, where: Login) -> None:
        self._connection = connection
        self._where = where
        self.namespace = where.namespace

    async def councilors(self, *, everywhere: bool = False, selector: str = "") -> tuple[list[Object], str]:
        """Return Councilors and the version of the list, from which a watch goes on."""
        path = _councilors(None if everywhere else self.namespace)
        parameters = {"limit": str(PAGE_SIZE), **({"labelSelector": selector} if selector else {})}
        found: list[Object] = []
        token: str | None = ""
        version = ""
        while token is not None:
            page = await self._ask("GET", path, {**parameters, **({"continue": token} if token else {})})
            found += page["items"]
            version, token = page["metadata"]["resourceVersion"], page["metadata"].get("continue") or None
        return found, version

    async def watch(self, version: str, *, everywhere: bool, selector: str) -> AsyncIterator[tuple[str, Object]]:
        """Yield what becomes of Councilors after a version, (ADDED, MODIFIED or DELETED, Councilor), for ever.

        Where the API server has forgotten the version, everything that exists comes again as ADDED.
        """
        path = _councilors(None if everywhere else self.namespace)
        parameters = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        if selector:
            parameters["labelSelector"] = selector
        while True:
            try:
                async for line in self._connection.lines(path, {**parameters, "resourceVersion": version}):
                    event = json.loads(line)
                    kind, body = event["type"], event["object"]
                    if kind == "ERROR":
                        break
                    version = body["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        yield kind, body
                else:
                    continue
            except ApiError as error:
                if error.status != 410:
                    raise self._explained(error, "GET", f"{path}?watch") from error
            items, version = await self.councilors(everywhere=everywhere, selector=selector)
            for item in items:
                yield "ADDED", item

    async def councilor(self, name: str) -> Object:
        """Return a Councilor; raises `MissingError` with names that are like it."""
        try:
            return await self._ask("GET", _councilors(self.namespace, name))
        except MissingError:
            others, _ = await self.councilors()
            names = [item["metadata"]["name"] for item in others]
            raise MissingError(close_names(name, names, self.namespace)) from None

    async def change(self, name: str, patch: Object) -> Object:
        """Merge into a Councilor; returns it as it is then."""
        return await self._ask("PATCH", _councilors(self.namespace, name), body=patch, content_type=MERGE_PATCH)

    async def job(self, name: str) -> Object | None:
        """Return a Job, None when there is none."""
        try:
            return await self._ask("GET", f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{url_quote(name)}")
        except MissingError:
            return None

    async def pods_of(self, job: str) -> list[Object]:
        """Return the Pods of a Job, oldest first."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        answer = await self._ask("GET", path, {"labelSelector": f"{LABEL_JOB_NAME}={job}"})
        return sorted(answer["items"], key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    async def log(
        self, pod: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> AsyncIterator[str]:
        """Yield the lines of a container's log; with `follow` until it ends."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{url_quote(pod)}/log"
        parameters = {"container": container, "follow": str(follow).lower()}
        if tail is not None:
            parameters["tailLines"] = str(tail)
        try:
            async for line in self._connection.lines(path, parameters):
                yield line
        except ApiError as error:
            raise self._explained(error, "GET", path) from error

    async def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        try:
            return await self._connection.request(
                method, path, parameters=parameters, body=body, content_type=content_type
            )
        except NotFoundError as error:
            if path in {_councilors(None), _councilors(self.namespace)}:
                # A list of nothing is empty; only a type that is not there is not found.
                raise CliError(no_such_type(self._where.context)) from error
            raise self._explained(error, method, path) from error
        except ApiError as error:
            raise self._explained(error, method, path) from error

    def _explained(self, error: ApiError, method: str, path: str) -> CliError:
        question = Question(method, path, self._where.server, self._where.context)
        return explain(error, question)


@asynccontextmanager
async def open_cluster(choice: Choice) -> AsyncIterator[Cluster]:
    """Open the cluster that was chosen; raises `CliError` where there is no way to it."""
    where = await login(choice)
    try:
        client = ApiClient(where.configuration)
    except (OSError, ValueError) as error:
        raise CliError(
            f"the certificates of the kubeconfig cannot be used ({type(error).__name__}): check certificate-authority, "
            "client-certificate and client-key of its cluster and user"
        ) from error
    try:
        yield Cluster(StreamingConnection(client), where)
    finally:
        await client.close()


def _councilors(namespace: str | None, *name: str) -> str:
    where = f"/namespaces/{url_quote(namespace)}" if namespace else ""
    return "/".join([f"/apis/{GROUP}/{VERSION}{where}/{PLURAL}", *map(url_quote, name)])
