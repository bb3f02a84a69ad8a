"""The cluster's DNS: CoreDNS as a process of the host, on the bridge's address.

It answers for cluster.local and the reverse names of Pods and Services. Every other name does not exist: Pods cannot
leave the machine, and a name that is refused at once is better than one that times out.
"""

import random
import socket
import struct

from .api import ApiClient, not_healthy
from .credentials import COREDNS
from .processes import Component
from .state import API_SERVICE_ADDRESS, BRIDGE_ADDRESS, DNS_SERVICE_ADDRESS, LOOPBACK, Settings, State

DOMAIN = "cluster.local"
PORT = 53
PROBED = f"kubernetes.default.svc.{DOMAIN}"

COREFILE = """\
{domain}:{port} in-addr.arpa:{port} {{
    bind {address}
    errors
    health {loopback}:{health}
    ready {loopback}:{ready}
    cache 5
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
}}
.:{port} {{
    bind {address}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def component(state: State, settings: Settings) -> Component:
    """CoreDNS, ready when it resolves the API server's own name over the network."""
    return Component(
        "coredns",
        (settings.programs["coredns"], "-conf", str(state.config / "Corefile")),
        lambda: not_healthy(settings.ports["coredns-ready"], "/ready") or not_answering(),
    )


def configure(state: State, settings: Settings) -> None:
    """Writes CoreDNS's configuration."""
    text = COREFILE.format(
        port=PORT,
        address=BRIDGE_ADDRESS,
        loopback=LOOPBACK,
        health=settings.ports["coredns-health"],
        ready=settings.ports["coredns-ready"],
        domain=DOMAIN,
        kubeconfig=state.config / f"{COREDNS.file}.kubeconfig",
    )
    (state.config / "Corefile").write_text(text)


def create_objects(client: ApiClient) -> None:
    """CoreDNS's permissions, and the Service under which programs expect the cluster's DNS."""
    name = COREDNS.common_name
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    watched = {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]}
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    client.create(
        f"{rbac}/clusterroles",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [watched, slices],
        },
    )
    client.create(f"{rbac}/clusterrolebindings", role_binding(name, name, name))
    ports = [{"name": "dns", "port": PORT, "protocol": "UDP"}, {"name": "dns-tcp", "port": PORT, "protocol": "TCP"}]
    client.create(
        "/api/v1/namespaces/kube-system/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": DNS_SERVICE_ADDRESS, "ports": ports},
        },
    )
    client.create(
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns-host", "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [BRIDGE_ADDRESS], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


def role_binding(name: str, role: str, user: str) -> dict[str, object]:
    """A ClusterRoleBinding of a ClusterRole to one user."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def query(name: str, identifier: int) -> bytes:
    """A DNS question for the IPv4 address of a name (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return struct.pack("!6H", identifier, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def answers(message: bytes, identifier: int, address: str) -> bool:
    """Whether a DNS message answers the question of that identifier, without error, with that address among others."""
    if len(message) < 12:
        return False
    found, flags, _, count = struct.unpack("!4H", message[:8])
    is_response, rcode = bool(flags & 0x8000), flags & 0x000F
    # Type A, class IN, any TTL, four bytes: looked for as such, there is one record to expect.
    return (
        found == identifier and is_response and rcode == 0 and count > 0 and message.endswith(socket.inet_aton(address))
    )


def not_answering() -> str | None:
    """A component's probe: why the cluster's DNS does not resolve yet."""
    identifier = random.randrange(1 << 16)  # noqa: S311 - matches answer and question, protects nothing
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(0.5)
        try:
            link.sendto(query(PROBED, identifier), (BRIDGE_ADDRESS, PORT))
            message = link.recv(4096)
        except OSError as error:
            return f"no answer to a DNS question ({type(error).__name__})"
    if answers(message, identifier, API_SERVICE_ADDRESS):
        return None
    return f"{PROBED} does not resolve to {API_SERVICE_ADDRESS} yet"
