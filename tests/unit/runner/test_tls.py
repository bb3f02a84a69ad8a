"""What is said about a TLS connection that did not come about."""

import ssl

import pytest

from councilor_runner.tls import CONDUCTOR, GATEWAY, MONGODB, Peer, tls_problem, tls_problem_said

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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("certificate has expired", "has expired: renew it"),
        ("certificate is not yet valid", "is not valid yet"),
        (f"Hostname mismatch, certificate is not valid for '{SECRET}'.", "another host name"),
        (f"IP address mismatch, certificate is not valid for '{SECRET}'.", "another host name"),
        ("self-signed certificate", "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        ("self-signed certificate in certificate chain", "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        ("unable to get local issuer certificate", "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        ("unable to get issuer certificate", "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        ("unable to verify the first certificate", "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        ("certificate revoked", "is not accepted"),
    ],
)
def test_problems_of_which_only_the_text_is_left(words: str, expected: str) -> None:
    text = f"{SECRET}:27017: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {words} (_ssl.c:1006)"
    message = tls_problem_said(text, MONGODB)
    assert message is not None
    assert expected in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", "speaks no TLS"),
        ("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert", "(SSLV3_ALERT_HANDSHAKE_FAILURE)"),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", None),
        ("db:27017: [Errno 111] Connection refused", None),
        ("None", None),
    ],
)
def test_other_words(text: str, expected: str | None) -> None:
    message = tls_problem_said(text, MONGODB)
    assert message is None if expected is None else expected in (message or "")


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
