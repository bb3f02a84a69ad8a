"""docs/licences.md: the licences of what the images and the command line contain, by uv.lock and the packages' own
metadata. Pure but for reading them."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

EXTRAS: Final = ("operator", "runner", "cli")
_HEAD: Final = """\
<!-- Generated from uv.lock and the packages' metadata by `make manifests`. -->

# Licences of dependencies

What is installed with the operator, the runner and the command line, beside Python itself and Debian's packages of the
base image. A licence that [test_licences.py](../tests/unit/test_licences.py) does not allow fails the tests.

| package | version | licence | in |
|---|---|---|---|
"""
# Words of older metadata for what SPDX has a name for.
_SPDX: Final = {
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "BSD 3-Clause": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
}


@dataclass(frozen=True)
class Part:
    """A package; `extras` are those that bring it."""

    name: str
    version: str
    licence: str
    extras: tuple[str, ...]


def parts(lock: str) -> list[Part]:
    """Return the packages that are installed here, by name; `lock` is the text of uv.lock."""
    packages: dict[str, dict[str, Any]] = {item["name"]: item for item in tomllib.loads(lock)["package"]}
    within = {extra: set(_closure(packages, extra)) for extra in EXTRAS}
    found = []
    for name in sorted(set().union(*within.values())):
        try:
            licence = _licence(name)
        except PackageNotFoundError:
            # For another platform than this one.
            continue
        extras = tuple(extra for extra in EXTRAS if name in within[extra])
        found.append(Part(name, packages[name]["version"], licence, extras))
    return found


def page(lock: str) -> str:
    """Return the page."""
    rows = (f"| {part.name} | {part.version} | {part.licence} | {', '.join(part.extras)} |\n" for part in parts(lock))
    return _HEAD + "".join(rows)


def _closure(packages: dict[str, dict[str, Any]], extra: str) -> Iterator[str]:
    project = packages["councilor-operator"]
    waiting = [*project.get("dependencies", ()), *project["optional-dependencies"][extra]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        item = waiting.pop()
        for wanted in ("", *item.get("extra", ())):
            if (item["name"], wanted) in seen:
                continue
            seen.add((item["name"], wanted))
            package = packages[item["name"]]
            waiting += package["optional-dependencies"][wanted] if wanted else package.get("dependencies", [])
        yield item["name"]


def _licence(name: str) -> str:
    found = metadata(name)
    if "License-Expression" in found:
        return found["License-Expression"]
    text = found["License"].strip() if "License" in found else ""
    if text and "\n" not in text and len(text) <= 60:
        return _SPDX.get(text, text)
    classified = [
        item.rpartition(" :: ")[2] for item in found.get_all("Classifier") or () if item.startswith("License")
    ]
    return " AND ".join(_SPDX.get(item, item) for item in classified) or "unknown"


def names(licence: str) -> set[str]:
    """Return the licences of an SPDX expression."""
    return set(re.findall(r"[A-Za-z0-9.+-]+", licence)) - {"AND", "OR", "WITH"}
