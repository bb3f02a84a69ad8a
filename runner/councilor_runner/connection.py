"""HTTP to Conductor and its gateway: one client for both, and how requests end.

Whatever a server does, a request ends in time and its answer takes a bounded part of memory. Redirections are not
followed: the token would go to whatever host the answer names. The errors of the HTTP client end here, because their
texts name addresses.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from councilor_runner.answers import PROXY_CREDENTIALS_REFUSED, AnswerKind
from councilor_runner.excerpt import ANSWER, Excerpt, ExcerptLimits, TooLargeError
from councilor_runner.tls import Peer, tls_problem

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0

_JSON_TYPE = re.compile(r"^application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)

# The connection was not made, or the request was not fit to be sent: nothing left the runner.
_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)

# What a peer's end of the connection looks like: by bytes that are no HTTP, orderly, or by a reset. A crash of the peer
# looks the same.
_BROKEN_OFF = (httpx.RemoteProtocolError, httpx.NetworkError)


class NoAnswerError(Exception):
    """A request without an answer. `message` is ours; `sent` says whether it may have arrived, `kind` what it means."""

    def __init__(self, message: str, kind: AnswerKind = AnswerKind.UNREACHABLE, *, sent: bool) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `body` is the parsed JSON, None when there is none, or none that is JSON of an acceptable size."""

    status: int
    headers: Mapping[str, str]
    body: object


def http_client(headers: Mapping[str, str], token: str | None, trust: ssl.SSLContext | bool) -> httpx.AsyncClient:
    """Return the client for both services; the extra headers and the token are for a proxy in front of them."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    # Not compressed: a small answer may become one that the memory does not hold.
    headers = {"Accept-Encoding": "identity", **headers, **credentials}
    return httpx.AsyncClient(headers=headers, follow_redirects=False, verify=trust)


async def request(
    client: httpx.AsyncClient,
    peer: Peer,
    method: str,
    url: str,
    *,
    seconds: float,
    body: Mapping[str, object] | None = None,
    query: Mapping[str, str] | None = None,
    limits: ExcerptLimits = ANSWER,
) -> Reply:
    """Send one request and read the answer to its end, in `seconds` altogether. Raises NoAnswerError."""
    # The client's own limit is for each piece of an answer, so that a trickle of them would never end.
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    answering = False
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(method, url, json=body, params=query, timeout=timeout) as response,
        ):
            answering = True
            return Reply(response.status_code, response.headers, await _json_body(response, limits))
    except TimeoutError:
        raise NoAnswerError(f"{peer.name} did not answer in full within {seconds:g} s", sent=True) from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        # The client lets errors of an encrypted stream through as they are.
        raise _no_answer(error, peer, url, answering=answering) from None


async def _json_body(response: httpx.Response, limits: ExcerptLimits) -> object:
    # A proxy's error page is no answer of Conductor, even where it happens to parse.
    if not _JSON_TYPE.match(response.headers.get("Content-Type", "application/json")):
        return None
    excerpt = Excerpt(limits)
    try:
        async for data in response.aiter_bytes():
            excerpt.add(data)
        # An agent's output need not be text: what is no UTF-8 in it must not cost the rest.
        return json.loads(excerpt.finish().decode("utf-8", "replace"))
    except (TooLargeError, ValueError, RecursionError):
        return None


def _no_answer(error: Exception, peer: Peer, url: str, *, answering: bool) -> NoAnswerError:
    """Put an error of the client in our words; `answering` says that the answer's head had arrived."""
    sent = not isinstance(error, _NOTHING_SENT)
    problem = None if sent else tls_problem(error, peer)
    if problem is not None:
        return NoAnswerError(problem, AnswerKind.TLS_FAILED, sent=False)
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(error, peer)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        message = f"no request can be made from the address of {peer.name} and the extra headers: see {peer.setting}"
        return NoAnswerError(message, AnswerKind.REFUSED, sent=False)
    if not sent:
        return NoAnswerError(f"no connection to {peer.name} ({type(error).__name__})", sent=False)
    if answering:
        return NoAnswerError(f"{peer.name} did not answer in full ({type(error).__name__})", sent=True)
    if isinstance(error, _BROKEN_OFF):
        message = f"the connection to {peer.name} ended without an answer in HTTP ({type(error).__name__})"
        if url.lower().startswith("http:"):
            # A port with TLS sends an alert, closes or resets; which of them arrives is a matter of timing.
            message += f"; if the port speaks TLS, begin the address in {peer.setting} with https://"
        return NoAnswerError(message, sent=True)
    return NoAnswerError(f"{peer.name} did not answer ({type(error).__name__})", sent=True)


def _refused_by_proxy(error: httpx.ProxyError, peer: Peer) -> NoAnswerError:
    # The client tells the proxy's answer to CONNECT in the exception's text only: "407 Proxy Authentication Required".
    found = re.match(r"(\d{3})\b", str(error))
    status = int(found[1]) if found else 0
    if status == 407:
        return NoAnswerError(PROXY_CREDENTIALS_REFUSED, AnswerKind.CREDENTIALS_REFUSED, sent=False)
    if 400 <= status < 500 and status not in (408, 425, 429):
        message = (
            f"the HTTP proxy does not let the runner through to {peer.name} ({status}): allow it there, or name the "
            "host in COUNCILOR_RUNNER_NO_PROXY of the operator"
        )
        return NoAnswerError(message, AnswerKind.REFUSED, sent=False)
    return NoAnswerError(f"the HTTP proxy could not connect to {peer.name} ({status or 'no answer'})", sent=False)
