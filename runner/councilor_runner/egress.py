"""How this process reaches other machines: through which HTTP proxies, trusting which certificate authorities.

Both are left to the environment variables that every HTTP and TLS library reads (`HTTP_PROXY` and its like,
`SSL_CERT_FILE`), because they are the one way to tell all of them: the HTTP client, the MongoDB driver, which has no
other door that would not also turn TLS on, and whatever a notification goes through.
"""

import os
import re
import ssl
from collections.abc import MutableMapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from councilor_runner import contract as contracts
from councilor_runner import logs
from councilor_runner.contract import Reason
from councilor_runner.settings import SettingsError

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]*-----END CERTIFICATE-----")
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def prepare(environment: MutableMapping[str, str], ca_file: Path | None, proxy_credentials: str | None) -> None:
    """Complete the process's environment. Call before any client is made.

    Raises SettingsError for a file without certificates, or credentials that are none.
    """
    if proxy_credentials is not None:
        for name in contracts.ENV_PROXIES[:2]:
            if environment.get(name):
                environment[name] = _with_credentials(environment[name], proxy_credentials)
    if ca_file is not None:
        _trust(environment, ca_file)


def _with_credentials(url: str, credentials: str) -> str:
    user, separator, password = credentials.partition(":")
    if not (user and separator):
        raise SettingsError(
            f"{contracts.ENV_PROXY_CREDENTIALS} in the Secret councilor-runner has to be user:password",
            Reason.CREDENTIALS_REFUSED,
        )
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}").geturl()


def _trust(environment: MutableMapping[str, str], ca_file: Path) -> None:
    """Let the libraries trust the authorities of a file in addition to the public ones."""
    try:
        text = ca_file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        # The ConfigMap is optional: namespaces whose connections need no private authority do without.
        logs.info("no private certificate authority: the ConfigMap does not exist, or has no ca.crt")
        return
    except OSError as error:
        raise SettingsError(
            f"ca.crt in the ConfigMap of certificate authorities cannot be read ({type(error).__name__})",
            Reason.TLS_FAILED,
        ) from None
    own = "\n".join(_CERTIFICATE.findall(text))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=own)
    except (ssl.SSLError, ValueError):
        raise SettingsError(
            "ca.crt in the ConfigMap of certificate authorities (COUNCILOR_RUNNER_CA_CONFIG_MAP of the operator) holds "
            "no usable certificate: write it there in PEM form, from -----BEGIN CERTIFICATE----- on",
            Reason.TLS_FAILED,
        ) from None
    # The HTTP client's own list of public authorities, so that every connection of a run trusts the same.
    import certifi

    # In memory: the root file system is read-only, and there is no other place to write.
    descriptor = os.memfd_create("certificate-authorities")
    bundle = Path(f"/proc/self/fd/{descriptor}")
    bundle.write_text(f"{certifi.contents()}\n{own}\n", encoding="utf-8")
    for name in _BUNDLE_VARIABLES:
        environment[name] = str(bundle)
