"""Why a notification was not taken, in words that give nothing away.

Apprise answers yes or no and logs the rest, with hosts, addresses and what servers said. Of all that only numbers and
classes are used: the HTTP status that a service answered, the code of a mail server, the class of the exception that
is being handled while Apprise logs.
"""

import errno
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator

# Apprise 2.2 ends the warning about a refused request with it, in nine of ten services.
_HTTP_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
# Apprise 2.2, plugins/email/smtp.py: some of the recipients were refused.
_RECIPIENT_REFUSED = re.compile(r"\ASMTP recipient .* was refused: ([45][0-9]{2}) ", re.DOTALL)

_ADVICE = {
    400: "the service does not take the message or the address",
    401: "check the credentials in the address",
    403: "check the credentials in the address",
    404: "check the address",
    405: "check the address",
    410: "the address is no longer in use",
    413: "the message is too long for the service",
    429: "too many messages in a short time",
}
_CLASSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "the server's certificate is not trusted"),
    (ssl.SSLError, "no encrypted connection could be made: check whether the server speaks TLS on this port"),
    (socket.gaierror, "the server's name was not found"),
    (ConnectionRefusedError, "the server refused the connection: check host and port"),
    (TimeoutError, "the server did not answer in time"),
    (smtplib.SMTPNotSupportedError, "the mail server offers no encryption or no login, which the address demands"),
    (smtplib.SMTPServerDisconnected, "the mail server ended the connection"),
    (ConnectionError, "the server ended the connection"),
)


def of_log(message: str) -> str | None:
    """Return the cause that a log message of Apprise has a number for."""
    if (found := _RECIPIENT_REFUSED.match(message)) is not None:
        return _recipient_refused(int(found[1]))
    numbers = _HTTP_STATUS.findall(message)
    return of_status(int(numbers[-1])) if numbers else None


def of_status(status: int) -> str:
    """Return the cause behind an HTTP status."""
    if status < 300:
        return f"the service answered HTTP {status}, but with an error in it"
    if status < 400:
        return f"the service answered HTTP {status}, a redirection: write the address it leads to"
    advice = _ADVICE.get(status)
    return f"the service answered HTTP {status}: {advice}" if advice else f"the service answered HTTP {status}"


def of_exception(error: BaseException) -> str | None:
    """Return the cause behind an exception, by its class, its code and those of what led to it.

    None when it is none of those that a connection brings about.
    """
    chain = list(_chain(error))
    for found in chain:
        if isinstance(found, smtplib.SMTPRecipientsRefused):
            return _recipient_refused(*sorted({code for code, _ in found.recipients.values()}))
        if isinstance(found, smtplib.SMTPAuthenticationError):
            return f"the mail server refused the login (SMTP {found.smtp_code})"
        if isinstance(found, smtplib.SMTPSenderRefused):
            return f"the mail server refused the sender (SMTP {found.smtp_code})"
        if isinstance(found, smtplib.SMTPResponseException) and found.smtp_code > 0:
            return f"the mail server refused the message (SMTP {found.smtp_code})"
    if any(type(found).__name__ == "ProxyError" for found in chain):
        return "the proxy could not be reached, or refused to pass the message on"
    # In the order of the table: a certificate that is not trusted ends in an error of the connection, too.
    for kind, words in _CLASSES:
        if any(isinstance(found, kind) or _is_called_like(found, kind) for found in chain):
            return words
    for found in chain:
        if isinstance(found, OSError) and found.errno is not None and found.errno in errno.errorcode:
            return f"the server could not be reached ({errno.errorcode[found.errno]})"
    return None


def _recipient_refused(*codes: int) -> str:
    return f"the mail server refused a recipient (SMTP {', '.join(map(str, codes))})"


def _is_called_like(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether this is what an HTTP library makes of that exception where it leaves no trace of the original."""
    return kind is TimeoutError and type(error).__name__ in ("Timeout", "ConnectTimeout", "ReadTimeout")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those behind it: causes, contexts, and what HTTP libraries keep among the arguments."""
    waiting, seen = [error], set()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        waiting += [item for item in inner if isinstance(item, BaseException)]
