"""docs/cli.md against the commands: every command, option and exit code is there."""

import re
from pathlib import Path

import pytest
import typer

from councilor_cli import errors
from councilor_cli.application import application

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = dict(typer.main.get_command(application).commands.items())  # type: ignore[attr-defined]
MINE = tuple(name for name, command in COMMANDS.items() if not command.hidden)


def code_words() -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", PAGE))


@pytest.mark.parametrize("name", MINE)
def test_a_command_and_its_options_are_on_the_page(name: str) -> None:
    command = COMMANDS[name]
    assert re.search(rf"^\| `councilor {name}\b", PAGE, re.MULTILINE)
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    assert options - code_words() <= {"--force", "-o"}
    assert "`--force`" in PAGE


def test_the_page_names_every_exit_code() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


@pytest.mark.parametrize("name", MINE)
def test_what_help_says_begins_like_a_sentence(name: str) -> None:
    text = (COMMANDS[name].help or "").strip()
    assert text[0].isupper()
    assert text.endswith(".")
