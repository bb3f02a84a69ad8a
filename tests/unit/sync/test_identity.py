"""Names of Councilors that stand for documents."""

import re

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.names import CRON_JOB_LIMIT, cron_job_name
from councilor_operator.sync.candidate import Collection
from councilor_operator.sync.identity import (
    councilor_name,
    document_key,
    document_reference,
    usable_id,
)

OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("identifier", "readable"),
    [
        ("LicenseAuditor_Agent", "licenseauditor-agent"),
        ("my_report_Agent", "my-report-agent"),
        ("quality_agent", "quality-agent"),
        ("security-audit", "security-audit"),
        ("Revisão de Código_Agent", "revisao-de-codigo-agent"),
        ("__x__", "x"),
        ("A.B/C", "a-b-c"),
        ("7up", "7up"),
        ("📜", "councilor"),
        ("監査", "councilor"),
        ("a" * 300, "a" * 43),
        ("a" * 42 + "_b", "a" * 42),
    ],
)
def test_names_begin_with_what_people_recognize(identifier: str, readable: str) -> None:
    reference = document_reference("agents", identifier, "698b3e954f1a7c20d8e6b359")

    assert re.fullmatch(re.escape(readable) + "-[0-9a-f]{8}", councilor_name(reference))


def test_a_name_never_changes() -> None:
    """Histories hang on names: a change here makes every synced Councilor anew."""
    assert councilor_name("agents/LicenseAuditor_Agent") == "licenseauditor-agent-98ee8c9c"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("agents", "A_B"), ("agents", "a-b")),
        (("agents", "A_B"), ("agents", "a_b")),
        (("agents", "x"), ("agent_instances", "x")),
        (("agents", "a" * 300), ("agents", "a" * 301)),
        (("agents", " x"), ("agents", "x")),
        (("agents", "é"), ("agents", "e\u0301")),
    ],
)
def test_ids_that_look_alike_have_names_of_their_own(
    one: tuple[Collection, str], other: tuple[Collection, str]
) -> None:
    names = {councilor_name(document_reference(*item, "key")) for item in (one, other)}

    assert len(names) == 2


@given(st.sampled_from(["agents", "agent_instances"]), st.text(max_size=400), st.text(max_size=60))
def test_every_name_fits_kubernetes(collection: Collection, identifier: str, key: str) -> None:
    reference = document_reference(collection, usable_id(identifier), key)
    name = councilor_name(reference)

    assert OBJECT_NAME.fullmatch(name)
    assert len(name) <= CRON_JOB_LIMIT
    assert cron_job_name(name) == name
    assert councilor_name(reference + "x") != name
    reference.encode()


@pytest.mark.parametrize(
    ("identifier", "readable"),
    [
        ("councilor_LicenseAuditor_Agent_1770797722450", "licenseauditor-agent"),
        ("councilor_LicenseAuditor_Agent_1770797722", "licenseauditor-agent"),
        ("councilor_1770797722450", "councilor-1770797722450"),
        ("instance-1770797722450-x7", "instance-1770797722450-x7"),
        ("councilor_A_12", "councilor-a-12"),
    ],
)
def test_instances_are_named_after_their_agent(identifier: str, readable: str) -> None:
    name = councilor_name(f"agent_instances/{identifier}")

    assert re.fullmatch(re.escape(readable) + "-[0-9a-f]{8}", name)


@pytest.mark.parametrize("value", [None, 5, True, "", "  \n", [], {}, b"x", "a" * 1025, "\ud800"])
def test_unusable_ids(value: object) -> None:
    assert usable_id(value) is None


@pytest.mark.parametrize("value", ["x", " x ", "a" * 1024, "A/B", "é\n", "\x00"])
def test_usable_ids_stay_as_they_are(value: str) -> None:
    assert usable_id(value) == value


@pytest.mark.parametrize(
    ("identifier", "key", "expected"),
    [
        ("X_Agent", "698b3e954f1a7c20d8e6b359", "agents/X_Agent"),
        (None, "698b3e954f1a7c20d8e6b359", "agents/_id:698b3e954f1a7c20d8e6b359"),
        (None, "", "agents/_id:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
)
def test_references(identifier: str | None, key: str, expected: str) -> None:
    assert document_reference("agents", identifier, key) == expected


def test_a_key_of_any_length_is_referred_to() -> None:
    one, other = (document_reference("agents", None, "a" * length) for length in (5000, 5001))

    assert one != other
    assert len(one) < 100


def test_keys_of_different_types_differ() -> None:
    assert len({document_key(value) for value in (5, "5", 5.0, b"5", None, {"a": 1})}) == 6
    assert document_key(ObjectId("698b3e954f1a7c20d8e6b359")) == "698b3e954f1a7c20d8e6b359"
