"""Councilors as YAML for people: what is printed, and that it means what the documents mean."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.constants import ANNOTATION_INSTANCE
from councilor_operator.sync.candidate import Candidate
from councilor_operator.sync.export import left_out, render
from councilor_operator.sync.translation import TranslationRules, one_for_each_name, translate
from tests.unit.sync.conductor_documents import SIMPLE_AGENT, instance, legacy

PROMPT = "Read the licences of {{project}}.\n\n  * name: each one\n# and those without\n"


def councilors(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document is not None]


def of(*documents: Any, dialect: Any = "kubernetes") -> list[Candidate]:
    return one_for_each_name(translate(document, TranslationRules(dialect)) for document in documents)


def test_what_is_printed(golden: Callable[[str, str], None]) -> None:
    golden(
        "import.yaml",
        render(
            of(
                legacy({"councilor_config.task.prompt": PROMPT, "councilor_config.schedule.value": "0 9 * * 1"}),
                legacy(of=SIMPLE_AGENT),
                instance(),
                legacy({"agent_id": "Broken_Agent", "councilor_config.schedule.value": "bogus"}),
            ),
            "council",
        ),
    )


def test_a_councilor_belongs_to_nobody_but_its_author() -> None:
    legacy_one, chamber = sorted(councilors(render(of(legacy(), instance()), "council")), key=lambda item: str(item))

    for item in (legacy_one, chamber):
        assert set(item["metadata"]) <= {"name", "namespace", "annotations"}
        assert item["metadata"]["namespace"] == "council"
    annotations = [item["metadata"].get("annotations") for item in (legacy_one, chamber)]
    assert {ANNOTATION_INSTANCE: "councilor_LicenseAuditor_Agent_1770797722450"} in annotations
    assert None in annotations


def test_what_is_left_out_is_told_and_never_printed() -> None:
    candidates = of(legacy(), legacy({"agent_id": "Broken_Agent", "councilor_config.task.prompt": ""}))
    text = render(candidates, "council")

    assert [candidate.document for candidate in left_out(candidates)] == ["agents/Broken_Agent"]
    assert "# Left out: agents/Broken_Agent\n#   councilor_config.task.prompt: blank" in text
    assert [item["spec"]["agentId"] for item in councilors(text)] == ["LicenseAuditor_Agent"]


@pytest.mark.parametrize("candidates", [[], of(legacy({"agent_id": None}))])
def test_nothing_to_print_is_said(candidates: list[Candidate]) -> None:
    text = render(candidates, "council")

    assert councilors(text) == []
    assert "No document is a councilor" in text


@pytest.mark.parametrize(
    ("prompt", "block"),
    [
        ("one line", False),
        ("two\nlines", True),
        ("one\n  indented\n", True),
        ("two\n\n  - lines: with {{signs}} # of YAML\n", True),
        ("blanks at the end \nof a line", False),
        ("a tab\t\nin it", False),
        ("ends\r\nof other lines", False),
        ("one\u2028two\nthree", False),
        ("vertical\x0b\ntab", False),
        ("emoji 📜\nand é", True),
        ("yes", False),
        ("---\n...\n", True),
        ("%TAG\n!x", True),
    ],
)
def test_texts_of_several_lines_are_blocks_where_that_is_safe(prompt: str, block: bool) -> None:
    text = render(of(legacy({"councilor_config.task.prompt": prompt})), "council")

    assert ("prompt: |" in text) is block
    assert councilors(text)[0]["spec"]["task"]["prompt"] == prompt.strip()


@pytest.mark.parametrize(
    "word", ["n", "Yes", "off", "null", "1e3", "0x1F", "1_000", "12:30", "~", "=", ".5", "2026-03-02"]
)
def test_texts_that_look_like_something_else_are_quoted(word: str) -> None:
    """Older readers, kubectl's among them, know more words and forms of numbers than the one asked here."""
    text = render(of(legacy({"councilor_config.title": word})), "council")

    assert f"title: '{word}'" in text


def test_ids_do_not_leave_their_comments() -> None:
    nasty = "x\nspec: {}\n---\nkind: Secret\x85a\u2028b\x1b[31m"
    text = render(of(instance({"instance_id": nasty})), "council")

    (only,) = councilors(text)
    assert only["kind"] == "Councilor"
    assert only["metadata"]["annotations"][ANNOTATION_INSTANCE] == nasty
    assert "\x1b" not in text


PROMPTS = st.text(max_size=200) | st.text(
    alphabet=" \t\n\r\x85\u2028#-:|>'\"{}%&*!?@`a.0~é📜\x00\x1b\ufeff\uffff", max_size=60
)


@given(PROMPTS, PROMPTS, st.lists(PROMPTS, max_size=3), st.sampled_from(["kubernetes", "conductor"]))
def test_what_is_printed_means_what_the_documents_mean(prompt: str, id_: str, files: list[str], dialect: Any) -> None:
    changes = {
        "councilor_config.task.prompt": prompt,
        "councilor_config.title": id_,
        "councilor_config.task.context_files": files,
        "cwd": prompt,
    }
    candidates = of(
        legacy(changes), instance({**changes, "instance_id": id_}), legacy(of=SIMPLE_AGENT), dialect=dialect
    )
    text = render(candidates, "council")

    printed = councilors(text)
    wanted = [candidate for candidate in candidates if candidate.problem is None]
    assert [item["metadata"]["name"] for item in printed] == [candidate.name for candidate in wanted]
    for item, candidate in zip(printed, wanted, strict=True):
        assert CouncilorSpec.model_validate(item["spec"]) == candidate.spec
        assert item["metadata"].get("annotations", {}).get(ANNOTATION_INSTANCE) == candidate.instance_id
