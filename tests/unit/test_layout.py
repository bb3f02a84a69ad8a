"""The shape of the repository: source roots that shadow nothing, imports that stay apart, generated files in step."""

from __future__ import annotations

import ast
import itertools
import operator
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from councilor_operator.api.crd import manifest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = (ROOT / "operator", ROOT / "runner")
CONTRACT = "councilor_runner.contract"


def modules(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports; for `from package import name` also `package.name`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in memory after a statement in a fresh interpreter."""
    program = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    return set(answer.stdout.split())


def test_the_source_root_called_operator_is_no_package() -> None:
    assert (ROOT / "operator").is_dir()
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_the_standard_library_wins_over_the_source_root() -> None:
    origin = Path(str(operator.__file__)).resolve()
    assert origin.is_relative_to(Path(sysconfig.get_path("stdlib")).resolve())
    assert operator.itemgetter(1)("ab") == "b"


def test_the_standard_library_wins_with_the_repository_first_on_the_path() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import operator; print(operator.itemgetter(0)('xy'))"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert answer.stdout == "x\n"


@pytest.mark.parametrize("package", ["operator/councilor_operator", "runner/councilor_runner"])
def test_the_map_of_the_repository_has_every_module(package: str) -> None:
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| `{package}/`"))
    rows = list(itertools.takewhile(lambda line: line.startswith("| `  "), lines[start + 1 :]))
    shown = [name.strip().rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    parts = [path.name for path in (ROOT / package).iterdir() if not path.name.startswith("__")]
    assert sorted(set(shown) - {"__main__.py"}) == sorted(parts)


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: root.name)
def test_no_top_level_name_of_a_source_root_shadows_the_standard_library(root: Path) -> None:
    names = {path.stem for path in root.iterdir() if path.name != "__pycache__"}
    assert names
    assert not names & sys.stdlib_module_names


def test_no_top_level_name_of_the_repository_shadows_the_standard_library() -> None:
    """The repository itself is on the path while tests run; only `operator/`, not being a package, is harmless."""
    names = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert names & sys.stdlib_module_names <= {"operator"}


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: root.name)
def test_no_module_has_a_confusing_name(root: Path) -> None:
    assert {path.stem for path in modules(root)}.isdisjoint({"queue", "logging", "types", "http", "operator"})


def test_the_crd_file_is_what_the_types_say() -> None:
    (path,) = (ROOT / "crds").glob("*.yaml")
    assert path.read_text(encoding="utf-8") == manifest(), f"run `make manifests` and commit {path.name}"


def test_the_operator_imports_only_the_contract_of_the_runner() -> None:
    found = {
        (path.name, name)
        for path in modules(ROOT / "operator")
        for name in imported(path)
        if name.split(".")[0] == "councilor_runner"
    }
    allowed = {"councilor_runner", CONTRACT}
    assert {name for _, name in found} & {CONTRACT}, "nothing imports the contract: the test looks in the wrong place"
    assert not {entry for entry in found if entry[1] not in allowed and not entry[1].startswith(f"{CONTRACT}.")}


def test_the_operator_loads_only_the_contract_of_the_runner() -> None:
    program = (
        "import sys, councilor_operator.reconciler\n"
        "print(*sorted(name for name in sys.modules if name.startswith('councilor_runner')))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["councilor_runner", CONTRACT]


def test_the_runner_never_imports_the_operator() -> None:
    names = {name.split(".")[0] for path in modules(ROOT / "runner") for name in imported(path)}
    assert "pydantic" in names
    assert "councilor_operator" not in names


OPERATORS = {"kopf", "kubernetes", "aiohttp", "croniter", "prometheus_client", "yaml", "councilor_operator"}


def test_the_runner_handles_signals_before_it_loads_anything_that_takes_long() -> None:
    loaded = loaded_by("import councilor_runner.__main__")
    assert "councilor_runner" in loaded
    assert loaded.isdisjoint({"asyncio", "logging", "email", "ssl", "pydantic", "httpx", "pymongo", *OPERATORS})


def test_the_runner_loads_nothing_of_the_operators_dependencies() -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT / "runner").with_suffix("").parts) for path in modules(ROOT / "runner")
    )
    loaded = loaded_by(f"import {', '.join(names)}")
    assert {"asyncio", "pydantic", "httpx", "pymongo"} <= loaded
    assert loaded.isdisjoint(OPERATORS)


def test_pure_modules_load_no_client() -> None:
    pure = ("plan", "builders", "status", "api.crd", "runs.outcome", "runs.ledger", "observed", "schedule")
    loaded = loaded_by("import " + ", ".join(f"councilor_operator.{module}" for module in pure))
    assert "councilor_operator" in loaded
    assert loaded.isdisjoint({"kopf", "kubernetes", "aiohttp", "pymongo", "httpx"})


def test_the_operator_proper_loads_no_driver() -> None:
    """MongoDB is for the sync's process: `councilor-operator run` neither needs nor pays for it."""
    loaded = loaded_by("import councilor_operator.__main__, councilor_operator.process")
    assert {"kopf", "councilor_operator"} <= loaded
    assert loaded.isdisjoint({"pymongo", "bson", "dns", "httpx", "apprise"})


def test_the_driver_stays_where_documents_are_read() -> None:
    paths = modules(ROOT / "operator" / "councilor_operator")
    users = {path.stem for path in paths if {"pymongo", "bson"} & {n.split(".")[0] for n in imported(path)}}
    assert users == {"source", "feed"}


def test_help_of_the_command_line_waits_for_no_client() -> None:
    loaded = loaded_by("import councilor_cli.__main__, councilor_cli.application")
    assert {"typer", "councilor_cli"} <= loaded
    assert loaded.isdisjoint(
        {"asyncio.base_events", "kopf", "kubernetes", "aiohttp", "pydantic", "pymongo", "croniter"}
    )


def test_kopf_stays_at_the_edge() -> None:
    users = {path.stem for path in modules(ROOT / "operator") if "kopf" in {n.split(".")[0] for n in imported(path)}}
    assert users == {"__main__", "handlers", "process"}


@pytest.mark.parametrize(
    ("folder", "package", "users"),
    [
        ("councilor_operator", "kubernetes", {"connection"}),
        ("councilor_operator", "aiohttp", {"connection", "health"}),
        ("councilor_cli", "kubernetes", {"cluster", "credentials"}),
        ("councilor_cli", "aiohttp", {"cluster", "explanations"}),
    ],
)
def test_client_and_http_stay_where_they_belong(folder: str, package: str, users: set[str]) -> None:
    paths = modules(ROOT / "operator" / folder)
    assert {path.stem for path in paths if package in {n.split(".")[0] for n in imported(path)}} == users
