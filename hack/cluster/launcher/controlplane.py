"""etcd, API server and controller manager: the whole of a cluster for integration tests, a part of one with a node."""

import http.client
import json
import socket

from .api import ApiClient, not_healthy
from .credentials import CONTROLLER_MANAGER, KUBELET_CLIENT
from .processes import Component, Probe, await_ready, start
from .state import API_PORT, LOOPBACK, SERVICE_NETWORK, Settings, Shape, State, free_ports

ISSUER = "https://kubernetes.default.svc.cluster.local"
# A request is logged once, when it is answered.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def plan(shape: Shape, *, audit: bool, programs: dict[str, str]) -> Settings:
    """Settings for a new cluster, with ports that are free now."""
    loopback = ["etcd", "etcd-peer", "kube-controller-manager"]
    if shape == "control-plane":
        return Settings(shape, audit, free_ports([*loopback, "kube-apiserver"]), programs)
    loopback += ["kube-scheduler", "kubelet-health", "kube-proxy-health", "kube-proxy-metrics"]
    loopback += ["coredns-health", "coredns-ready"]
    return Settings(shape, audit, {"kube-apiserver": API_PORT, **free_ports(loopback)}, programs)


def configure(state: State, settings: Settings) -> None:
    """Writes the configuration files of the control plane."""
    if settings.audit:
        (state.config / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY))


def components(state: State, settings: Settings) -> dict[str, Component]:
    """What to run, in the order in which it has to start."""
    ports = settings.ports
    etcd_url = f"http://{LOOPBACK}:{ports['etcd']}"
    peer_url = f"http://{LOOPBACK}:{ports['etcd-peer']}"
    etcd = [
        "--name=councilor",
        f"--data-dir={state.folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=councilor={peer_url}",
        "--unsafe-no-fsync",  # survives a killed etcd, not a power cut, and neither does the cluster
        "--log-level=warn",
    ]
    pki = state.pki
    api_server = [
        f"--etcd-servers={etcd_url}",
        f"--bind-address={settings.address}",
        f"--advertise-address={settings.address}",
        f"--secure-port={ports['kube-apiserver']}",
        f"--tls-cert-file={pki / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={pki / 'kube-apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # Ends watches soon after SIGTERM; without it a restart waits a minute for the controller manager's.
        "--shutdown-watch-termination-grace-period=1s",
        "--profiling=false",
    ]
    if settings.shape == "node":
        api_server += [
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / KUBELET_CLIENT.file}.crt",
            f"--kubelet-client-key={pki / KUBELET_CLIENT.file}.key",
            "--kubelet-preferred-address-types=InternalIP",
        ]
    else:
        # A loopback address cannot be the endpoint of a Service, and no Pod is there to use it.
        api_server += ["--endpoint-reconciler-type=none"]
    if settings.audit:
        api_server += [
            f"--audit-policy-file={state.config / 'audit-policy.json'}",
            f"--audit-log-path={state.folder / 'audit.log'}",
        ]
    controller_manager = [
        f"--kubeconfig={state.config / CONTROLLER_MANAGER.file}.kubeconfig",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={ports['kube-controller-manager']}",
        f"--cert-dir={pki / 'kube-controller-manager-server'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        # The controllers must not be what a test of a thousand objects measures.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    ]
    run = settings.programs["kubernetes"]
    found = (
        Component("etcd", (run, "etcd", *etcd), lambda: not_healthy(ports["etcd"], "/health")),
        Component("kube-apiserver", (run, "kube-apiserver", *api_server), _api_server_probe(state, settings)),
        Component(
            "kube-controller-manager",
            (run, "kube-controller-manager", *controller_manager),
            lambda: not_healthy(ports["kube-controller-manager"], tls=True),
        ),
    )
    return {component.name: component for component in found}


def _api_server_probe(state: State, settings: Settings) -> Probe:
    # The client reads certificates, which do not exist yet when the components are only listed.
    return lambda: ApiClient(state, settings).not_ready()


def start_control_plane(state: State, settings: Settings, found: dict[str, Component]) -> None:
    """Starts the three and waits until they work. Raises ClusterError when one does not in its time."""
    etcd, api_server, controller_manager = (
        found[name] for name in ("etcd", "kube-apiserver", "kube-controller-manager")
    )
    etcd_process = start(state, etcd)
    # The API server waits for etcd by itself, and both need most of their time to load.
    api_server_process = start(state, api_server)
    await_ready(state, etcd, etcd_process)
    # The controller manager gives up ten seconds after it finds no API server, so it starts when there is one.
    listening = Component(api_server.name, (), lambda: _not_listening(settings), api_server.ready_within)
    await_ready(state, listening, api_server_process)
    controller_manager_process = start(state, controller_manager)
    await_ready(state, api_server, api_server_process)
    await_ready(state, controller_manager, controller_manager_process)
    # Healthy is before working: Pods are refused until the namespace's service account exists.
    client = ApiClient(state, settings)
    working = Component(controller_manager.name, (), lambda: _no_service_account(client), 30.0)
    await_ready(state, working, controller_manager_process)


def _not_listening(settings: Settings) -> str | None:
    try:
        socket.create_connection((settings.address, settings.ports["kube-apiserver"]), timeout=1).close()
    except OSError as error:
        return f"not listening ({type(error).__name__})"
    return None


def _no_service_account(client: ApiClient) -> str | None:
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    try:
        status, _ = client.request("GET", path)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from the API server ({type(error).__name__})"
    return None if status == http.client.OK else "the service account default/default does not exist yet"
