"""pytest fixtures: one control plane with the CRD for the session, one operator for each module that asks, and a
namespace for each test."""

import itertools
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.controlplane.account import Account, make_account
from tests.controlplane.api import Api
from tests.controlplane.launcher import ROOT, ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A running control plane."""
    with running_plane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Path of a kubeconfig, with the CRD installed."""
    return install_crd(control_plane)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[Api]:
    """The API server as administrator."""
    with closing(Api(kubeconfig)) as client:
        yield client


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    return api.make_namespace(f"{name}-{next(_numbers)}")


@pytest.fixture(scope="session")
def operator_account(api: Api, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The service account of an installed operator."""
    return installed_account(api, kubeconfig, tmp_path_factory.mktemp("account"))


@pytest.fixture(scope="module")
def shared_operator(operator_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The operator of a module's tests, with no more rights than an installation gives it.

    `operator_process` starts it. It ends with the module, so that the operator that another module brings along is
    alone on the control plane; tests of the same module that bring one stop this one.
    """
    process = OperatorProcess(
        operator_account.kubeconfig,
        tmp_path_factory.mktemp("operator") / "operator.log",
        health_port=free_port(),
        COUNCILOR_METRICS_PORT=str(free_port()),
    )
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def operator_process(shared_operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """The operator, running; a test may end it and start it again."""
    with shared_operator.faultless():
        if not shared_operator.running:
            shared_operator.start()
        yield shared_operator


@contextmanager
def running_plane(state: Path) -> Iterator[ControlPlane]:
    """Run a control plane whose state is in a folder of its own."""
    plane = ControlPlane(state)
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


def installed_account(api: Api, kubeconfig: Path, folder: Path) -> Account:
    """Make the account of an operator that watches all namespaces, in a namespace like that of an installation."""
    return make_account(api, kubeconfig, folder, api.make_namespace("councilor-operator"))


def install_crd(control_plane: ControlPlane) -> Path:
    """Install the CRD; returns the path of the kubeconfig."""
    path = control_plane.up()
    control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return path


__all__ = [
    "api",
    "control_plane",
    "kubeconfig",
    "namespace",
    "operator_account",
    "operator_process",
    "shared_operator",
]
