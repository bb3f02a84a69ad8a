"""The least that a client has to do: aiohttp, plain mappings, a number of connections that are kept busy."""

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import yaml

from councilor_operator.connection import APPLY, JSON, apply_document

Object = dict[str, Any]

CONNECTIONS: Final = 16
PAGE_SIZE: Final = 500
USER_AGENT: Final = "councilor-bench"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `body` is None or a JSON object."""

    method: str
    path: str
    body: Object | None = None
    content_type: str = JSON


class Client:
    """A client of one API server, as the user of a kubeconfig."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, kubeconfig: Path) -> AsyncIterator[Self]:
        """Open a client with a client certificate, as the local cluster's kubeconfig has it."""
        document = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=_context(cluster, user))
        async with aiohttp.ClientSession(
            cluster["server"], connector=connector, headers={"User-Agent": USER_AGENT}
        ) as session:
            yield cls(session)

    async def send(self, request: Request) -> Object:
        """Send one request and return the answer; raises RuntimeError when the API server refuses."""
        data = None
        if request.body is not None:
            data = (
                apply_document(request.body)
                if request.content_type == APPLY
                else json.dumps(request.body, separators=(",", ":")).encode()
            )
        async with self._session.request(
            request.method, request.path, data=data, headers={"Accept": JSON, "Content-Type": request.content_type}
        ) as response:
            content = await response.read()
        if response.status >= 300:
            raise RuntimeError(f"{request.method} {request.path}: {response.status} {content.decode()[:500]}")
        answer: Object = json.loads(content)
        return answer

    async def send_all(self, requests: Iterable[Request]) -> list[Object]:
        """Send all requests, one on each connection at a time; returns the answers in the same order."""
        queue = enumerate(requests)
        answers: dict[int, Object] = {}

        async def work() -> None:
            for index, request in queue:
                answers[index] = await self.send(request)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())
        return [answers[index] for index in sorted(answers)]

    async def list(self, path: str, parameters: Mapping[str, str] | None = None) -> list[Object]:
        """Return all objects of a collection, page by page."""
        items: list[Object] = []
        query = {"limit": str(PAGE_SIZE), **(parameters or {})}
        while True:
            async with self._session.get(path, params=query, headers={"Accept": JSON}) as response:
                response.raise_for_status()
                page = json.loads(await response.read())
            items += page["items"]
            token = page["metadata"].get("continue")
            if not token:
                return items
            query = {**query, "continue": token}

    async def watch(self, path: str) -> AsyncIterator[Object]:
        """Yield all objects of a collection as they are now, and then each one as it becomes; never ends by itself."""
        forever = aiohttp.ClientTimeout(total=None)
        async with self._session.get(path, params={"watch": "1"}, headers={"Accept": JSON}, timeout=forever) as stream:
            stream.raise_for_status()
            async for line in stream.content:
                event = json.loads(line)
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]


def _context(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]))
        pair.write(base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
