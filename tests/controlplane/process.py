"""The operator as a process of its own, as in a Pod, with the machine's kubeconfig."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.api import eventually

ENVIRONMENT = {
    "COUNCILOR_RUNNER_IMAGE": "councilor-runner:test",
    "COUNCILOR_CONDUCTOR_URL": "http://conductor.test:8000",
    "COUNCILOR_CONDUCTOR_GATEWAY_URL": "http://conductor.test:8080",
    "COUNCILOR_DEFAULT_CWD": "/srv/project",
    "COUNCILOR_LISTEN_ADDRESS": "127.0.0.1",
    "COUNCILOR_METRICS_PORT": "0",
}


class OperatorProcess:
    """Start, kill -9 and end the operator; its log is kept in a file."""

    command = "run"

    def __init__(self, kubeconfig: Path, log: Path, *, health_port: int, **settings: str) -> None:
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("COUNCILOR_")},
            **ENVIRONMENT,
            "COUNCILOR_HEALTH_PORT": str(health_port),
            "KUBECONFIG": str(kubeconfig),
            **settings,
        }
        self._probes = f"http://127.0.0.1:{health_port}"
        self._metrics = f"http://127.0.0.1:{self._environment['COUNCILOR_METRICS_PORT']}/metrics"
        self._process: subprocess.Popen[bytes] | None = None
        self.log = log

    @contextmanager
    def alive(self) -> Iterator[Self]:
        """Start it, and end it afterwards; it has to live through all that comes in between, see `faultless`."""
        try:
            with self.faultless():
                self.start()
                yield self
        finally:
            self.stop()

    @contextmanager
    def faultless(self) -> Iterator[Self]:
        """Fail unless it logs no fault until the end, and ends by nobody's hand but the test's."""
        mark = self.log_mark()
        yield self
        assert self._process is None or self.running, f"the operator ended: {self.logged(since=mark)[-4000:]}"
        logged = self.logged(since=mark)
        assert "Traceback" not in logged, f"the operator logged a fault: {logged[-4000:]}"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until it is ready."""
        eventually(self._healthy, f"the operator is ready; its log: {self.log}", seconds=30)

    def launch(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "councilor_operator", self.command],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id; it must be running."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Stop it in its tracks; its connections stay open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def wait_for_list(self) -> None:
        """Wait until it has listed everything once more after its first list; needs COUNCILOR_METRICS_PORT."""
        before = eventually(self._last_list, "the operator lists everything at its start")
        eventually(lambda: self._last_list() > before, "the operator lists everything again")

    def _last_list(self) -> float:
        return self.sample("councilor_operator_last_list_timestamp_seconds") or 0.0

    def metrics(self) -> str:
        """Return what Prometheus gets now; needs COUNCILOR_METRICS_PORT."""
        return httpx.get(self._metrics, timeout=10).text

    def sample(self, metric: str, /, **labels: str) -> float | None:
        """Return a sample of its metrics now, None if there is none; needs COUNCILOR_METRICS_PORT."""
        for family in text_string_to_metric_families(self.metrics()):
            for sample in family.samples:
                if sample.name == metric and sample.labels == labels:
                    return float(sample.value)
        return None

    def log_mark(self) -> int:
        """Return a point in its log, for `logged`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def logged(self, *, since: int = 0) -> str:
        """Return what it logged since a mark."""
        return self.log.read_bytes()[since:].decode()

    def stop(self) -> int:
        """Ask it to end and wait; returns the exit code."""
        if self.running:
            # Frozen, it would not hear of it.
            self.thaw()
        return self._end(signal.SIGTERM)

    def probe(self, path: str) -> httpx.Response:
        """Ask as the kubelet does."""
        return httpx.get(f"{self._probes}{path}", timeout=5)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._send(how)
        code = self._process.wait(timeout=30)
        self._process = None
        return code

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None, "the operator was not started"
        self._process.send_signal(number)

    def _healthy(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the operator ended: {self.logged()[-4000:]}")
        try:
            return self.probe("/readyz").status_code == 200
        except httpx.TransportError:
            return False
