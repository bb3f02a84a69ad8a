"""HTTP to the API server: credentials, TLS and the connection pool of the official client, plain mappings as bodies.

The typed models of the client would cost several times the request itself at thousands of objects. HTTP answers become
the errors of `errors.py` here and nowhere else.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from councilor_operator import __version__
from councilor_operator.errors import (
    ApiError,
    Cause,
    ConfigurationError,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)

SERVICE_ACCOUNT_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
REQUEST_TIMEOUT_SECONDS: Final = 30
# The parameter keeps the client from serialising the body: what it makes of characters beyond U+FFFF is no valid YAML.
APPLY: Final = "application/apply-patch+yaml; charset=utf-8"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON: Final = "application/json"


NO_ANSWER: Final = "error"
"""Takes the place of an HTTP status code where there was none."""

RequestCount = Callable[[str, str, str, float], None]
"""Is told of each request: verb, resource, HTTP status code or `NO_ANSWER`, seconds."""


class Connection:
    """A pool of connections to one API server."""

    def __init__(self, client: ApiClient, count: RequestCount, *, program: str = "councilor-operator") -> None:
        self._client = client
        self._count = count
        self._program = program

    async def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """Send one request and return the answer's JSON object.

        Raises `TransientError`, `ConflictError`, `NotFoundError`, `NamespaceGoneError` or `RejectedError`.
        """
        if content_type == APPLY:
            body = apply_document(body)
        headers, url = await self._headers(content_type), self._url(path, parameters)
        started, code = monotonic(), NO_ANSWER
        try:
            response = await self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=REQUEST_TIMEOUT_SECONDS
            )
            content = await response.read()
            code = str(response.status)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise TransientError(f"the API server cannot be reached: {type(error).__name__}") from error
        finally:
            self._count(*target(method, path), code, monotonic() - started)
        if response.status >= 300:
            raise error_of(response.status, content, response.headers.get("Retry-After"))
        try:
            answer: dict[str, Any] = json.loads(content)
        except ValueError as error:
            # A proxy's page: what stands before the API server may pass by.
            raise TransientError("the answer is not the API server's: no JSON", status=response.status) from error
        return answer

    async def _headers(self, content_type: str) -> dict[str, str]:
        headers = {
            "Accept": JSON,
            # Compressing long lists costs the API server more than sending them.
            "Accept-Encoding": "identity",
            "Content-Type": content_type,
            "User-Agent": f"{self._program}/{__version__}",
        }
        # Asked for each time: the token of a service account is rotated on disk.
        if authorization := await self._client.configuration.get_api_key_with_prefix("BearerToken"):
            headers["Authorization"] = authorization
        return headers

    def _url(self, path: str, parameters: Mapping[str, str] | None) -> str:
        host: str = self._client.configuration.host
        return host + path + (f"?{urlencode(parameters)}" if parameters else "")


_VERBS: Final = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


def target(method: str, path: str) -> tuple[str, str]:
    """Return verb and resource of a request as RBAC rules write them (Kubernetes API, resource URIs)."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    if parts[0] == "namespaces" and len(parts) > 2:
        parts = parts[2:]
    resource, *name_and_subresource = parts
    verb = _VERBS.get(method) or ("get" if name_and_subresource else "list")
    return verb, "/".join([resource, *name_and_subresource[1:]])


# Characters that JSON leaves as they are inside strings, and YAML refuses or folds there (YAML 1.1 and 1.2,
# double-quoted).
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def apply_document(manifest: Mapping[str, Any]) -> bytes:
    """Return a manifest as the YAML that server-side apply takes: JSON without the escapes that YAML does not know.

    JSON writes a character beyond U+FFFF as two escapes, which a YAML parser refuses; UTF-8 is the same in both.
    """
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


@asynccontextmanager
async def connect(count: RequestCount) -> AsyncIterator[Connection]:
    """Open a connection with the Pod's service account, else with the kubeconfig; `count` is told of each request.

    Raises `ConfigurationError` when there is neither.
    """
    configuration = Configuration()
    try:
        if SERVICE_ACCOUNT_TOKEN.exists():
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        else:
            await kubernetes_config.load_kube_config(client_configuration=configuration)
    except kubernetes_config.ConfigException as error:
        raise ConfigurationError(
            "no way to the API server: run in a Pod with a service account, or set KUBECONFIG to a valid file"
        ) from error
    # Otherwise the client looks for proxies and for a .netrc before every request, in a thread. A proxy-url of the
    # kubeconfig counts all the same.
    configuration.client_session_kwargs = {"trust_env": False}
    client = ApiClient(configuration)
    try:
        yield Connection(client, count)
    finally:
        await client.close()


_UNREADABLE: Final = "unable to convert unstructured object"


def error_of(status: int, content: bytes, retry_after: str | None) -> ApiError:
    """Return the error that an HTTP answer of 300 and more stands for."""
    try:
        document = json.loads(content)
        message = str(document.get("message", "")) or f"HTTP {status}"
        details = document.get("details") or {}
        missing, causes = details.get("kind"), details.get("causes") or ()
        reasons = {cause.get("reason") for cause in causes}
        fields = tuple(Cause(cause["field"], str(cause.get("message", ""))) for cause in causes if cause.get("field"))
    except (ValueError, AttributeError):
        # A proxy's page, not a Status of the API server.
        message, missing, reasons, fields = f"HTTP {status}", None, set(), ()
    match status:
        case 403 if "NamespaceTerminating" in reasons:
            return NamespaceGoneError("the namespace is being deleted", status=status)
        case 404 if missing == "namespaces":
            # The operator asks for no namespace itself: this is what admission says to a write (NamespaceLifecycle).
            return NamespaceGoneError("the namespace is gone", status=status)
        case 404:
            return NotFoundError(message, status=status)
        case 409:
            return ConflictError(message, status=status)
        case 500 if _UNREADABLE in message:
            # Server-side apply of an object that the API server cannot read, for example with a quantity that is none
            # (Kubernetes 1.36): no fault of the server, and not to be tried again.
            return RejectedError(message, status=status)
        case 401 | 408 | 429 | 500 | 502 | 503 | 504:
            # 401: a rotated token or an API server that is just starting; the next attempt reads the token again.
            seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
            return TransientError(message, status=status, retry_after=seconds)
        case _:
            return RejectedError(message, status=status, causes=fields)
