"""A few requests to the API server, as the administrator: readiness, and the objects a cluster starts with."""

import http.client
import json
import ssl
from typing import Any

from .credentials import ADMIN
from .progress import ClusterError
from .state import LOOPBACK, Settings, State

TIMEOUT = 5.0  # seconds for one request


class ApiClient:
    """One request per connection; only made once the certificates exist."""

    def __init__(self, state: State, settings: Settings) -> None:
        self._address = settings.address
        self._port = settings.ports["kube-apiserver"]
        self._tls = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
        self._tls.load_cert_chain(state.pki / f"{ADMIN.file}.crt", state.pki / f"{ADMIN.file}.key")

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or http.client.HTTPException when there is none."""
        connection = http.client.HTTPSConnection(self._address, self._port, context=self._tls, timeout=TIMEOUT)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at a path; None when it does not exist or the server cannot tell now."""
        try:
            status, body = self.request("GET", path)
            found = json.loads(body) if status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Creates an object; one that exists already is left as it is."""
        status, answer = self.request("POST", path, body)
        if status not in (http.client.CREATED, http.client.CONFLICT):
            name = f"{body['kind']} {body['metadata']['name']}"
            raise ClusterError(f"the API server refused {name} ({status}): {answer.decode(errors='replace')[:500]}")

    def not_ready(self) -> str | None:
        """A component's probe: why the API server is not ready yet."""
        try:
            status, body = self.request("GET", "/readyz?verbose")
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({type(error).__name__})"
        if status == http.client.OK:
            return None
        failing = [line for line in body.decode(errors="replace").splitlines() if line.startswith("[-]")]
        return f"/readyz answers {status}: {'; '.join(failing)[:300]}"


def not_healthy(port: int, path: str = "/healthz", *, tls: bool = False) -> str | None:
    """A component's probe: why the health endpoint on a loopback port does not answer 200 yet."""
    connection: http.client.HTTPConnection
    if tls:
        # Certificates that components make for themselves; nothing secret is sent, and the port is the loopback's.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(LOOPBACK, port, context=context, timeout=TIMEOUT)
    else:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer at {LOOPBACK}:{port}{path} ({type(error).__name__})"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{LOOPBACK}:{port}{path} answers {status}"
