"""Does an object still hold what was applied? Tables of what a real API server changes, and of what people change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.drift import covers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("observed", "desired", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, True, id="equal"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, True, id="a default beside it"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True, id="a default below it"),
        pytest.param({"a": 2}, {"a": 1}, False, id="changed value"),
        pytest.param({}, {"a": 1}, False, id="removed value"),
        pytest.param({"a": None}, {"a": 1}, False, id="null value"),
        pytest.param({"a": "1"}, {"a": 1}, False, id="other type"),
        pytest.param({"a": {"b": 1}}, {"a": "b"}, False, id="mapping for text"),
        pytest.param({"a": "b"}, {"a": {"b": 1}}, False, id="text for mapping"),
        pytest.param({"a": "xy"}, {"a": ["x", "y"]}, False, id="text for list of its letters"),
        pytest.param({"a": ["x", "y"]}, {"a": "xy"}, False, id="list for text"),
        pytest.param({"a": True}, {"a": False}, False, id="flag turned on"),
        pytest.param({}, {"a": True}, False, id="true flag removed"),
        pytest.param({}, {"a": False}, True, id="false flag left out"),
        pytest.param({}, {"a": {}}, True, id="empty mapping left out"),
        pytest.param({}, {"a": []}, True, id="empty list left out"),
        pytest.param({"a": None}, {"a": []}, True, id="empty list as null"),
        pytest.param({"a": [1]}, {"a": []}, False, id="list should be empty"),
        pytest.param({}, {"a": [1]}, False, id="list removed"),
        pytest.param({"a": [1, 2]}, {"a": [1, 2]}, True, id="equal lists"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, False, id="shorter list"),
        pytest.param({"a": [1, 2, 3]}, {"a": [1, 2]}, False, id="longer list"),
        pytest.param({"a": [2, 1]}, {"a": [1, 2]}, False, id="other order"),
        pytest.param({"a": [{"n": 1, "d": 0}]}, {"a": [{"n": 1}]}, True, id="a default in a list entry"),
        pytest.param({"a": [{"d": 0}]}, {"a": [{"n": 1}]}, False, id="a field of a list entry removed"),
        pytest.param({"suspend": False}, {"suspend": False}, True, id="not suspended"),
        pytest.param({"suspend": True}, {"suspend": False}, False, id="suspended by hand"),
        pytest.param({"suspend": False}, {"suspend": True}, False, id="resumed by hand"),
        pytest.param({}, {"suspend": True}, False, id="suspension removed"),
        pytest.param({}, {"deadline": None}, True, id="nothing where nothing is wanted"),
        pytest.param({"deadline": 30}, {"deadline": None}, False, id="something where nothing is wanted"),
        pytest.param({"limit": 3}, {"limit": 0}, False, id="zero replaced by a default"),
    ],
)
def test_coverage(observed: object, desired: object, expected: bool) -> None:
    assert covers(observed, desired) is expected


@pytest.mark.parametrize(
    ("observed", "desired", "expected"),
    [
        ("500m", "0.5", True),
        ("500m", ".5", True),
        ("500m", "500m", True),
        ("1", "1000m", True),
        ("1", "1.0", True),
        ("2", "2", True),
        ("2", "2.", True),  # apimachinery reads a trailing point and writes it without
        ("1Gi", "1024Mi", True),
        ("64Mi", "65536Ki", True),
        ("1536Mi", "1.5Gi", True),
        ("1Gi", "1073741824", True),
        ("1G", "1000M", True),
        ("1G", "1e9", True),
        ("1G", "1E9", True),
        ("1k", "1e3", True),
        ("2E", "2E", True),
        ("2Ei", "2Ei", True),
        ("1500u", "1.5m", True),
        ("0", "0", True),
        ("1Gi", "1G", False),
        ("1G", "1Gi", False),
        ("500m", "0.6", False),
        ("1M", "1m", False),
        ("1", "1k", False),
        ("64Mi", "128Mi", False),
        ("1E", "1e1", False),
        ("words", "words", True),
        ("words", "other", False),
        ("words", "1", False),
    ],
)
def test_quantities(observed: str, desired: str, expected: bool) -> None:
    for kind in ("limits", "requests"):
        have, want = ({"resources": {kind: {"cpu": value}}} for value in (observed, desired))
        assert covers(have, want) is expected


@pytest.mark.parametrize(
    ("observed", "desired", "expected"),
    [
        ({}, {}, True),
        (None, {}, True),
        ({"limits": {"cpu": "1"}}, {}, True),
        ({}, {"requests": {}}, True),
        ({"requests": {"cpu": "1"}}, {"requests": {}}, True),
        ({}, {"requests": {"cpu": "1"}}, False),
        (None, {"requests": {"cpu": "1"}}, False),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1", "memory": "1Gi"}}, False),
        ({"requests": {"memory": "1Gi"}}, {"requests": {"cpu": "1"}}, False),
        ({"limits": {"cpu": "1"}}, {"requests": {"cpu": "1"}}, False),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}, {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}, False),
    ],
)
def test_resources(observed: object, desired: object, expected: bool) -> None:
    assert covers({"resources": observed}, {"resources": desired}) is expected


def test_quantities_count_as_text_anywhere_else() -> None:
    assert not covers({"value": "1Gi"}, {"value": "1024Mi"})


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param({"key": "a", "operator": "Exists"}, {"key": "a", "operator": "Exists", "value": ""}, id="value"),
        pytest.param({"operator": "Exists"}, {"key": "", "operator": "Exists"}, id="key"),
    ],
)
def test_empty_text_that_the_server_leaves_out(observed: dict[str, str], desired: dict[str, str]) -> None:
    """key and value of a core/v1 Toleration have `omitempty`."""
    assert covers({"tolerations": [observed]}, {"tolerations": [desired]})


def test_a_foreign_node_label_is_drift() -> None:
    """nodeSelector is one atomic value (core/v1 PodSpec, map type atomic): one more label, and no node may be left."""
    assert not covers({"nodeSelector": {"disk": "ssd", "gpu": "yes"}}, {"nodeSelector": {"disk": "ssd"}})


@pytest.mark.parametrize(
    ("key", "name", "field"),
    [("env", "name", "value"), ("containers", "name", "image"), ("ownerReferences", "uid", "kind")],
)
def test_lists_with_a_key_may_hold_entries_of_others(key: str, name: str, field: str) -> None:
    """Server-side apply merges them by key: what another field manager added stays, whatever we apply."""
    ours = [{name: "a", field: "1"}, {name: "b", field: "2"}]
    theirs = {name: "z", field: "9"}
    for observed, expected in (
        (ours, True),
        ([*ours, theirs], True),
        ([theirs, *ours], True),
        ([entry | {"default": True} for entry in ours], True),
        (ours[:1], False),
        ([ours[0], theirs], False),
        ([ours[0], {name: "b", field: "other"}], False),
        ([ours[0], {name: "b"}], False),
        ([], False),
        (None, False),
    ):
        assert covers({key: observed}, {key: ours}) is expected, observed


@pytest.mark.parametrize("key", ["args", "tolerations", "rules", "drop", "values"])
def test_other_lists_are_one_value(key: str) -> None:
    assert not covers({key: ["a", "b"]}, {key: ["a"]})
    assert not covers({key: ["b", "a"]}, {key: ["a", "b"]})


@given(document=JSON)
def test_everything_covers_itself(document: Any) -> None:
    assert covers(document, copy.deepcopy(document))


@given(document=st.dictionaries(st.text(min_size=1, max_size=4), JSON, max_size=4), more=JSON)
def test_a_new_key_is_no_drift(document: dict[str, Any], more: Any) -> None:
    assert covers(document | {"something-new": more}, document)


def test_sets_of_capabilities_are_compared_in_full() -> None:
    desired = {"capabilities": {"drop": ["ALL"]}}
    edits: list[Callable[[], dict[str, Any]]] = [
        lambda: {"capabilities": {}},
        lambda: {"capabilities": {"drop": []}},
        lambda: {"capabilities": {"drop": ["NET_RAW"]}},
        dict,
    ]
    assert not any(covers(edit(), desired) for edit in edits)
