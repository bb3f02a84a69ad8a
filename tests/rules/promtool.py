"""promtool, built from its pinned module."""

import functools
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "councilor-operator"
RULES: Final = CHART / "rules" / "councilors.yaml"


@functools.cache
def program() -> Path:
    """The path of promtool."""
    done = subprocess.run([ROOT / "hack/tools/tool", "promtool"], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool; its exit code is the caller's to look at."""
    return subprocess.run([program(), *arguments], capture_output=True, text=True, check=False)
