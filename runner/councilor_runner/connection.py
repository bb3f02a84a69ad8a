"""HTTP to Conductor and its gateway: one client for both, and how their answers are read."""

import re
import ssl
from collections.abc import Mapping

import httpx

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0

_JSON_TYPE = re.compile(r"^application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)


def http_client(headers: Mapping[str, str], token: str | None, trust: ssl.SSLContext | bool) -> httpx.AsyncClient:
    """Return the client for both services; the extra headers and the token are for a proxy in front of them."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        headers={**headers, **credentials},
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        verify=trust,
    )


def json_body(response: httpx.Response) -> object:
    """Return the parsed body, None when it is no JSON."""
    # A proxy's error page is no answer of Conductor, even where it happens to parse.
    if not _JSON_TYPE.match(response.headers.get("Content-Type", "application/json")):
        return None
    try:
        return response.json()
    except ValueError:
        return None
