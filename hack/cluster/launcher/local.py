"""CLUSTER=local: a cluster made of processes of this machine, with a node or as a control plane alone."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import build, controlplane, credentials, firewall, network, node, packages, processes, remains
from .processes import Component
from .progress import ClusterError, say, step
from .state import BRIDGE_ADDRESS, Settings, Shape, State, default_folder, locked

STOP_GRACE = 20.0  # seconds a restarted component may take to end; etcd takes 7
HEALTHY, BROKEN, DOWN = 0, 1, 3


@dataclass(frozen=True)
class LocalCluster:
    """The cluster whose state is in one folder; `shape` is what `up` makes of it."""

    state: State
    shape: Shape

    @classmethod
    def at(cls, folder: Path | None, shape: Shape) -> "LocalCluster":
        """The cluster of a folder, else the machine's one with a node, else the one at the usual place.

        A cluster that exists keeps its shape: naming its folder is enough.
        """
        if sys.platform != "linux":
            raise ClusterError("the local cluster needs Linux; use CLUSTER=kind (with Docker) or CLUSTER=current")
        if folder is None:
            folder = (_node_folder() if shape == "node" else None) or default_folder(shape)
        return cls(State(folder.resolve()), shape)

    @property
    def _lock(self) -> str:
        return "node" if self._actual_shape() == "node" else str(self.state.folder)

    def _actual_shape(self) -> Shape:
        return self.state.shape() or self.shape

    def prepare(self) -> dict[str, str]:
        """Installs and builds what `up` needs; the path of each program built. Raises ClusterError."""
        programs = [build.KUBERNETES]
        if self.shape == "node":
            if os.geteuid() != 0:
                raise ClusterError(
                    "a node needs root (network, mounts, control groups): run this with sudo. The control plane alone, "
                    "enough for integration tests, does not: cluster up --control-plane"
                )
            packages.ensure()
            programs += [build.COREDNS, build.PAUSE]
        return {program.name: str(build.ensure(program)) for program in programs}

    def up(self, *, audit: bool) -> None:
        """Starts the cluster and returns when it works; does nothing when it does already.

        Raises ClusterError, after removing everything again except the logs, when it cannot.
        """
        built = self.prepare()
        with locked(self._lock):
            if self._is_up(audit=audit):
                return
            self._clear_earlier()
            self.state.check()
            try:
                try:
                    self._start(controlplane.plan(self.shape, audit=audit, programs=built))
                except ClusterError as error:
                    # Somebody took a port between our look and our use.
                    if "address already in use" not in str(error) or self.shape == "node":
                        raise
                    say("a port was taken meanwhile; starting again with others")
                    self._clear()
                    self._start(controlplane.plan(self.shape, audit=audit, programs=built))
            except BaseException as error:
                explained = isinstance(error, ClusterError)
                say("cleaning up; the logs stay" if explained else "interrupted; cleaning up")
                self._clear(keep_logs=explained)
                raise

    def _is_up(self, *, audit: bool) -> bool:
        settings = self.state.settings()
        if settings is None:
            return False
        running = [process for process in processes.recorded(self.state).values() if process.running()]
        if running and settings.shape != self.shape:
            raise ClusterError(
                f"{self.state.folder} holds a running cluster of another shape ({settings.shape}): end it with "
                f"`cluster down --state {self.state.folder}`, or name another folder."
            )
        troubles = self._troubles(settings)
        if not troubles:
            if settings.audit != audit:
                log = "with" if settings.audit else "without"
                raise ClusterError(f"the cluster runs already, {log} an audit log: `cluster down` first.")
            say(f"running already at {settings.api_url}")
            return True
        if running:
            name, reason = next(iter(troubles.items()))
            say(f"starting over, the cluster is broken: {name}: {reason}")
        return False

    def _clear_earlier(self) -> None:
        """Removes what is left of a cluster that was here, or of the machine's earlier one with a node elsewhere."""
        earlier = _node_folder() if self.shape == "node" else None
        if earlier is not None and earlier != self.state.folder:
            other = LocalCluster(State(earlier), "node")
            if any(process.running() for process in processes.recorded(other.state).values()):
                raise ClusterError(
                    f"a cluster with a node runs already, with its state in {earlier}; a machine can have one. End it "
                    f"with `cluster down --state {earlier}`."
                )
            other._clear()
        if self.state.exists or earlier is not None:
            self._clear()

    def _start(self, settings: Settings) -> None:
        state = self.state
        has_node = settings.shape == "node"
        if has_node:
            if firewall.in_use() or remains.pod_groups():
                raise ClusterError(
                    "this machine runs Kubernetes already (there are packet filter chains KUBE-* or CNI-*, or control "
                    "groups of Pods, that no known local cluster made): use it with CLUSTER=current, or end it."
                )
            if (conflict := network.conflict()) is not None:
                raise ClusterError(conflict)
        state.prepare(settings)
        credentials.create(state, settings)
        controlplane.configure(state, settings)
        found = self._components(settings)
        if not has_node:
            with step("starting the control plane"):
                controlplane.start_control_plane(state, settings, found)
            return
        node.configure(state, settings)
        network.remember(state, remains.FOLDERS)
        network.set_up()
        node.start_node(state, settings, found)

    def _components(self, settings: Settings) -> dict[str, Component]:
        found = controlplane.components(self.state, settings)
        if settings.shape == "node":
            found |= node.components(self.state, settings)
        return found

    def _troubles(self, settings: Settings) -> dict[str, str]:
        """What does not work: component → reason."""
        known = processes.recorded(self.state)
        troubles = {}
        for name, component in self._components(settings).items():
            if name not in known or not known[name].running():
                troubles[name] = "not running"
            elif (reason := component.probe()) is not None:
                troubles[name] = reason
        return troubles

    def down(self) -> None:
        """Ends the cluster and leaves the machine as it was before `up`; nothing to end is no error."""
        with locked(self._lock):
            existed = self.state.exists
            with step("ending the cluster"):
                found = self._clear()
            if not found and not existed:
                say(f"nothing was running with its state in {self.state.folder}")

    def _clear(self, *, keep_logs: bool = False) -> bool:
        """Ends and removes everything; True when processes were running."""
        before = network.remembered() if self._actual_shape() == "node" else None
        if before is not None and before.state != str(self.state.folder):
            before = None  # another cluster's node
        if before is not None and os.geteuid() != 0:
            raise ClusterError("this cluster has a node, which only root can end: run this with sudo")
        found = remains.end_processes(self.state, has_node=before is not None)
        if before is not None:
            remains.clean_machine(self.state, before)
        # As long as the settings or the note exist the next launcher cleans again, so they go when all else has gone.
        self.state.discard(keep_logs=keep_logs, known=before is not None)
        if before is not None:
            network.forget()
        return found

    def _settings(self) -> Settings:
        settings = self.state.settings()
        # The settings stay, with the logs, when a start failed.
        if settings is None or not self.state.kubeconfig.exists():
            option = " --control-plane" if self.shape == "control-plane" else ""
            raise ClusterError(f"there is no cluster in {self.state.folder}: start one with `cluster up{option}`")
        return settings

    def status(self) -> tuple[int, dict[str, Any]]:
        """Exit code (0 all works, 1 something does not, 3 down) and what `status --json` prints."""
        settings = self.state.settings()
        known = processes.recorded(self.state)
        if settings is None or not any(process.running() for process in known.values()):
            return DOWN, {"cluster": "local", "running": False, "ready": False, "state": str(self.state.folder)}
        troubles = self._troubles(settings)
        components = [
            {
                "name": name,
                "pid": known[name].pid if name in known and known[name].running() else None,
                "ready": name not in troubles,
                "reason": troubles.get(name),
                "log": str(self.state.log(name)),
            }
            for name in self._components(settings)
        ]
        return BROKEN if troubles else HEALTHY, {
            "cluster": "local",
            "shape": settings.shape,
            "running": True,
            "ready": not troubles,
            "state": str(self.state.folder),
            "api": settings.api_url,
            "kubeconfig": str(self.state.kubeconfig),
            "auditLog": str(self.state.folder / "audit.log") if settings.audit else None,
            "components": components,
        }

    def kubeconfig(self) -> str:
        """The path of the administrator's kubeconfig."""
        self._settings()
        return str(self.state.kubeconfig)

    def kubectl(self, arguments: list[str]) -> None:
        """Becomes kubectl of the cluster's own version; does not return."""
        binary = self._settings().programs["kubernetes"]
        environment = {**os.environ, "KUBECONFIG": str(self.state.kubeconfig)}
        os.execve(binary, ["kubectl", *arguments], environment)  # noqa: S606

    def load_images(self, archives: list[Path]) -> None:
        """Makes the images of docker-archives or OCI archives available to Pods."""
        self._need_node("loading an image")
        for archive in archives:
            with step(f"loading {archive.name}"):
                node.load_image(self.state, archive)

    def host_address(self) -> str:
        """The address at which Pods reach servers of this machine that listen on it."""
        self._need_node("the address of this machine as Pods see it")
        return BRIDGE_ADDRESS

    def _need_node(self, what: str) -> None:
        if self._settings().shape != "node":
            raise ClusterError(
                f"{what} needs a cluster that runs Pods; this one is a control plane alone (see `cluster up`)"
            )

    def restart(self, name: str) -> None:
        """Ends a component, if it runs, and starts it again with the same data; returns when it is ready."""
        with locked(self._lock):
            component = self._component(name)
            with step(f"restarting {component.name}"):
                if (process := processes.recorded(self.state).get(component.name)) is not None:
                    processes.stop([process], STOP_GRACE)
                processes.await_ready(self.state, component, processes.start(self.state, component))

    def kill(self, name: str) -> None:
        """Kills a component as a crash would (SIGKILL); it stays away until `restart`."""
        with locked(self._lock):
            component = self._component(name)
            process = processes.recorded(self.state).get(component.name)
            if process is None or not process.running():
                raise ClusterError(f"{component.name} is not running; `cluster restart {name}` starts it")
            processes.kill([process])
            say(f"killed {component.name} (pid {process.pid}); `cluster restart {name}` starts it again")

    def _component(self, name: str) -> Component:
        """A component by its name, with or without `kube-`."""
        found = self._components(self._settings())
        for candidate in (name, f"kube-{name}"):
            if candidate in found:
                return found[candidate]
        raise ClusterError(f"no component is called {name}; there are {', '.join(found)}")


def _node_folder() -> Path | None:
    """The state folder of the machine's cluster with a node."""
    machine = network.remembered()
    return Path(machine.state) if machine else None
