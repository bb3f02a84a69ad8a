"""pytest fixtures: one control plane with the CRD for the session, an operator and a namespace for each test that
asks."""

import itertools
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.account import Account, make_account
from tests.controlplane.api import Api
from tests.controlplane.launcher import ROOT, ControlPlane
from tests.controlplane.process import OperatorProcess

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running control plane."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    plane.up()
    try:
        yield plane
    finally:
        plane.down()


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Path of a kubeconfig, with the CRD installed."""
    return install_crd(control_plane)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[Api]:
    """The API server as administrator."""
    client = Api(kubeconfig)
    yield client
    client.close()


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    return api.make_namespace(f"{name}-{next(_numbers)}")


@pytest.fixture(scope="session")
def operator_account(api: Api, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The service account of an installed operator."""
    namespace = api.make_namespace("councilor-operator")
    return make_account(api, kubeconfig, tmp_path_factory.mktemp("account"), namespace)


@pytest.fixture
def operator_process(operator_account: Account, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, started with no more rights than an installation gives it."""
    process = OperatorProcess(operator_account.kubeconfig, tmp_path / "operator.log", health_port=free_port())
    process.start()
    yield process
    process.stop()
    assert "Traceback" not in process.log.read_text(), f"the operator logged a fault: {process.log.read_text()[-4000:]}"


def install_crd(control_plane: ControlPlane) -> Path:
    """Install the CRD; returns the path of the kubeconfig."""
    path = control_plane.up()
    control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return path


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


__all__ = ["api", "control_plane", "kubeconfig", "namespace", "operator_account", "operator_process"]
