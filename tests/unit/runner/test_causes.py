"""Why a notification was not taken: only numbers and known classes get through."""

import errno
import smtplib
import socket
import ssl

import pytest
import requests
import urllib3
import urllib3.connection

from councilor_runner.causes import of_exception, of_log

HIDDEN = "s3cr3t"


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__context__ = inner
    return outer


def wrapped(inner: Exception) -> requests.ConnectionError:
    """What requests makes of an error of urllib3."""
    pool = urllib3.HTTPConnectionPool(HIDDEN)
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, f"/{HIDDEN}", inner))


NOT_FOUND = socket.gaierror(-2, HIDDEN)
CONNECTION = urllib3.connection.HTTPConnection(HIDDEN)

EXCEPTIONS: list[tuple[BaseException, str | None]] = [
    (smtplib.SMTPAuthenticationError(535, HIDDEN.encode()), "the mail server refused the login (SMTP 535)"),
    (smtplib.SMTPSenderRefused(553, HIDDEN.encode(), HIDDEN), "the mail server refused the sender (SMTP 553)"),
    (
        smtplib.SMTPRecipientsRefused({HIDDEN: (550, b""), "b": (451, b"")}),
        "the mail server refused a recipient (SMTP 451, 550)",
    ),
    (smtplib.SMTPDataError(554, HIDDEN.encode()), "the mail server refused the message (SMTP 554)"),
    (smtplib.SMTPConnectError(421, HIDDEN.encode()), "the mail server refused the message (SMTP 421)"),
    (smtplib.SMTPServerDisconnected(HIDDEN), "the mail server ended the connection"),
    (chained(smtplib.SMTPServerDisconnected(HIDDEN), TimeoutError()), "the server did not answer in time"),
    (
        smtplib.SMTPNotSupportedError(HIDDEN),
        "the mail server offers no encryption or no login, which the address demands",
    ),
    (socket.gaierror(-2, HIDDEN), "the server's name was not found"),
    (ConnectionRefusedError(111, HIDDEN), "the server refused the connection: check host and port"),
    (ConnectionResetError(104, HIDDEN), "the server ended the connection"),
    (TimeoutError(HIDDEN), "the server did not answer in time"),
    (OSError(errno.ENETUNREACH, HIDDEN), "the server could not be reached (ENETUNREACH)"),
    (requests.ReadTimeout(HIDDEN), "the server did not answer in time"),
    (requests.ConnectTimeout(HIDDEN), "the server did not answer in time"),
    (wrapped(chained(urllib3.exceptions.NewConnectionError(CONNECTION, HIDDEN), ConnectionRefusedError())),
     "the server refused the connection: check host and port"),
    (wrapped(chained(urllib3.exceptions.NameResolutionError(HIDDEN, CONNECTION, NOT_FOUND), NOT_FOUND)),
     "the server's name was not found"),
    (
        requests.exceptions.SSLError(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, HIDDEN))),
        "the server's certificate is not trusted",
    ),
    (
        ssl.SSLError(1, HIDDEN),
        "no encrypted connection could be made: check whether the server speaks TLS on this port",
    ),
    (requests.exceptions.ProxyError(HIDDEN), "the proxy could not be reached, or refused to pass the message on"),
    (ValueError(HIDDEN), None),
    (OSError(HIDDEN), None),
]  # fmt: skip


@pytest.mark.parametrize(("error", "expected"), EXCEPTIONS, ids=[type(row[0]).__name__ for row in EXCEPTIONS])
def test_exceptions(error: BaseException, expected: str | None) -> None:
    assert of_exception(error) == expected


def test_exceptions_that_lead_in_a_circle() -> None:
    first, second = ValueError(), ValueError()
    first.__context__, second.__context__ = second, first
    assert of_exception(first) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Failed to send JSON POST notification: Internal server error., error=500.", "the service answered HTTP 500"),
        ("Failed to send Slack: error=404.", "the service answered HTTP 404: check the address"),
        ("error=401.", "the service answered HTTP 401: check the credentials in the address"),
        ("error=429.", "the service answered HTTP 429: too many messages in a short time"),
        ("error=302.", "the service answered HTTP 302, a redirection: write the address it leads to"),
        ("error=404, then error=503", "the service answered HTTP 503"),
        (f"SMTP recipient {HIDDEN}@x was refused: 550 b'{HIDDEN}'", "the mail server refused a recipient (SMTP 550)"),
        (f"could not send to {HIDDEN}", None),
        (f"token error=5000{HIDDEN}", None),
        ("error=200.", "the service answered HTTP 200, but with an error in it"),
        ("error=999", None),
        (f"xerror=404{HIDDEN}", None),
        ("", None),
    ],
)
def test_log_messages(line: str, expected: str | None) -> None:
    assert of_log(line) == expected
