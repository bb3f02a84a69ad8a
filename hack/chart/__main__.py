"""`python -m hack.chart`, a part of `make manifests`: brings the chart's generated parts up to date."""

import shutil
from pathlib import Path
from typing import Final

from hack.chart.values import page, schema

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "charts" / "councilor-operator"


def main() -> None:
    """Write table, schema and CRD."""
    source = (CHART / "values.yaml").read_text()
    for name, fresh in (("README.md", page), ("values.schema.json", schema)):
        file = CHART / name
        file.write_text(fresh(source, file.read_text()))
    for file in (ROOT / "crds").iterdir():
        shutil.copyfile(file, CHART / "crds" / file.name)


if __name__ == "__main__":
    main()
