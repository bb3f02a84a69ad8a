"""The operator as a process, before it has ever reached an API server."""

from pathlib import Path

import httpx
import yaml

from tests.controlplane.api import eventually
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port


def test_it_ends_in_order_while_no_api_server_is_there(tmp_path: Path) -> None:
    """It is the first process of its container, on which SIGTERM has no effect unless it is asked for."""
    port = free_port()
    process = OperatorProcess(kubeconfig(tmp_path, free_port()), tmp_path / "operator.log", health_port=port)
    process.launch()
    eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the operator answers its probe")

    assert process.stop() == 0

    log = process.log.read_text()
    assert "the API server cannot be reached" in log
    assert "Traceback" not in log


def kubeconfig(folder: Path, port: int) -> Path:
    """Write a kubeconfig whose API server nobody runs."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
        "current-context": "none",
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def answers(address: str) -> bool:
    """Tell whether anything answers there."""
    try:
        httpx.get(address, timeout=2)
    except httpx.TransportError:
        return False
    return True
