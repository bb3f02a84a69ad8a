"""The command line: two commands, and a termination message whatever else is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from councilor_runner.contract import ExitCode, RunReport
from tests.unit.runner.test_settings import ENVIRONMENT


def execute(message: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and standard output."""
    # A process of its own: the runner takes over its process's logging.
    ended = subprocess.run(
        [sys.executable, "-m", "councilor_runner", *arguments],
        env={**ENVIRONMENT, "COUNCILOR_TERMINATION_MESSAGE_PATH": str(message)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option: str, tmp_path: Path) -> None:
    code, text = execute(tmp_path / "message", option)
    assert code == 0
    assert "\nrun " in text
    assert "\nreport " in text
    assert not (tmp_path / "message").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "have to be: run, or: report"),
        (["runs"], "have to be: run, or: report"),
        (["run", "report"], "have to be: run, or: report"),
        (["report", "--help"], "have to be: run, or: report"),
        (["report"], "COUNCILOR_REPORT is not set"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str, tmp_path: Path) -> None:
    code, output = execute(tmp_path / "message", *arguments)
    report = RunReport.model_validate_json((tmp_path / "message").read_bytes())
    assert (code, report.exit_code, output) == (ExitCode.CONFIGURATION, ExitCode.CONFIGURATION, "")
    assert words in (report.message or "")
    assert (report.recorded, report.notified) == (False, ())
