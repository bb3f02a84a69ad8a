"""Starts `python -m councilor_runner` the way a Pod does and collects what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from councilor_runner import contract as contracts
from councilor_runner.contract import ExitCode, Reason, RunReport

PATIENCE = 60.0


def job_name(cron_job: str, moment: datetime | None = None) -> str:
    """Return the name that the CronJob controller gives to the Job of this moment, by default the current minute."""
    return f"{cron_job}-{int((moment or datetime.now(UTC)).timestamp()) // 60}"


@dataclass
class RunnerSetup:
    """One Councilor's run; change the parts of `document` and `environment`, then start as many Pods as needed."""

    directory: Path
    conductor_url: str
    gateway_url: str | None = None
    mongodb_uri: str | None = None
    agent_id: str = "A_Agent"
    job: str = field(default_factory=lambda: job_name("licences"))
    environment: dict[str, str] = field(default_factory=dict)
    memory: int | None = None
    """Bytes of data that the process may have, None for any number."""

    def __post_init__(self) -> None:
        self.document: dict[str, Any] = {
            "councilor": {
                "namespace": "team-a",
                "name": "licences",
                "uid": "0d9c1f52-uid",
                "generation": 1,
                "cronJobName": "licences",
                "title": "Licence counsel",
            },
            "agent": {"id": self.agent_id},
            "task": {"name": "Licences", "prompt": "List dependencies without a known licence."},
            "execution": {"cwd": "/srv/project", "timeoutSeconds": 30},
            "notifications": {"onSuccess": True},
            "endpoints": {"conductorUrl": self.conductor_url, "gatewayUrl": self.gateway_url},
        }

    @property
    def task_id(self) -> str:
        scheduled = contracts.scheduled_time(self.job, "licences")
        return contracts.task_id("0d9c1f52-uid", self.job, None if scheduled else "job-uid")

    @property
    def execution_id(self) -> str:
        return contracts.execution_id(
            self.document["agent"]["id"], self.task_id, contracts.scheduled_time(self.job, "licences")
        )

    def tell(self, addresses: dict[str, str], *others: str) -> None:
        """Have the Councilor tell over these channels, with these contents of the Secret, and over `others`."""
        mounted = self.directory / "notifications"
        mounted.mkdir(exist_ok=True)
        for channel, address in addresses.items():
            (mounted / channel).write_text(address)
        self.document["notifications"]["channels"] = [*addresses, *others]
        self.environment[contracts.ENV_NOTIFICATIONS_PATH] = str(mounted)

    def start(self, **environment: str) -> RunnerProcess:
        """Start one Pod."""
        return self._start("run", environment)

    def start_report(self, told: RunReport, **environment: str) -> RunnerProcess:
        """Start a Pod that records and tells this run."""
        document = told.model_dump_json(by_alias=True, exclude_none=True)
        return self._start("report", {contracts.ENV_REPORT: document, **environment})

    def _start(self, command: str, environment: dict[str, str]) -> RunnerProcess:
        message = self.directory / f"termination-{time.monotonic_ns()}"
        limit = [] if self.memory is None else ["prlimit", f"--data={self.memory}"]
        process = subprocess.Popen(
            [*limit, sys.executable, "-m", "councilor_runner", command],
            env=self.variables(message, environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return RunnerProcess(process, message)

    def variables(self, message: Path, environment: dict[str, str]) -> dict[str, str]:
        """Return the environment of a Pod's container whose termination message goes to this file."""
        return {
            "PATH": os.environ["PATH"],
            contracts.ENV_CONTRACT: json.dumps(self.document),
            contracts.ENV_JOB_NAME: self.job,
            contracts.ENV_JOB_UID: "job-uid",
            contracts.ENV_POD_NAME: f"{self.job}-x7k2p",
            contracts.ENV_TERMINATION_MESSAGE_PATH: str(message),
            **({contracts.ENV_MONGODB_URI: self.mongodb_uri} if self.mongodb_uri else {}),
            **self.environment,
            **environment,
        }

    def run(self, **environment: str) -> RunnerProcess:
        """Start one Pod and wait for its end."""
        return self.start(**environment).finish()

    def report(self, told: RunReport, **environment: str) -> RunnerProcess:
        """Let a Pod record and tell this run, and wait for its end."""
        return self.start_report(told, **environment).finish()


class RunnerProcess:
    """A Pod's process; the report and the log are there once it has finished."""

    def __init__(self, process: subprocess.Popen[str], message: Path) -> None:
        self._process = process
        self._message = message
        self.log = ""
        self.output = ""

    def finish(self) -> RunnerProcess:
        """Wait for the end, unless that has been done."""
        if self.output or self.log:
            return self
        try:
            self.output, self.log = self._process.communicate(timeout=PATIENCE)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.communicate()
        return self

    def terminate(self) -> RunnerProcess:
        """Send SIGTERM, as the kubelet does, and wait for the end."""
        self._process.send_signal(signal.SIGTERM)
        return self.finish()

    def kill(self) -> RunnerProcess:
        """End it without any chance to say something."""
        self._process.kill()
        return self.finish()

    def strike(self) -> None:
        """Send SIGKILL and go on; may be called from any thread, also after the end."""
        self._process.kill()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def handles_signals(self) -> bool:
        """Whether the process has a handler for SIGTERM yet."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)

    @property
    def command(self) -> list[str]:
        """The command line it was started with."""
        return [str(part) for part in self._process.args] if isinstance(self._process.args, list) else []

    @property
    def exit_code(self) -> int:
        return self._process.returncode

    @property
    def message(self) -> bytes:
        return self._message.read_bytes()

    @property
    def report(self) -> RunReport:
        return RunReport.model_validate_json(self.message)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log; every line has to be JSON."""
        return [json.loads(line) for line in self.log.splitlines()]


def assert_end(pod: RunnerProcess, code: ExitCode, reason: Reason, *words: str, **report: object) -> None:
    """Assert how a Pod ended, in its exit code as in its report, that a person is told these words, and what else the
    report says."""
    assert pod.exit_code == code, pod.log
    assert (pod.report.exit_code, pod.report.reason) == (code, reason), pod.log
    message = pod.report.message or ""
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"
    for name, value in report.items():
        found = getattr(pod.report, name)
        assert found == value, f"{name} is {found!r}, not {value!r}"


def wait_for(condition: Callable[[], Any]) -> None:
    """Return once a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.02)
