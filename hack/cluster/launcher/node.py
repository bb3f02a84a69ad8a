"""Scheduler, container runtime, kubelet, service proxy and DNS: what makes a control plane a cluster that runs Pods.

All listen on the bridge's address or on the loopback address. The kubelet may fill the disk to the last percent: on a
machine that is not the cluster's own, evicting Pods because other files grew would only look like a failed test.
"""

import json
import socket
import subprocess
from pathlib import Path

from . import dns, image, packages
from .api import ApiClient, not_healthy
from .controlplane import start_control_plane
from .credentials import KUBE_PROXY, KUBELET, KUBELET_CLIENT, KUBELET_SERVER, SCHEDULER
from .processes import Component, await_ready, start
from .progress import ClusterError, step
from .state import (
    BRIDGE,
    BRIDGE_ADDRESS,
    CNI_NETWORK,
    KUBELET_PORT,
    LOOPBACK,
    NODE,
    POD_NETWORK,
    Settings,
    State,
)

MAX_PODS = 200
# One program cannot take more than the machine's hard limit of open files, which is low in some containers.
MAX_OPEN_FILES = 16_384
SOCKET_PATH_BYTES = 107  # of a Unix socket's address (sun_path, without the final zero)

CONTAINERD_CONFIG = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
oom_score = 0
# opt creates /opt/containerd; the others are file systems that are not used here.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
# Lowering a container's OOM score needs CAP_SYS_RESOURCE, which root lacks in some virtual machines.
restrict_oom_score_adj = true
# Network namespaces beside the rest of the state, so that what is left of a crash is found.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"
max_conf_num = 1

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
Root = "{folder}/runc"
"""


def containerd_socket(state: State) -> Path:
    return state.folder / "containerd" / "containerd.sock"


def configure(state: State, settings: Settings) -> None:
    """Writes the configuration of all parts of the node.

    Raises ClusterError when the state folder's path is too long for a socket in it.
    """
    address = containerd_socket(state)
    # containerd adds the longest name itself: its socket for streams.
    if len(f"{address}.ttrpc".encode()) > SOCKET_PATH_BYTES:
        raise ClusterError(f"the path {state.folder} is too long for sockets in it: name a shorter one with --state")
    networks = state.folder / "cni" / "networks"
    networks.mkdir(parents=True, exist_ok=True)
    (networks / "10-councilor.conflist").write_text(json.dumps(_cni(state), indent=2))
    (state.config / "containerd.toml").write_text(
        CONTAINERD_CONFIG.format(
            folder=state.folder / "containerd",
            socket=address,
            pause=image.PAUSE_IMAGE,
            plugins=packages.cni_folder(),
            networks=networks,
        )
    )
    (state.config / "kubelet.json").write_text(json.dumps(_kubelet(state, settings), indent=2))
    (state.config / "kube-proxy.json").write_text(json.dumps(_kube_proxy(state, settings), indent=2))
    dns.configure(state, settings)


def _cni(state: State) -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,  # a Pod reaches itself through its own Service
        "ipam": {
            "type": "host-local",
            "dataDir": str(state.folder / "cni" / "addresses"),
            "ranges": [[{"subnet": POD_NETWORK}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": CNI_NETWORK, "plugins": [bridge, portmap]}


def _kubelet(state: State, settings: Settings) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": BRIDGE_ADDRESS,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": settings.ports["kubelet-health"],
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(state.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(state.pki / f"{KUBELET_SERVER.file}.crt"),
        "tlsPrivateKeyFile": str(state.pki / f"{KUBELET_SERVER.file}.key"),
        "containerRuntimeEndpoint": f"unix://{containerd_socket(state)}",
        "cgroupDriver": "cgroupfs",  # also where systemd runs: it leaves groups alone that it did not make
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [BRIDGE_ADDRESS],
        "clusterDomain": dns.DOMAIN,
        "maxPods": MAX_PODS,
        "maxOpenFiles": MAX_OPEN_FILES,
        "oomScoreAdj": 0,
        "serializeImagePulls": False,
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,  # never: an image that was loaded cannot be pulled again
        "imageGCLowThresholdPercent": 99,
        "syncFrequency": "10s",
        "makeIPTablesUtilChains": False,  # kube-proxy makes its own
        "podLogsDir": str(state.folder / "pod-logs"),
        "volumePluginDir": str(state.folder / "kubelet" / "volume-plugins"),
    }


def _kube_proxy(state: State, settings: Settings) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(state.config / f"{KUBE_PROXY.file}.kubeconfig")},
        "healthzBindAddress": f"{LOOPBACK}:{settings.ports['kube-proxy-health']}",
        "metricsBindAddress": f"{LOOPBACK}:{settings.ports['kube-proxy-metrics']}",
        "nodePortAddresses": [POD_NETWORK],  # not on the machine's other interfaces
        "iptables": {
            # Pods share one bridge: without it an answer goes to the other Pod directly and is not recognised, unless
            # the kernel filters bridged packets too, which it may not.
            "masqueradeAll": True,
            "localhostNodePorts": False,
        },
        "conntrack": {  # 0: leave the machine's settings alone
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def components(state: State, settings: Settings) -> dict[str, Component]:
    """What a node runs beside the control plane, in the order in which it has to start."""
    run = settings.programs["kubernetes"]
    ports = settings.ports
    scheduler = [
        f"--kubeconfig={state.config / SCHEDULER.file}.kubeconfig",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={ports['kube-scheduler']}",
        f"--cert-dir={state.pki / 'kube-scheduler-server'}",
        "--leader-elect=false",
        "--profiling=false",
    ]
    kubelet = [
        f"--config={state.config / 'kubelet.json'}",
        f"--kubeconfig={state.config / KUBELET.file}.kubeconfig",
        f"--hostname-override={NODE}",
        f"--node-ip={BRIDGE_ADDRESS}",
        f"--root-dir={state.folder / 'kubelet'}",
        f"--cert-dir={state.folder / 'kubelet' / 'pki'}",
    ]
    found = (
        Component(
            "containerd",
            ("containerd", "--config", str(state.config / "containerd.toml")),
            lambda: _not_listening(containerd_socket(state)),
        ),
        Component(
            "kube-scheduler",
            (run, "kube-scheduler", *scheduler),
            lambda: not_healthy(ports["kube-scheduler"], tls=True),
        ),
        Component(
            "kubelet",
            (run, "kubelet", *kubelet),
            lambda: not_healthy(ports["kubelet-health"]) or _node_not_ready(state, settings),
            ready_within=120.0,
        ),
        Component(
            "kube-proxy",
            (run, "kube-proxy", f"--config={state.config / 'kube-proxy.json'}"),
            lambda: not_healthy(ports["kube-proxy-health"]),
        ),
        dns.component(state, settings),
    )
    return {component.name: component for component in found}


def start_node(state: State, settings: Settings, found: dict[str, Component]) -> None:
    """Starts control plane and node and waits until Pods can run. Raises ClusterError when a part is not ready in time.

    The bridge must exist.
    """
    containerd = found["containerd"]
    containerd_process = start(state, containerd)
    with step("starting the control plane"):
        start_control_plane(state, settings, found)
    client = ApiClient(state, settings)
    name = KUBELET_CLIENT.common_name
    client.create(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        dns.role_binding(name, "system:kubelet-api-admin", name),
    )
    dns.create_objects(client)
    with step("starting the node"):
        await_ready(state, containerd, containerd_process)
        archive = state.config / "pause.tar"
        image.write_archive(Path(settings.programs["pause"]), image.PAUSE_IMAGE, archive)
        load_image(state, archive)
        names = ("kube-scheduler", "kubelet", "kube-proxy", "coredns")
        started = {name: start(state, found[name]) for name in names}
        for name, process in started.items():
            await_ready(state, found[name], process)


def load_image(state: State, archive: Path) -> None:
    """Imports a docker-archive or OCI archive into the node. Raises ClusterError with containerd's words."""
    command = [
        "ctr",
        "--address",
        str(containerd_socket(state)),
        "--namespace",
        "k8s.io",
        "images",
        "import",
        str(archive),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise ClusterError(f"containerd did not import {archive}: {(ended.stderr or ended.stdout).strip()}")


def _not_listening(path: Path) -> str | None:
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(str(path))
        except OSError as error:
            return f"not listening at {path} ({type(error).__name__})"
    return None


def _node_not_ready(state: State, settings: Settings) -> str | None:
    node = ApiClient(state, settings).get(f"/api/v1/nodes/{NODE}")
    if node is None:
        return f"node {NODE} is not registered"
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready":
            return None if condition["status"] == "True" else f"node {NODE}: {condition.get('message', 'not ready')}"
    return f"node {NODE} reports no state yet"
