"""Ports for the servers that tests start."""

import random
import socket
from typing import Final

_PORTS: Final = range(20_000, 30_000)
"""Below the ports that Linux gives to outgoing connections (32768 and up) and those of Kubernetes' node ports: none of
these is taken by chance between the moment it was found free and the start of the server that is told to use it."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port nobody listens on at this moment, another one each time as far as chance goes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"none of a hundred ports of {host} between {_PORTS.start} and {_PORTS.stop} is free")
