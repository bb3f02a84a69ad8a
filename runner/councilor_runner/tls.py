"""Why a TLS connection did not come about, in words for whoever can put it right. Pure: an exception in, words out.

HTTP client and MongoDB driver wrap what Python's `ssl` raised in exceptions of their own, whose texts name addresses.
What counts is at the bottom of the chain: OpenSSL's verification code (x509_vfy.h), or its name for the failure.
"""

import re
import ssl
from dataclasses import dataclass

_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
"""No issuer, self-signed, self-signed in the chain, no local issuer, leaf that cannot be verified."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")

_SAID = re.compile(r"\[SSL: (?P<reason>[A-Z0-9_]+)\]")
# X509_verify_cert_error_string of OpenSSL 3.
_VERIFICATIONS = (
    ("certificate has expired", _EXPIRED),
    ("certificate is not yet valid", _NOT_YET_VALID),
    ("ostname mismatch", _OTHER_NAME[0]),
    ("IP address mismatch", _OTHER_NAME[1]),
    ("self-signed certificate", _UNKNOWN_AUTHORITY[1]),
    ("issuer certificate", _UNKNOWN_AUTHORITY[3]),
    ("unable to verify the first certificate", _UNKNOWN_AUTHORITY[4]),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who was to be reached, in the words of messages."""

    name: str
    setting: str
    """Where its address stands."""
    without_tls: str
    """What to write there for a port without TLS."""


CONDUCTOR = Peer("Conductor", "the operator's COUNCILOR_CONDUCTOR_URL", "begin it with http://")
GATEWAY = Peer("the gateway", "the operator's COUNCILOR_CONDUCTOR_GATEWAY_URL", "begin it with http://")
MONGODB = Peer("MongoDB", "MONGODB_URI in the Secret councilor-runner", "take tls=true out")


def tls_problem(error: BaseException, peer: Peer) -> str | None:
    """Return what is wrong with the peer's TLS, None when that is not what the error is about.

    A connection that just ended in the middle of the handshake is no such case: servers do that while they start.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _refused(cause.verify_code, peer)
        if isinstance(cause, ssl.SSLError):
            return _failed(cause.reason, peer)
    return None


def tls_problem_said(text: str, peer: Peer) -> str | None:
    """As `tls_problem`, from the words in which Python's `ssl` told it.

    For the MongoDB driver, which keeps of a server's failures the text alone (pymongo 4.20, monitor).
    """
    found = _SAID.search(text)
    if found is None or found["reason"] == "UNEXPECTED_EOF_WHILE_READING":
        return None
    if found["reason"] != "CERTIFICATE_VERIFY_FAILED":
        return _failed(found["reason"], peer)
    return _refused(next((code for words, code in _VERIFICATIONS if words in text), 0), peer)


def _refused(code: int, peer: Peer) -> str:
    return f"the TLS certificate of {peer.name} {_objection(code, peer)}"


def _failed(reason: str | None, peer: Peer) -> str:
    if reason in _NO_TLS:
        return f"the port of {peer.name} speaks no TLS: correct the address in {peer.setting}, or {peer.without_tls}"
    return f"the TLS handshake with {peer.name} failed ({reason or 'no reason given'}); see the server's log"


def _objection(code: int, peer: Peer) -> str:
    if code == _EXPIRED:
        return "has expired: renew it"
    if code == _NOT_YET_VALID:
        return "is not valid yet: wait, or set the node's clock"
    if code in _OTHER_NAME:
        return f"is for another host name: use a name that stands in it in {peer.setting}, or issue it for this one"
    if code in _UNKNOWN_AUTHORITY:
        return (
            "is not signed by an authority that the runner knows: put the authority's certificate under ca.crt into "
            "the ConfigMap that COUNCILOR_RUNNER_CA_CONFIG_MAP of the operator names, in the Councilor's namespace"
        )
    return f"is not accepted (OpenSSL verification code {code})" if code else "is not accepted"


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain
