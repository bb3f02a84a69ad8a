"""Whom the HTTP client trusts: the usual certificate authorities, unless there is nothing to encrypt.

Reading them takes a tenth of a run's own time, at every start.
"""

import ssl
from urllib.request import getproxies

from councilor_runner.contract import Endpoints


def trust(endpoints: Endpoints) -> ssl.SSLContext | bool:
    """Return whom to trust in the terms of httpx's `verify`: True for the usual authorities.

    Where Conductor, gateway and proxies are all spoken to in the clear it is a context that trusts nobody: anything
    encrypted after all fails, and is never unverified.
    """
    # The client takes the same proxies from the environment.
    addresses = (endpoints.conductor_url, endpoints.gateway_url or "", *getproxies().values())
    if any(address[:6].lower() == "https:" for address in addresses):
        return True
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
