"""The scripted answers: what a run leaves behind, which answer a run gets, and the demo's scripts file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.conductor.answers import (
    JUST_UNDER_LIMIT,
    ODD_ANSWERS,
    Answer,
    ScriptFileError,
    Scripts,
    read_scripts,
)
from tests.conductor.documents import requested, wrap_prompt


@pytest.mark.parametrize(
    ("answer", "status", "result"),
    [
        (Answer(result="fine"), "completed", "fine"),
        (Answer(result="fine", stderr="noise"), "completed", "fine"),
        (Answer(result="fine", exit_code=None), "completed", "fine"),
        (Answer(result="Half way.\n", exit_code=3, stderr="no lock\n"), "error", "Half way.\nno lock\n"),
        (Answer(result="Half way.", exit_code=3, stderr="no lock"), "error", "Half way.\nno lock"),
        (Answer(result="", exit_code=1, stderr="no lock"), "error", "no lock"),
        (Answer(result=None, exit_code=1, stderr="no lock"), "error", "no lock"),
        (Answer(result={"result": "x"}, exit_code=1, stderr="no lock"), "error", {"result": "x"}),
        (Answer(result="odd", exit_code=3, status="completed"), "completed", "odd"),
        (Answer(result="odd", exit_code=0, status="error"), "error", "odd"),
        (Answer(result_bytes=5), "completed", "xxxxx"),
    ],
)
def test_outcome(answer: Answer, status: str, result: Any) -> None:
    assert (answer.final_status, answer.final_result) == (status, result)


def test_odd_answers_cover_every_oddity() -> None:
    results = {name: answer.final_result for name, answer in ODD_ANSWERS.items()}
    assert results["empty"] == ""
    assert results["null"] is None
    assert isinstance(results["object"], dict)
    huge = results["huge"]
    assert isinstance(huge, str)
    assert 16 * 1024 * 1024 > len(huge) == JUST_UNDER_LIMIT
    assert "0 falhas" in str(results["zero failures"])
    lines = str(results["raw NDJSON"]).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["system", "assistant", "result"]
    assert ODD_ANSWERS["exit code null"].exit_code is None


def test_answers_are_used_in_turn_and_from_the_first_again() -> None:
    scripts = Scripts()
    scripts.set("A_Agent", [Answer(result="one"), Answer(result="two")])
    given = [scripts.next_answer("A_Agent", "any prompt").result for _ in range(5)]
    assert given == ["one", "two", "one", "two", "one"]


@pytest.mark.parametrize(
    ("agent_id", "prompt", "expected"),
    [
        ("A_Agent", "check licences", "A, licences"),
        ("A_Agent", "check anything", "A"),
        ("B_Agent", "check licences", "any, licences"),
        ("B_Agent", "check anything", "any"),
    ],
)
def test_the_most_specific_script_wins(agent_id: str, prompt: str, expected: str) -> None:
    scripts = Scripts()
    scripts.set("*", [Answer(result="any")])
    scripts.set("A_Agent", [Answer(result="A")])
    scripts.set("*", [Answer(result="any, licences")], prompt="licences")
    scripts.set("A_Agent", [Answer(result="A, licences")], prompt="licences")
    assert scripts.next_answer(agent_id, prompt).result == expected


def test_an_agent_without_a_script_succeeds() -> None:
    scripts = Scripts()
    assert scripts.next_answer("A_Agent", "x") == Answer()
    scripts.set("A_Agent", [Answer(exit_code=1)])
    scripts.clear()
    assert scripts.next_answer("A_Agent", "x").final_status == "completed"


def test_a_script_needs_an_answer() -> None:
    with pytest.raises(ValueError, match="at least one Answer"):
        Scripts().set("A_Agent", [])


@pytest.mark.parametrize("fields", [{"resultat": "x"}, {"delay": -1}, {"ends": "later"}, {"result_bytes": 0}])
def test_misspelt_answers_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Answer(**fields)


@pytest.mark.parametrize("request_text", ["plain", "<b> & </user_request>", "ação\n\ttabs", "", "<user_request>"])
def test_the_request_survives_the_wrapping(request_text: str) -> None:
    agent = {"persona": {"content": "You & <them>"}, "definition": {"description": "d"}}
    for with_history in (True, False):
        wrapped = wrap_prompt(agent, request_text, with_history=with_history)
        assert requested(wrapped) == request_text
        assert ("conversation_history" in wrapped) is with_history


def test_a_prompt_that_is_not_wrapped_is_its_own_request() -> None:
    assert requested("raw prompt") == "raw prompt"


def test_scripts_file(tmp_path: Path) -> None:
    path = tmp_path / "scripts.yaml"
    path.write_text("A_Agent:\n- result: 1 licence missing\n  delay: 0.5\n- {exit_code: 3, stderr: broken}\n")
    assert read_scripts(path) == {
        "A_Agent": [Answer(result="1 licence missing", delay=0.5), Answer(exit_code=3, stderr="broken")]
    }


def test_scripts_file_in_json(tmp_path: Path) -> None:
    path = tmp_path / "scripts.json"
    path.write_text(json.dumps({"A_Agent": [{"result": "fine"}]}))
    assert read_scripts(path) == {"A_Agent": [Answer(result="fine")]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A_Agent: [{resultat: x}]", r"A_Agent\.0\.resultat: Extra inputs"),
        ("A_Agent: {result: x}", "A_Agent: Input should be a valid list"),
        ("A_Agent: []", "A_Agent: the list of answers is empty"),
        ("- result: x", "expected a mapping"),
        ("A_Agent: [", "not YAML"),
        ("", "expected a mapping"),
    ],
)
def test_an_unusable_scripts_file_is_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "scripts.yaml"
    path.write_text(content)
    with pytest.raises(ScriptFileError, match=message) as caught:
        read_scripts(path)
    assert str(path) in str(caught.value)


def test_a_missing_scripts_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ScriptFileError, match="cannot be read"):
        read_scripts(tmp_path / "absent.yaml")
