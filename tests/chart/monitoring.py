"""The types of prometheus-operator, as it publishes them: in its Go module, pinned by version and sum."""

import json
import subprocess
from pathlib import Path
from typing import Final

MODULE: Final = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
SUM: Final = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
KINDS: Final = ("podmonitors", "prometheusrules", "servicemonitors")


def definitions() -> list[Path]:
    """Files with the CRDs that the chart makes objects of."""
    done = subprocess.run(["go", "mod", "download", "-json", MODULE], capture_output=True, text=True, check=True)
    module = json.loads(done.stdout)
    assert module["Sum"] == SUM
    folder = Path(module["Dir"]) / "example" / "prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]
