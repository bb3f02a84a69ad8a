"""Names of child objects: within the limits, readable, distinct."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.names import CRON_JOB_LIMIT, LABEL_LIMIT, bounded, cron_job_name, label_value

# RFC 1123 subdomain, as apimachinery validates object names; label values allow these as well.
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
OBJECT_NAMES = st.from_regex(SUBDOMAIN, fullmatch=True).filter(lambda name: len(name) <= 253)
LONG_NAMES = st.builds(
    lambda parts, joint: joint.join(parts)[:253].strip("-."),
    st.lists(st.text(alphabet="abc019", min_size=1, max_size=12), min_size=20, max_size=60),
    st.sampled_from(["-", ".", "--"]),
)


@pytest.mark.parametrize(
    ("length", "cron_job", "label"),
    [(1, 1, 1), (51, 51, 51), (52, 52, 52), (53, 52, 53), (62, 52, 62), (63, 52, 63), (64, 52, 63), (253, 52, 63)],
)
def test_lengths(length: int, cron_job: int, label: int) -> None:
    name = "n" * length
    assert len(cron_job_name(name)) == cron_job
    assert len(label_value(name)) == label


@pytest.mark.parametrize("name", ["a", "licence-counsel", "team.licences", "n" * 52])
def test_a_name_that_fits_is_kept(name: str) -> None:
    assert cron_job_name(name) == name
    assert label_value(name) == name


def test_a_long_name_begins_readably_and_never_changes() -> None:
    # Stored objects carry such names: another rule would orphan them.
    name = "quarterly-licence-and-dependency-audit-of-the-shop-backend"
    assert cron_job_name(name) == "quarterly-licence-and-dependency-audit-of-t-27dac2a2"


@pytest.mark.parametrize("joint", [".", "-", "--", "---", "x.y"])
@pytest.mark.parametrize("at", range(38, 46))
def test_no_dot_or_dash_before_the_hash(joint: str, at: int) -> None:
    name = cron_job_name("a" * at + joint + "b" * 40)
    assert len(name) <= CRON_JOB_LIMIT
    assert SUBDOMAIN.fullmatch(name)
    assert re.search(r"[a-z]-[0-9a-f]{8}$", name)


@given(name=OBJECT_NAMES | LONG_NAMES)
def test_results_are_valid_names(name: str) -> None:
    assert SUBDOMAIN.fullmatch(cron_job_name(name))
    assert len(cron_job_name(name)) <= CRON_JOB_LIMIT
    assert LABEL_VALUE.fullmatch(label_value(name))
    assert len(label_value(name)) <= LABEL_LIMIT


@given(name=OBJECT_NAMES | LONG_NAMES)
def test_the_jobs_of_a_cron_job_have_valid_names(name: str) -> None:
    # Unix minutes have eight digits until 2160, the controller reserves ten.
    job = f"{cron_job_name(name)}-{'9' * 10}"
    assert len(job) <= 63
    assert SUBDOMAIN.fullmatch(job)


@given(names=st.lists(LONG_NAMES, min_size=2, max_size=8, unique=True))
def test_distinct_names_stay_distinct(names: list[str]) -> None:
    assert len({cron_job_name(name) for name in names}) == len(names)
    assert len({label_value(name) for name in names}) == len(names)


@given(stem=st.text(alphabet="abc", min_size=60, max_size=60), ends=st.sets(st.text("xyz", min_size=1), min_size=2))
def test_names_that_differ_beyond_the_cut_stay_distinct(stem: str, ends: set[str]) -> None:
    assert len({cron_job_name(stem + end) for end in ends}) == len(ends)


@given(name=LONG_NAMES, limit=st.integers(min_value=20, max_value=253))
def test_bounding_twice_changes_nothing(name: str, limit: int) -> None:
    assert bounded(bounded(name, limit), limit) == bounded(name, limit)
