"""The pages for users: links lead somewhere, generated parts are fresh, examples are right, commands exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from councilor_cli.application import application
from councilor_cli.validation import Severity, check
from hack.reference.__main__ import fresh
from tests.documentation import PAGES, ROOT, commands, fenced, is_make, page_id, prose

COMMANDS = typer.main.get_command(application).commands  # type: ignore[attr-defined]
OFFLINE = {"preview", "validate", "new"}
VALUES = yaml.safe_load((ROOT / "charts" / "councilor-operator" / "values.yaml").read_text())


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


@pytest.mark.parametrize("page", fresh(), ids=page_id)
def test_generated_parts_are_fresh(page: Path) -> None:
    assert page.read_text() == fresh()[page], "run `make manifests` and commit what changed"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_councilors_on_pages_are_right(page: Path) -> None:
    for text in fenced(page, "yaml"):
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and document.get("kind") == "Councilor":
                assert [item for item in check(text).findings if item.severity is Severity.ERROR] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_on_pages_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = [line for block in fenced(page, "sh") if is_make(block) for line in block.splitlines()]
    for words in [*typed, *re.findall(r"`(make [a-z0-9-]+)[^`]*`", prose(page))]:
        assert words.split()[1] in targets, words


def value_at(path: str) -> Any:
    found: Any = VALUES
    for part in path.split("."):
        found = found[part]
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_values_and_files_in_commands_exist(page: Path) -> None:
    for line in commands(page):
        for path in re.findall(r"--set (?:'|\")?([A-Za-z.]+)=", line):
            value_at(path)
        for path in re.findall(r"(?<![\w/.-])((?:charts|examples|hack|crds)/[\w./-]+)", line):
            assert (ROOT / path).exists(), path


def councilor_lines() -> list[str]:
    found = []
    for page in PAGES:
        for line in [*commands(page), *re.findall(r"`((?:kubectl )?councilor [a-z][^`]*)`", prose(page))]:
            words = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line)
            if words.startswith(("councilor ", "kubectl councilor ")):
                found.append(words.removeprefix("kubectl "))
    return sorted(set(found))


@pytest.mark.parametrize("line", councilor_lines())
def test_commands_of_the_command_line_exist(line: str) -> None:
    words = shlex.split(line.split(" > ")[0].split(" || ")[0])[1:]
    if words[0].startswith("-"):
        assert words[0] in {"--install-completion", "--show-completion", "--help"}
        return
    command = COMMANDS[words[0]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)} <= known | {"--help"}


def test_commands_that_need_no_cluster_do_what_the_pages_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the page, in one folder, as somebody would who follows it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    ran = 0
    for name in ("install.md", "cli.md", "schedules.md"):
        for line in commands(ROOT / "docs" / name):
            words, _, target = line.partition(" > ")
            if shlex.split(words)[0] != "councilor" or shlex.split(words)[1] not in OFFLINE:
                continue
            done = CliRunner().invoke(application, shlex.split(words)[1:])
            assert done.exit_code == 0, f"{line}: {done.output}"
            if target:
                (tmp_path / target.strip()).write_text(done.stdout)
            ran += 1
    assert ran >= 6


@pytest.mark.parametrize("name", ["install.md", "security.md", "migration.md", "operations.md"])
def test_values_that_pages_name_exist(name: str) -> None:
    words = re.findall(
        r"`((?:sync|metrics|networkPolicy|rbac|runner|defaults|image|operator)\.[A-Za-z.]+)`",
        prose(ROOT / "docs" / name),
    )
    for path in words:
        value_at(path)
