"""HTTP to Conductor and its gateway: one client for both, and how their answers are read."""

import re
import ssl
from urllib.request import getproxies

import httpx

from councilor_runner.contract import Endpoints

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0

_JSON_TYPE = re.compile(r"^application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)


def http_client(endpoints: Endpoints, token: str | None) -> httpx.AsyncClient:
    """Return the client for both services; the extra headers and the token are for a proxy in front of them."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        headers={**endpoints.headers, **credentials},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        verify=trust(endpoints),
    )


def trust(endpoints: Endpoints) -> ssl.SSLContext | bool:
    """Return whom to trust, in the terms of httpx's `verify`: True for the usual certificate authorities.

    Reading these takes a tenth of a run's own time, so where nothing is encrypted they stay unread. The context is then
    one that trusts nobody: anything encrypted after all fails, and is never unverified.
    """
    addresses = (endpoints.conductor_url, endpoints.gateway_url or "", *getproxies().values())
    if any(address[:6].lower() == "https:" for address in addresses):
        return True
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def json_body(response: httpx.Response) -> object:
    """Return the parsed body, None when it is no JSON."""
    # A proxy's error page is no answer of Conductor, even where it happens to parse.
    if not _JSON_TYPE.match(response.headers.get("Content-Type", "application/json")):
        return None
    try:
        return response.json()
    except ValueError:
        return None
