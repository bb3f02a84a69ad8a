"""The prompt, word for word: agents and their users read it."""

import pytest

from councilor_runner.contract import Task
from councilor_runner.prompt import OUTPUT_FORMATS, SEVERITY_INSTRUCTION, build_prompt
from councilor_runner.verdict.marker import severity_of_marker
from councilor_runner.verdict.text import normalise


def test_all_parts() -> None:
    task = Task(name="Licences", context_files=("pyproject.toml", "docs/a b.md"), output_format="summary")
    assert build_prompt(task, "List licences.\n\nAll of them.  \n", ask_severity=True) == (
        "List licences.\n\nAll of them.\n\n"
        "Context files, to be read before answering:\n- pyproject.toml\n- docs/a b.md\n\n"
        "Output format: a summary of at most ten sentences, the most important finding first.\n\n"
        "Finish with one last line of this form, holding exactly one of the three words and nothing else:\n"
        "SEVERITY: success|warning|error\n"
        "Use success when nothing needs to be done, warning when something should be looked at without urgency, and "
        "error when something is broken, at risk, or could not be examined."
    )


def test_without_files_and_verdict() -> None:
    prompt = build_prompt(Task(name="x", output_format="detailed"), "Ask.", ask_severity=False)
    assert prompt == f"Ask.\n\n{OUTPUT_FORMATS['detailed']}"


@pytest.mark.parametrize(
    "text", ["{{project}} and {{ today }}", "{0} {name} %s $HOME", "ação ✅\n\tindented", "<b>&amp;</b>"]
)
def test_the_text_is_passed_on_unchanged(text: str) -> None:
    assert build_prompt(Task(name="x"), text, ask_severity=True).startswith(text + "\n\n")


def test_an_agent_that_repeats_the_instruction_has_given_no_verdict() -> None:
    assert severity_of_marker(normalise(SEVERITY_INSTRUCTION)) is None
