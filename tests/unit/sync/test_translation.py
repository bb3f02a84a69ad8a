"""What each document asks for: tables of fields, and junk of every kind."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.schedule import ScheduleError, compile_schedule
from councilor_operator.sync.candidate import Candidate, SourceDocument
from councilor_operator.sync.documents import FIELDS
from councilor_operator.sync.identity import councilor_name
from councilor_operator.sync.translation import (
    STAND_IN_AGENT,
    STAND_IN_PROMPT,
    Dialect,
    TranslationRules,
    one_for_each_name,
    translate,
)
from tests.unit.sync.conductor_documents import (
    AGENT,
    INSTANCE_ID,
    REMOVED,
    SIMPLE_AGENT,
    changed,
    instance,
    legacy,
)

RULES = TranslationRules()
SECRET = "the secret content of a document"


def dumped(candidate: Candidate) -> dict[str, Any]:
    return candidate.spec.model_dump(by_alias=True, exclude_unset=True, mode="json")


def test_a_document_of_the_full_schema() -> None:
    candidate = translate(legacy(), RULES)

    assert dumped(candidate) == {
        "agentId": "LicenseAuditor_Agent",
        "title": "Licence counsel",
        "displayName": "Lia Paragraph",
        "emoji": "📜",
        "color": "#5b21b6",
        "schedule": {"type": "cron", "value": "0 9 * * MON", "enabled": True},
        "task": {
            "name": "Licence check",
            "prompt": "List dependencies without a known licence.",
            "contextFiles": ["pyproject.toml"],
            "outputFormat": "summary",
        },
        "notifications": {"onSuccess": False, "onWarning": True, "onError": True, "channels": ["panel", "toast"]},
    }
    assert candidate.document == "agents/LicenseAuditor_Agent"
    assert candidate.name == "licenseauditor-agent-98ee8c9c"
    assert (candidate.instance_id, candidate.problem, candidate.notes) == (None, None, ())


def test_a_document_of_the_simple_schema() -> None:
    candidate = translate(legacy(of=SIMPLE_AGENT), RULES)

    assert dumped(candidate) == {
        "agentId": "quality-checker",
        "title": "Reviewer",
        "displayName": "Quality checker",
        "emoji": "🔎",
        "schedule": {"type": "interval", "value": "6h"},
        "task": {"name": "Long files", "prompt": "Which files are too long?"},
    }
    assert (candidate.problem, candidate.notes) == (None, ())


def test_a_document_of_an_instance() -> None:
    candidate = translate(instance(), RULES)

    assert dumped(candidate)["execution"] == {"cwd": "/srv/project"}
    assert "displayName" not in dumped(candidate)
    assert candidate.document == f"agent_instances/{INSTANCE_ID}"
    assert candidate.instance_id == INSTANCE_ID
    assert candidate.name.startswith("licenseauditor-agent-")
    assert (candidate.problem, candidate.notes) == (None, ())


def test_a_setting_gives_every_councilor_its_zone() -> None:
    rules = TranslationRules(time_zone="America/Sao_Paulo")

    for document in (legacy(), legacy({"councilor_config": 5}), legacy({"councilor_config.schedule": 5})):
        assert translate(document, rules).spec.schedule.time_zone == "America/Sao_Paulo"
        assert "timeZone" not in dumped(translate(document, RULES))["schedule"]


C = "councilor_config"


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        # Who.
        ({"agent_id": "security-audit"}, "agent_id", "security-audit"),
        ({"agent_id": "a" * 253}, "agent_id", "a" * 253),
        ({f"{C}.title": "  Counsel \n"}, "title", "Counsel"),
        ({f"{C}.title": REMOVED}, "title", None),
        ({f"{C}.title": "   "}, "title", None),
        ({"customization": None}, "display_name", None),
        ({"customization": REMOVED}, "display_name", None),
        ({"customization.display_name": " "}, "display_name", None),
        ({"customization.enabled": False}, "display_name", None),
        ({"customization.enabled": False, "definition.name": "Lawyer"}, "display_name", "Lawyer"),
        ({"customization.enabled": None}, "display_name", "Lia Paragraph"),
        ({"customization": None, "definition.name": "Lawyer", "name": "x"}, "display_name", "Lawyer"),
        ({"customization": None, "definition": REMOVED, "name": "Root"}, "display_name", "Root"),
        ({"customization": None, "definition.title": "of instances"}, "display_name", None),
        ({"customization.display_name": "LicenseAuditor_Agent"}, "display_name", None),
        ({"definition.emoji": REMOVED, "emoji": "🔎"}, "emoji", "🔎"),
        ({"definition.emoji": "", "emoji": "🔎"}, "emoji", "🔎"),
        ({"emoji": "🔎"}, "emoji", "📜"),
        ({"customization.enabled": False}, "color", None),
        ({"customization.color": None, "definition.color": "#fff", "color": "#000"}, "color", "#fff"),
        ({"customization": None, "color": " #00000080 "}, "color", "#00000080"),
        # When.
        ({f"{C}.schedule.value": "  0 9 * * MON \n"}, "schedule.value", "0 9 * * MON"),
        ({f"{C}.schedule.value": "@daily"}, "schedule.value", "@daily"),
        ({f"{C}.schedule": {"type": "interval", "value": "45m"}}, "schedule.value", "45m"),
        ({f"{C}.schedule": {"type": "interval", "value": "007h"}}, "schedule.value", "7h"),
        ({f"{C}.schedule": {"type": " interval ", "value": " 2d"}}, "schedule.type", "interval"),
        ({f"{C}.schedule.enabled": False}, "schedule.enabled", False),
        ({f"{C}.schedule.enabled": None}, "schedule.enabled", True),
        ({f"{C}.schedule.enabled": REMOVED}, "schedule.enabled", True),
        # What.
        ({f"{C}.task.name": " "}, "task.name", None),
        ({f"{C}.task.prompt": " a {{placeholder}}\n b \n"}, "task.prompt", "a {{placeholder}}\n b"),
        ({f"{C}.task.prompt": "a" * 10000}, "task.prompt", "a" * 10000),
        ({f"{C}.task.prompt": " " + "a" * 10000 + "\n\n"}, "task.prompt", "a" * 10000),
        ({f"{C}.task.context_files": None}, "task.context_files", ()),
        ({f"{C}.task.context_files": REMOVED}, "task.context_files", ()),
        ({f"{C}.task.context_files": [" b ", "", " ", "a"]}, "task.context_files", ("b", "a")),
        ({f"{C}.task.context_files": ["f"] * 50}, "task.context_files", ("f",) * 50),
        ({f"{C}.task.output_format": None}, "task.output_format", "checklist"),
        ({f"{C}.task.output_format": REMOVED}, "task.output_format", "checklist"),
        ({f"{C}.task.output_format": "detailed"}, "task.output_format", "detailed"),
        ({"cwd": " /srv/shop "}, "execution.cwd", "/srv/shop"),
        ({"cwd": " "}, "execution.cwd", None),
        ({"cwd": None}, "execution.cwd", None),
        # Who hears of it.
        ({f"{C}.notifications": None}, "notifications.channels", ("panel",)),
        ({f"{C}.notifications": REMOVED}, "notifications.on_error", True),
        ({f"{C}.notifications": {}}, "notifications.on_success", False),
        ({f"{C}.notifications.on_success": True}, "notifications.on_success", True),
        ({f"{C}.notifications.on_error": None}, "notifications.on_error", True),
        ({f"{C}.notifications.channels": []}, "notifications.channels", ()),
        ({f"{C}.notifications.channels": None}, "notifications.channels", ("panel",)),
        ({f"{C}.notifications.channels": ["toast", "panel", "toast", " email "]}, "notifications.channels",
         ("email", "panel", "toast")),
        ({f"{C}.notifications.channels": ["panel"] * 30}, "notifications.channels", ("panel",)),
        # What is nobody's business.
        ({"unknown": 1, f"{C}.unknown": [1], f"{C}.task.unknown": {}}, "agent_id", "LicenseAuditor_Agent"),
        ({"stats": REMOVED, "statistics": {"task_count": 1}}, "agent_id", "LicenseAuditor_Agent"),
    ],
)  # fmt: skip
def test_fields(changes: dict[str, Any], path: str, expected: object) -> None:
    candidate = translate(legacy(changes), RULES)

    value: Any = candidate.spec
    for name in path.split("."):
        value = getattr(value, name)
    assert value == expected
    assert (candidate.problem, candidate.notes) == (None, ())


@pytest.mark.parametrize(
    ("changes", "path", "advice"),
    [
        ({"agent_id": REMOVED}, "agent_id", "missing"),
        ({"agent_id": None}, "agent_id", "missing"),
        ({"agent_id": 7}, "agent_id", "write the id"),
        ({"agent_id": "  "}, "agent_id", "missing"),
        ({"agent_id": "a" * 254}, "agent_id", "has 254 characters, at most 253"),
        ({"agent_id": f"a {SECRET}"}, "agent_id", "without them"),
        ({"agent_id": "a/b"}, "agent_id", "without them"),
        ({"agent_id": " a"}, "agent_id", "without them"),
        ({"agent_id": "a\x00"}, "agent_id", "without them"),
        ({C: SECRET}, C, "write an object"),
        ({C: []}, C, "this is a list"),
        ({C: REMOVED}, C, "missing, write an object"),
        ({f"{C}.schedule": REMOVED}, f"{C}.schedule", "missing, write an object with type and value"),
        ({f"{C}.schedule": "6h"}, f"{C}.schedule", "this is text"),
        ({f"{C}.schedule.type": REMOVED}, f"{C}.schedule.type", "missing, write interval or cron"),
        ({f"{C}.schedule.type": "daily"}, f"{C}.schedule.type", "the types are interval and cron"),
        ({f"{C}.schedule.type": 1}, f"{C}.schedule.type", "as text, this is a number"),
        ({f"{C}.schedule.value": REMOVED}, f"{C}.schedule.value", "missing, write an interval"),
        ({f"{C}.schedule.value": "  "}, f"{C}.schedule.value", "blank, write"),
        ({f"{C}.schedule.value": 30}, f"{C}.schedule.value", "as text, this is a number"),
        ({f"{C}.schedule.value": "bogus"}, f'{C}.schedule.value "bogus"', "five fields"),
        ({f"{C}.schedule.value": "99 99 * * 9"}, f"{C}.schedule.value", "possible are 0-59"),
        ({f"{C}.schedule.value": "0 0 9 * * 1"}, f"{C}.schedule.value", 'Write "0 9 * * MON"'),
        ({f"{C}.schedule.value": "5 9 * * 7"}, f"{C}.schedule.value", 'Write "5 9 * * SUN"'),
        ({f"{C}.schedule.value": "0 9 * * FRI-SUN"}, f"{C}.schedule.value", 'Write "0 9 * * FRI-SAT,SUN"'),
        ({f"{C}.schedule.value": "0 9 30 2 *"}, f"{C}.schedule.value", "never comes due"),
        ({f"{C}.schedule.value": "30m"}, f"{C}.schedule.value", "type: interval"),
        ({f"{C}.schedule.value": "TZ=UTC 0 9 * * *"}, f"{C}.schedule.value", "COUNCILOR_SYNC_TIME_ZONE"),
        ({f"{C}.schedule.value": "0 9 * * " + "1," * 130}, f"{C}.schedule.value", "has 268 characters, at most 256"),
        ({f"{C}.schedule": {"type": "interval", "value": "0m"}}, f"{C}.schedule.value", "Write 1m"),
        ({f"{C}.schedule": {"type": "interval", "value": "000d"}}, f"{C}.schedule.value", "Write 1m"),
        ({f"{C}.schedule": {"type": "interval", "value": "30s"}}, f"{C}.schedule.value", "Write 1m"),
        ({f"{C}.schedule": {"type": "interval", "value": "90"}}, f"{C}.schedule.value", "has no unit"),
        ({f"{C}.schedule": {"type": "interval", "value": "99999d"}}, f"{C}.schedule.value", "too long"),
        ({f"{C}.schedule": {"type": "interval", "value": "0 9 * * *"}}, f"{C}.schedule.value", "type: cron"),
        ({f"{C}.schedule.enabled": "false"}, f"{C}.schedule.enabled", "write true or false, this is text"),
        ({f"{C}.schedule.enabled": 0}, f"{C}.schedule.enabled", "write true or false, this is a number"),
        ({f"{C}.task": SECRET}, f"{C}.task", "write an object with name and prompt, this is text"),
        ({f"{C}.task": REMOVED}, f"{C}.task", "missing, write an object with name and prompt"),
        ({f"{C}.task.prompt": REMOVED}, f"{C}.task.prompt", "missing, write what the agent is asked"),
        ({f"{C}.task.prompt": " \n\t "}, f"{C}.task.prompt", "blank, write what the agent is asked"),
        ({f"{C}.task.prompt": [SECRET]}, f"{C}.task.prompt", "as text, this is a list"),
        ({f"{C}.task.prompt": SECRET * 400}, f"{C}.task.prompt", f"has {len(SECRET) * 400} characters, at most 10000"),
        ({f"{C}.task.context_files": SECRET}, f"{C}.task.context_files", "write a list of file paths, this is text"),
        ({f"{C}.task.context_files": ["a", 5]}, f"{C}.task.context_files", "entry 2 is a number"),
        ({f"{C}.task.context_files": ["a\nb"]}, f"{C}.task.context_files", "entry 1 does not fit"),
        ({f"{C}.task.context_files": ["a" * 1025]}, f"{C}.task.context_files", "at most 1024"),
        ({f"{C}.task.context_files": ["f"] * 51}, f"{C}.task.context_files", "has 51 entries, at most 50"),
        ({f"{C}.task.output_format": SECRET}, f"{C}.task.output_format", "summary, detailed or checklist"),
        ({f"{C}.task.output_format": ["summary"]}, f"{C}.task.output_format", "summary, detailed or checklist"),
        ({f"{C}.notifications": SECRET}, f"{C}.notifications", "write an object"),
        ({f"{C}.notifications.on_error": "yes"}, f"{C}.notifications.on_error", "write true or false"),
        ({f"{C}.notifications.channels": "panel"}, f"{C}.notifications.channels", "write a list of channels"),
        ({f"{C}.notifications.channels": [{}]}, f"{C}.notifications.channels", "entry 1 is an object"),
        ({f"{C}.notifications.channels": [f"https:{SECRET}"]}, f"{C}.notifications.channels", "a key of the Secret"),
        ({f"{C}.notifications.channels": [f"c{n}" for n in range(21)]}, f"{C}.notifications.channels", "at most 20"),
        ({"cwd": 5}, "cwd", "write the path"),
        ({"cwd": "/" * 1025}, "cwd", "has 1025 characters, at most 1024"),
    ],
)  # fmt: skip
def test_problems_name_the_field_and_what_to_write(changes: dict[str, Any], path: str, advice: str) -> None:
    candidate = translate(legacy(changes), RULES)

    assert candidate.problem is not None
    assert candidate.problem.startswith(path)
    assert advice in candidate.problem
    assert SECRET not in candidate.problem
    assert re.search(r"; (councilor_config|agent_id|cwd|and \d)", candidate.problem) is None
    assert candidate.spec.schedule.enabled is False
    accepted_by_the_crd(candidate)


@pytest.mark.parametrize(
    ("changes", "path", "spec"),
    [
        ({f"{C}.title": "a" * 201}, f"{C}.title", {"title": "a" * 199 + "…"}),
        ({f"{C}.title": 5}, f"{C}.title", {"title": None}),
        ({f"{C}.task.name": "a" * 201}, f"{C}.task.name", {}),
        ({"customization.display_name": "é" * 300}, "customization.display_name", {"display_name": "é" * 199 + "…"}),
        ({"definition.emoji": "📜" * 17}, "definition.emoji", {"emoji": "📜" * 15 + "…"}),
        ({"customization.color": "red"}, "customization.color", {"color": None}),
        ({"customization.color": "#12345"}, "customization.color", {"color": None}),
        ({"customization.color": 5, "color": "#fff"}, "customization.color", {"color": "#fff"}),
        ({"customization": SECRET}, "customization", {"display_name": None, "color": None}),
        ({"definition": [SECRET]}, "definition", {"emoji": None}),
        ({f"{C}.schedule.value": "0 9 * * 1"}, f'{C}.schedule.value "0 9 * * 1"', {}),
        ({f"{C}.schedule.value": "0 9 13 * FRI"}, f'{C}.schedule.value "0 9 13 * FRI"', {}),
    ],
)
def test_what_is_only_odd_is_noted(changes: dict[str, Any], path: str, spec: dict[str, Any]) -> None:
    candidate = translate(legacy(changes), RULES)

    assert candidate.problem is None
    (note,) = candidate.notes
    assert note.startswith(f"{path}: ")
    assert SECRET not in note
    assert {name: getattr(candidate.spec, name) for name in spec} == spec
    assert candidate.spec.schedule.enabled


@pytest.mark.parametrize(
    ("value", "expected", "note", "problem"),
    [
        ("0 9 * * MON", "0 9 * * MON", None, None),
        ("0 9 * * 1", "0 9 * * TUE", "translated", None),
        ("0 9 * * 7", "0 9 * * SUN", "Sunday", None),
        ("0 9 * * FRI-SUN", "0 9 * * FRI,SAT,SUN", "translated", None),
        ("H H * * MON", "H H * * MON", None, None),
        ("0 9 13 * FRI", "0 9 13 * FRI", None, "Set one of the two to *"),
        ("0 9 last * *", "0 9 last * *", None, "day 28 is in every month"),
        ("bogus", "bogus", None, "five fields"),
    ],
)
def test_the_dialect_of_conductor(value: str, expected: str, note: str | None, problem: str | None) -> None:
    candidate = translate(legacy({f"{C}.schedule.value": value}), TranslationRules("conductor"))

    assert candidate.spec.schedule.value == expected
    assert candidate.spec.schedule.enabled is (problem is None)
    assert (note or "") in "".join(candidate.notes)
    assert bool(note) == bool(candidate.notes)
    assert (problem or "") in (candidate.problem or "")
    assert bool(problem) == bool(candidate.problem)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"type": "cron", "value": "99 99 * * 9"}, ("cron", "99 99 * * 9")),
        ({"type": "cron", "value": "bogus"}, ("cron", "bogus")),
        ({"type": "interval", "value": "99999d"}, ("interval", "99999d")),
        ({"type": "interval", "value": "0m"}, ("cron", "@yearly")),
        ({"type": "cron", "value": "30m"}, ("cron", "@yearly")),
        ({"type": "cron", "value": "1 h"}, ("cron", "@yearly")),
        ({"type": "cron", "value": "0 9\n* *"}, ("cron", "@yearly")),
        ({"type": "cron", "value": "x" * 257}, ("cron", "@yearly")),
        ({"type": "weekly", "value": "0 9 * * *"}, ("cron", "@yearly")),
        ({}, ("cron", "@yearly")),
    ],
)
def test_a_refused_schedule_is_shown_where_the_crd_takes_it(schedule: Any, expected: tuple[str, str]) -> None:
    candidate = translate(legacy({f"{C}.schedule": schedule}), RULES)

    assert (candidate.spec.schedule.type, candidate.spec.schedule.value) == expected
    assert candidate.spec.schedule.enabled is False


def test_a_problem_elsewhere_leaves_the_schedule_but_pauses_it() -> None:
    schedule = translate(legacy({f"{C}.task.prompt": ""}), RULES).spec.schedule

    assert (schedule.value, schedule.enabled) == ("0 9 * * MON", False)


def test_stand_ins() -> None:
    spec = translate(legacy({"agent_id": None, f"{C}.task": None}), RULES).spec

    assert (spec.agent_id, spec.task.prompt) == (STAND_IN_AGENT, STAND_IN_PROMPT)


def test_all_problems_are_told_within_bounds() -> None:
    broken = {
        "agent_id": 1,
        "cwd": [],
        f"{C}.schedule": {"type": 1, "value": 2, "enabled": 3},
        f"{C}.task": {"prompt": 1, "context_files": 2, "output_format": 3},
        f"{C}.notifications": {"on_success": 1, "on_warning": 2, "on_error": 3, "channels": 4},
    }
    candidate = translate(legacy(broken), RULES)

    assert candidate.problem is not None
    assert len(candidate.problem) <= 640
    assert candidate.problem.count("; ") == 5
    assert candidate.problem.endswith("; and 7 more")
    assert candidate.problem.startswith("agent_id: ")


@pytest.mark.parametrize("value", [None, 5, "", "  ", "a" * 1025, {"a": 1}])
def test_an_instance_without_a_usable_id_is_known_by_its_key(value: object) -> None:
    candidate = translate(instance({"instance_id": value}), RULES)

    assert candidate.document == "agent_instances/_id:698c3a9ae07b15d2c4f8a613"
    assert candidate.instance_id is None
    assert candidate.problem is not None
    assert candidate.problem.startswith("instance_id: write the id of the instance")


def test_ids_of_300_characters() -> None:
    """As an agent's they are a problem of the Councilor's own; as an instance's they are fine."""
    agent = translate(legacy({"agent_id": "A" * 300}), RULES)
    chamber = translate(instance({"instance_id": "A" * 300}), RULES)

    assert agent.document == "agents/" + "A" * 300
    assert agent.problem is not None
    assert len(agent.name) == len("a" * 43 + "-98ee8c9c")
    assert (chamber.problem, chamber.instance_id) == (None, "A" * 300)


def test_what_did_not_change_is_equal() -> None:
    """Order of channels, blanks around texts, statistics and times of change make no difference."""
    other = {
        f"{C}.notifications.channels": ["panel", "toast", "panel"],
        f"{C}.task.prompt": "\nList dependencies without a known licence.  ",
        f"{C}.schedule.value": " 0 9 * * MON",
        "updated_at": "2027-01-01T00:00:00",
        "stats": {"total_executions": 99},
        "councilor_runs": {"recent": ["x"]},
        "persona.content": "Somebody else",
    }

    assert translate(legacy(other), RULES) == translate(legacy(), RULES)


def test_equal_ids_in_one_collection_make_one_councilor() -> None:
    documents = [legacy({f"{C}.title": key}, key=key) for key in ("c", "a", "b")]
    (only,) = one_for_each_name(translate(document, RULES) for document in documents)

    assert (only.key, only.spec.title) == ("a", "a")
    (note,) = only.notes
    assert note.startswith(
        'agent_id: the same as in 2 other documents; this Councilor stands for the one whose _id is "a"'
    )


def test_an_agent_that_is_a_councilor_twice_is_noted_on_both() -> None:
    documents = [
        legacy(),
        instance(),
        instance({"instance_id": "second"}),
        instance({"instance_id": "other", "agent_id": "Other_Agent"}),
        legacy({"agent_id": "Third_Agent"}),
    ]
    found = one_for_each_name(translate(document, RULES) for document in documents)

    noted = {candidate.document: candidate.notes for candidate in found if candidate.notes}
    assert set(noted) == {"agents/LicenseAuditor_Agent", f"agent_instances/{INSTANCE_ID}", "agent_instances/second"}
    assert "2 documents of agent_instances" in noted["agents/LicenseAuditor_Agent"][0]
    assert "one of agents as well" in noted["agent_instances/second"][0]
    assert len({candidate.name for candidate in found}) == len(found) == 5


def test_documents_without_an_agent_have_nothing_in_common() -> None:
    documents = [legacy({"agent_id": None}), instance({"agent_id": None})]

    assert [candidate.notes for candidate in one_for_each_name(translate(item, RULES) for item in documents)] == [
        (),
        (),
    ]


def test_a_name_that_two_documents_need_goes_to_the_first() -> None:
    """Eight digits of a hash can be the same."""
    one = translate(legacy(), RULES)
    other = replace(translate(legacy({"agent_id": "Zebra_Agent"}), RULES), name=one.name)
    (kept,) = one_for_each_name([other, one])

    assert kept.document == one.document
    assert '"agents/Zebra_Agent" would have the same name' in kept.notes[0]


def test_the_order_of_documents_makes_no_difference() -> None:
    documents = [legacy(), instance(), legacy(key="0"), legacy({"agent_id": "B"})]
    candidates = [translate(document, RULES) for document in documents]

    assert one_for_each_name(candidates) == one_for_each_name(reversed(candidates))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**5000),
    st.floats(),
    st.text(max_size=40),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "Zs", "Zl"]), max_size=4),
    st.binary(max_size=8),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.sampled_from(
        [
            ObjectId("698b3e954f1a7c20d8e6b359"),
            Decimal128("NaN"),
            Int64(5),
            Binary(b"x", 4),
            Code("function () {}"),
            Regex("a"),
            Timestamp(1, 1),
            MaxKey(),
            datetime(1, 1, 1, tzinfo=UTC),
            "interval",
            "cron",
            "0m",
            "007h",
            "7h",
            "0 9 * * 1-5",
            "0 9 13 * 5",
            "#fff",
            "panel",
            "a" * 10001,
            "x" * 300,
            "\ud800",
        ]
    ),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PATHS = sorted(FIELDS["agents"] | FIELDS["agent_instances"] | {C, "definition", "customization"}) + [
    f"{C}.{path}"
    for path in (
        "schedule.type",
        "schedule.value",
        "schedule.enabled",
        "task.name",
        "task.prompt",
        "task.context_files",
        "task.output_format",
        "notifications.on_error",
        "notifications.channels",
    )
]
HALF_BROKEN = st.dictionaries(st.sampled_from(PATHS), JUNK, max_size=6)


def broken(changes: dict[str, Any]) -> dict[str, Any]:
    """A document in which fields were replaced by junk; the whole before its parts, which may not fit any more."""
    body = AGENT
    for path in sorted(changes):
        try:
            body = changed(body, {path: changes[path]})
        except (AttributeError, TypeError):
            continue
    return body


BODIES = st.dictionaries(st.text(max_size=8), JUNK, max_size=5) | HALF_BROKEN.map(broken)


def accepted_by_the_crd(candidate: Candidate) -> None:
    """The types, JSON, and the schema's rules that pydantic does not check."""
    document = dumped(candidate)
    assert CouncilorSpec.model_validate(json.loads(json.dumps(document))) == candidate.spec
    json.dumps(document, ensure_ascii=False).encode()
    schedule, prompt = candidate.spec.schedule, candidate.spec.task.prompt
    if schedule.type == "interval":
        assert re.fullmatch(r"[1-9][0-9]*[mhd]", schedule.value)
    else:
        assert not re.fullmatch(r"[0-9]+ *[smhd]", schedule.value)
    assert prompt is not None
    assert re.search(r"[^ \t\r\n]", prompt)
    channels = candidate.spec.notifications.channels
    assert len(set(channels)) == len(channels)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["agents", "agent_instances"]),
    st.text(max_size=30),
    BODIES,
    st.sampled_from(["kubernetes", "conductor"]),
    st.sampled_from([None, "Europe/Berlin"]),
)
def test_whatever_a_document_holds_there_is_a_councilor(
    collection: Any, key: str, body: dict[str, Any], dialect: Dialect, time_zone: str | None
) -> None:
    candidate = translate(SourceDocument(collection, key, body), TranslationRules(dialect, time_zone))

    accepted_by_the_crd(candidate)
    assert candidate.name == councilor_name(candidate.document)
    assert candidate.document.startswith(f"{collection}/")
    json.dumps([candidate.document, candidate.problem, candidate.notes], ensure_ascii=False).encode()
    assert len(candidate.document) < 1100
    assert len(candidate.notes) <= 5
    assert all(len(note) <= 800 for note in candidate.notes)
    schedule = candidate.spec.schedule
    if candidate.problem is not None:
        assert len(candidate.problem) <= 640
        assert schedule.enabled is False
        return
    try:
        compile_schedule(type=schedule.type, value=schedule.value, time_zone=None, default_zone="UTC", uid="x")
    except ScheduleError:
        pytest.fail("a schedule that the operator refuses has no problem")
    assert candidate.spec.task.prompt != STAND_IN_PROMPT
    assert candidate.spec.agent_id != STAND_IN_AGENT


IDS = st.sampled_from(["A_B", "a-b", "A_B_Agent", None, 5, "a" * 300])


@given(st.lists(st.tuples(IDS, st.text(max_size=3), st.booleans()), max_size=8))
def test_names_are_unique(drawn: list[tuple[Any, str, bool]]) -> None:
    documents = [
        legacy({"agent_id": id_}, key=key) if of_agent else instance({"instance_id": id_}, key=key)
        for id_, key, of_agent in drawn
    ]
    candidates = one_for_each_name(translate(document, RULES) for document in documents)

    names = [candidate.name for candidate in candidates]
    assert names == sorted(set(names))
    assert {candidate.document for candidate in candidates} == {translate(item, RULES).document for item in documents}
