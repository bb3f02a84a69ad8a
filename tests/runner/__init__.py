"""The runner as a real process, for tests: environment in, exit code, report and log lines out."""

from tests.runner.process import RunnerProcess, RunnerSetup

__all__ = ["RunnerProcess", "RunnerSetup"]
