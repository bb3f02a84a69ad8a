"""`python -m hack.reference`, a part of `make manifests`: what docs/ has from code."""

from pathlib import Path
from typing import Final

import yaml

from hack.reference.clocks import replaced
from hack.reference.fields import page
from hack.release import licences

ROOT: Final = Path(__file__).resolve().parents[2]
REFERENCE: Final = ROOT / "docs" / "reference.md"
LICENCES: Final = ROOT / "docs" / "licences.md"
SCHEDULES: Final = ROOT / "docs" / "schedules.md"


def fresh() -> dict[Path, str]:
    """Return the files as they have to be."""
    (crd,) = (ROOT / "crds").glob("*.yaml")
    return {
        REFERENCE: page(yaml.safe_load(crd.read_text())),
        LICENCES: licences.page((ROOT / "uv.lock").read_text()),
        SCHEDULES: replaced(SCHEDULES.read_text()),
    }


def main() -> None:
    """Write them."""
    for file, text in fresh().items():
        file.write_text(text)


if __name__ == "__main__":
    main()
