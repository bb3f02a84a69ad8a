"""HTTP to Conductor and its gateway: one client for both, and how their answers are read."""

import re
import ssl
from collections.abc import Iterable
from urllib.request import getproxies

import httpx

from councilor_runner.contract import Endpoints

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0

_JSON_TYPE = re.compile(r"^application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)


def http_client(endpoints: Endpoints, token: str | None) -> httpx.AsyncClient:
    """Return the client for both services; the extra headers and the token are for a proxy in front of them."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    addresses = (endpoints.conductor_url, endpoints.gateway_url or "", *getproxies().values())
    return httpx.AsyncClient(
        headers={**endpoints.headers, **credentials},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        verify=_trust(addresses),
    )


def _trust(addresses: Iterable[str]) -> ssl.SSLContext | bool:
    """Return whom to trust when these are all the addresses there are, in the terms of httpx's `verify`.

    Reading the certificate authorities takes a tenth of a run's own time, so without an encrypted connection they stay
    unread. The context is then one that trusts nobody: anything encrypted after all fails, and is never unverified.
    """
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
