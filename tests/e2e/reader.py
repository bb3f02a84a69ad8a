"""Somebody who follows the pages: a folder with the project, a cluster as the pages take it to be, a shell.

Commands are typed as they stand there. What a reader would put in is put in: `NAME` and `NAMESPACE`, and the address of
a database that stands there as dots. Conductor and MongoDB are found in the cluster under the names that the pages have
(Services without a selector), and the images under those of the chart's defaults.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from hack.demo.cluster import LAUNCHER, TOOL
from hack.demo.commands import ROOT
from hack.demo.installation import CHART
from hack.demo.manifests import LABEL_INSTANCE, RELEASE, Manifest
from tests.documentation import fenced, is_make
from tests.e2e.environment import Environment
from tests.e2e.previous import load_images_as
from tests.e2e.workspace import eventually

OPERATOR_NAMESPACE: Final = "councilor-operator"
NAMESPACE: Final = "councilors"
NAME: Final = "coverage-review"
ELSEWHERE: Final = "team-a"
"""Another team's namespace, on some pages."""
SERVICES: Final = "conductor"
USER, PASSWORD = "user", "password"
"""Those of the pages, for a database that lives as long as the tests."""
_PARTS: Final = ("charts", "crds", "docs", "examples", "operator", "runner", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Reader:
    """`folder` is the reader's checkout, `programs` comes first on the PATH."""

    environment: Environment
    folder: Path
    programs: Path

    @classmethod
    def sits_down(cls, environment: Environment, folder: Path) -> Reader:
        """Prepares what the pages take for granted."""
        checkout, programs, images = (folder / name for name in ("checkout", "programs", "images"))
        for made in (checkout, programs, images):
            made.mkdir()
        for part in _PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, checkout / part)
        (checkout / "ca.crt").write_text("a certificate\n")
        reader = cls(environment, checkout, programs)
        reader._write_program("kubectl", f'exec {LAUNCHER} kubectl --kubeconfig="$KUBECONFIG" "$@"')
        helm = subprocess.run([TOOL, "helm"], capture_output=True, text=True, check=True).stdout.strip()
        reader._write_program("helm", f'exec {helm} "$@"')
        kubeconfig = yaml.safe_load(Path(environment.cluster.kubeconfig()).read_text())
        for context in kubeconfig["contexts"]:
            context["context"]["namespace"] = NAMESPACE
        reader.kubeconfig.write_text(yaml.safe_dump(kubeconfig))
        load_images_as(environment, yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"], images)
        # A server that lets everybody in takes credentials all the same, and refuses wrong ones.
        environment.database.client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        environment.cluster.apply(reader._services())
        return reader

    @property
    def kubeconfig(self) -> Path:
        """Whose current namespace is the Councilors'."""
        return self.programs / "kubeconfig"

    def follow(self, page: str, *containing: str) -> str:
        """Types the commands of a page, fence after fence; those with one of the texts only, if any are given.

        All that was printed. Raises AssertionError with the command and what it said when one fails.
        """
        blocks = [block for block in fenced(ROOT / page, "sh") if not is_make(block)]
        wanted = [block for block in blocks if not containing or any(text in block for text in containing)]
        assert wanted, f"{page} has no such commands"
        return "".join(self.type_in(block) for block in wanted)

    def type_in(self, block: str) -> str:
        """Runs a fence in a shell that ends at the first command that fails."""
        text = re.sub(r"\$?\bNAMESPACE\b", NAMESPACE, re.sub(r"\$?\bNAME\b", NAME, block))
        text = text.replace("mongodb://...", self.environment.mongod.uri)
        path = (self.folder / ".venv" / "bin", self.programs, Path(sys.executable).parent, os.environ["PATH"])
        done = subprocess.run(
            # The last command would take the shell's place, and completion asks which shell it is.
            ["bash", "-euo", "pipefail", "-c", f"{text}\ntrue"],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": os.pathsep.join(map(str, path)),
                "HOME": str(self.folder),
                "KUBECONFIG": str(self.kubeconfig),
                # Where a page says that these are set.
                "MONGODB_URI": self.environment.mongod.uri,
                "COUNCILOR_SYNC_NAMESPACE": NAMESPACE,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"exit code {done.returncode}\n$ {block}\n{said}"
        assert "Traceback" not in said, said
        return said

    def await_operator(self, deployment: str = RELEASE) -> None:
        """Waits until a Deployment of the release is as it should be."""
        arguments = ("rollout", "status", f"deployment/{deployment}", "-n", OPERATOR_NAMESPACE, "--timeout=120s")
        self.environment.cluster.kubectl(*arguments)

    def tidies_up(self) -> None:
        """Takes the release, the Councilors and the pages' namespaces away."""
        cluster = self.environment.cluster
        cluster.kubectl("delete", "councilors", "--all", "-n", NAMESPACE, "--timeout=60s")
        cluster.helm("uninstall", RELEASE, "-n", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait", "--timeout=90s")
        names = (OPERATOR_NAMESPACE, NAMESPACE, ELSEWHERE)
        cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--timeout=120s")
        eventually(lambda: not any(cluster.find("namespace", name) for name in names), "the namespaces are gone")

    def leaves(self) -> None:
        """Takes away what `sits_down` has made."""
        self.environment.cluster.kubectl("delete", "namespace", SERVICES, "--ignore-not-found", "--wait=false")

    def _write_program(self, name: str, text: str) -> None:
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)

    def _services(self) -> list[Manifest]:
        conductor = urlsplit(self.environment.conductor.conductor_url)
        mongod = self.environment.mongod
        labels = {LABEL_INSTANCE: self.environment.installation.scope.instance}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERVICES, "labels": labels}}
        assert conductor.hostname is not None
        assert conductor.port is not None
        return [
            namespace,
            *_service("conductor", 8000, conductor.hostname, conductor.port),
            *_service("mongodb", 27017, mongod.bind_ip, mongod.port),
        ]


def _service(name: str, port: int, address: str, target: int) -> list[Manifest]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": SERVICES},
            "spec": {"ports": [{"name": "tcp", "port": port, "targetPort": target}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-1",
                "namespace": SERVICES,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": "tcp", "port": target}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        },
    ]
