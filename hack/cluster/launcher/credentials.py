"""Certificates and kubeconfigs: one certificate authority per cluster, one identity for each component.

Who a client is follows from its certificate (common name = user, organisation = group), what it may do from the API
server's own roles for that user or group. Only the administrator is in system:masters.
"""

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .progress import ClusterError
from .state import API_SERVICE_ADDRESS, BRIDGE_ADDRESS, LOOPBACK, NODE, Settings, State

VALID_DAYS = "365"
# openssl's own configuration adds extensions that contradict ours.
OPENSSL_CONFIG = "[req]\ndistinguished_name = subject\n[subject]\n"
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Identity:
    """A certificate: for a client when `names` is empty, else for a server reached under these."""

    file: str
    common_name: str
    organisation: str = ""
    names: tuple[str, ...] = ()  # subject alternative names as openssl writes them

    @property
    def subject(self) -> str:
        return f"{f'/O={self.organisation}' if self.organisation else ''}/CN={self.common_name}"


API_SERVER_NAMES = (
    "DNS:localhost",
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:kubernetes.default.svc.cluster.local",
    f"IP:{API_SERVICE_ADDRESS}",
    f"IP:{LOOPBACK}",
)
ADMIN = Identity("admin", "councilor-cluster-admin", "system:masters")
CONTROLLER_MANAGER = Identity("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")
KUBE_PROXY = Identity("kube-proxy", "system:kube-proxy")
KUBELET = Identity("kubelet", f"system:node:{NODE}", "system:nodes")
KUBELET_SERVER = Identity("kubelet-server", NODE, names=(f"IP:{BRIDGE_ADDRESS}", f"DNS:{NODE}"))
KUBELET_CLIENT = Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client")
COREDNS = Identity("coredns", "system:coredns")


def api_server(settings: Settings) -> Identity:
    own = () if settings.address == LOOPBACK else (f"IP:{settings.address}",)
    return Identity("kube-apiserver", "kube-apiserver", names=API_SERVER_NAMES + own)


def create(state: State, settings: Settings) -> None:
    """Writes the authority, all certificates, the service account key and the kubeconfigs of the cluster's shape."""
    (state.pki / "openssl.cnf").write_text(OPENSSL_CONFIG)
    authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl(
        state,
        "req",
        "-x509",
        *EC_KEY,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=councilor-cluster-ca",
        *authority,
    )
    clients = [ADMIN, CONTROLLER_MANAGER]
    servers = [api_server(settings)]
    others = []
    if settings.shape == "node":
        clients += [SCHEDULER, KUBE_PROXY, KUBELET, COREDNS]
        servers += [KUBELET_SERVER]
        others += [KUBELET_CLIENT]
    with ThreadPoolExecutor(max_workers=4) as pool:
        key = pool.submit(
            _openssl, state, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-out", "service-account.key",
        )  # fmt: skip
        list(pool.map(lambda identity: _sign(state, identity), [*clients, *servers, *others]))
        key.result()
    _openssl(state, "pkey", "-in", "service-account.key", "-pubout", "-out", "service-account.pub")
    for identity in clients:
        path = state.kubeconfig if identity is ADMIN else state.config / f"{identity.file}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(kubeconfig(state.pki, settings.api_url, identity), indent=2) + "\n")


def _sign(state: State, identity: Identity) -> None:
    usage = "serverAuth" if identity.names else "clientAuth"
    extensions = ["-addext", "basicConstraints=CA:FALSE", "-addext", f"extendedKeyUsage={usage}"]
    if identity.names:
        extensions += ["-addext", f"subjectAltName={','.join(identity.names)}"]
    _openssl(
        state, "req", "-x509", "-CA", "ca.crt", "-CAkey", "ca.key", *EC_KEY, "-keyout", f"{identity.file}.key",
        "-out", f"{identity.file}.crt", "-subj", identity.subject, *extensions,
    )  # fmt: skip


def _openssl(state: State, *arguments: str) -> None:
    command = ["openssl", *arguments]
    if arguments[0] == "req":
        command += ["-config", "openssl.cnf", "-days", VALID_DAYS]
    try:
        ended = subprocess.run(command, cwd=state.pki, capture_output=True, text=True, check=False, umask=0o077)
    except FileNotFoundError:
        raise ClusterError("openssl is missing; on Debian: apt-get install openssl") from None
    if ended.returncode != 0:
        raise ClusterError(
            f"`openssl {arguments[0]}` failed in {state.pki} (version 3 or newer is needed, see `openssl version`):\n"
            + ended.stderr.strip()
        )


def kubeconfig(pki: Path, server: str, identity: Identity) -> dict[str, object]:
    """A self-contained kubeconfig (certificates inside), which may be copied elsewhere on the machine."""

    def embedded(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    name = "councilor-cluster"
    client = {
        "client-certificate-data": embedded(f"{identity.file}.crt"),
        "client-key-data": embedded(f"{identity.file}.key"),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")}}],
        "users": [{"name": identity.common_name, "user": client}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": identity.common_name}}],
        "current-context": name,
    }
