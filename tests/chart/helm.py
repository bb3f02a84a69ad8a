"""Helm, version 4 and version 3, built from pinned modules, and what it renders."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "councilor-operator"
URL: Final = {"conductor": {"url": "http://conductor.conductor.svc:8000"}}
RELEASE: Final = "councilor-operator"
NAMESPACE: Final = "councilor-system"

Object = dict[str, Any]


@functools.cache
def program(name: str = "helm") -> Path:
    """The path of `helm`, version 4, or `helm3`, the oldest version 3 that the chart is for."""
    done = subprocess.run([ROOT / "hack/tools/tool", name], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def run(
    *arguments: str | Path, version: str = "helm", values: Object | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Helm with values as its standard input; the exit code is the caller's to look at."""
    given = ["--values", "-"] if values is not None else []
    return subprocess.run(
        [program(version), *arguments, *given],
        input=json.dumps(values) if values is not None else None,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "HELM_CACHE_HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(values: Object, *, version: str = "helm", release: str = RELEASE) -> list[Object]:
    """The objects of a release, those of its tests too."""
    # Without a cluster Helm takes the version that it was released with, which a build from source does not know.
    capabilities = ["--kube-version", "1.36.0", "--api-versions", "monitoring.coreos.com/v1"]
    done = run("template", release, CHART, "--namespace", NAMESPACE, *capabilities, version=version, values=values)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def merged(*parts: Object) -> Object:
    """Values laid over each other."""
    result: Object = {}
    for part in parts:
        for key, value in part.items():
            before = result.get(key)
            result[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result
