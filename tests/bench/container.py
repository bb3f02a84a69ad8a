"""What a container of the runner's image runs: an environment with the locked dependencies and the runner, compiled.

Not the developer's environment: there httpx finds rich and click and loads them, and bytecode is checked against its
source. Steps and variables are those of the Dockerfile's runner stages.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import meter, minimal
from tests.controlplane.launcher import ROOT

VARIABLES: Final = {
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
}
RUNNER: Final = "councilor_runner"
SCRIPT: Final = "minimal"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took."""

    seconds: float
    """From start to exit."""
    peak_mb: float
    """Resident memory at its peak, 10^6 bytes."""
    log: str
    """Standard error."""


class Container:
    """An environment in a folder, and processes in it, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Make the environment. Raises FileNotFoundError without uv, CalledProcessError when it cannot be made."""
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv is None:
            raise FileNotFoundError("uv makes the runner's environment: start with `make bench-runner`, or set UV")
        environment = folder / "environment"
        command = [uv, "sync", "--quiet", "--frozen", "--no-dev", "--extra", "runner", "--no-install-project"]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)})
        self._python = str(environment / "bin" / "python")
        (packages,) = environment.glob("lib/python3*/site-packages")
        shutil.copytree(ROOT / "runner" / RUNNER, packages / RUNNER, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(str(minimal.__file__), packages / f"{SCRIPT}.py")
        compile_all = ["-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", str(packages)]
        subprocess.run([self._python, *compile_all], check=True)
        self._log = folder / "log"

    def run(self, module: str, *arguments: str, environment: Mapping[str, str], flags: Sequence[str] = ()) -> Usage:
        """Run a module to its end. Raises RuntimeError, with its log, unless it ends with 0."""
        command = [self._python, *flags, "-m", module, *arguments]
        measured = subprocess.run(
            [sys.executable, "-I", "-S", str(meter.__file__), str(self._log), *command],
            env={**environment, **VARIABLES},
            check=True,
            capture_output=True,
            text=True,
        )
        usage, log = json.loads(measured.stdout), self._log.read_text()
        if usage["exit_code"] != 0:
            raise RuntimeError(f"{module} ended with {usage['exit_code']}; its log:\n{log[-4000:]}")
        return Usage(usage["seconds"], usage["peak_mb"], log)
