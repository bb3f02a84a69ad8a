"""What is said about a TLS connection that did not come about."""

import ssl

import pytest

from councilor_runner.tls import CONDUCTOR, GATEWAY, MONGODB, Peer, tls_problem

SECRET = "conductor.internal.example"


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"certificate verify failed for {SECRET}")
    error.verify_code = code
    return error


def failure(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {SECRET}")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize("peer", [CONDUCTOR, GATEWAY, MONGODB])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (verification(10), "has expired: renew it"),
        (verification(9), "is not valid yet"),
        (verification(62), "another host name"),
        (verification(64), "another host name"),
        (verification(18), "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        (verification(19), "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        (verification(20), "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        (verification(21), "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        (verification(23), "(OpenSSL verification code 23)"),
        (failure("WRONG_VERSION_NUMBER"), "speaks no TLS"),
        (failure("TLSV1_ALERT_PROTOCOL_VERSION"), "(TLSV1_ALERT_PROTOCOL_VERSION); see the server's log"),
        (failure(None), "(no reason given)"),
    ],
)
def test_problems(error: ssl.SSLError, words: str, peer: Peer) -> None:
    message = tls_problem(error, peer)
    assert message is not None
    assert words in message
    assert peer.name in message
    assert SECRET not in message


@pytest.mark.parametrize(
    "error",
    [OSError("reset"), ssl.SSLEOFError(8, "EOF occurred"), ssl.SSLZeroReturnError(6, "closed"), ValueError("no")],
)
def test_other_troubles(error: Exception) -> None:
    assert tls_problem(error, CONDUCTOR) is None


def test_what_is_wrapped_is_found() -> None:
    try:
        try:
            raise verification(10)
        except ssl.SSLError as error:
            raise OSError("wrapped") from error
    except OSError as error:
        outer = RuntimeError("once more")
        outer.__context__ = error
    assert "expired" in (tls_problem(outer, MONGODB) or "")
