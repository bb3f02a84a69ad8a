"""Starts and ends a control plane with the project's own launcher."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "hack/cluster/cluster"


class ControlPlane:
    """etcd, API server and controller-manager on loopback; `state` is a folder of its own."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def up(self) -> Path:
        """Start it; returns the path of the kubeconfig."""
        return Path(self._run("up", "--audit").strip())

    def down(self) -> None:
        """End it."""
        self._run("down")

    def kill(self, component: str) -> None:
        """End a component as a crash would."""
        self._run("kill", component)

    def restart(self, component: str) -> None:
        """Start a component anew; returns when it is ready."""
        self._run("restart", component)

    def pid(self, component: str) -> int:
        """Return the process id of a component that runs."""
        found = {item["name"]: item["pid"] for item in json.loads(self._run("status", "--json"))["components"]}
        return int(found[component])

    def kubectl(
        self, *arguments: str, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl."""
        return self._launch("kubectl", *arguments, check=check, stdin=stdin)

    def audit_mark(self) -> int:
        """Return a point in the API server's own record of requests, for `operator_writes`."""
        return self.audit_log.stat().st_size

    def operator_writes(self, namespace: str, *, since: int) -> list[str]:
        """Return what the operator wrote in a namespace since a mark: verb, resource, name and subresource.

        Left out are events, and what changed nothing: refused requests (conflicts) and dry runs.
        """
        writes = []
        with self.audit_log.open() as log:
            log.seek(since)
            for entry in map(json.loads, log):
                target = entry.get("objectRef", {})
                if (
                    entry.get("userAgent", "").startswith("councilor-operator/")
                    and entry["verb"] not in {"get", "list", "watch"}
                    and target.get("namespace") == namespace
                    and target.get("resource") != "events"
                    and entry["responseStatus"]["code"] < 300
                    and "dryRun=All" not in entry["requestURI"]
                ):
                    words = [target["resource"], target["name"], target.get("subresource")]
                    writes.append(f"{entry['verb']} {'/'.join(word for word in words if word)}")
        return writes

    def has_written(self, namespace: str, count: int, *, since: int) -> bool:
        """Tell whether the operator wrote so often in a namespace since a mark."""
        return len(self.operator_writes(namespace, since=since)) >= count

    def requests_of(self, user: str, *, since: int) -> Iterator[dict[str, Any]]:
        """Yield the API server's records of a user's requests since a mark; that of a watch when it begins, too."""
        with self.audit_log.open() as log:
            log.seek(since)
            yield from (entry for entry in map(json.loads, log) if entry["user"]["username"] == user)

    @property
    def audit_log(self) -> Path:
        """The API server's own record of requests, one JSON document a line."""
        return self._state / "audit.log"

    def _run(self, command: str, *arguments: str) -> str:
        done = self._launch(command, *arguments, check=False)
        if done.returncode:
            raise AssertionError(f"cluster {command}: {done.stderr}")
        return done.stdout

    def _launch(self, *words: str, check: bool, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        line = [str(LAUNCHER), "--state", str(self._state), "--control-plane", *words]
        # A user's choice of cluster is for the demo: these tests need one that they may break.
        environment = {**os.environ, "CLUSTER": "local"}
        return subprocess.run(
            line, input=stdin, capture_output=True, text=True, timeout=1800, check=check, env=environment
        )
