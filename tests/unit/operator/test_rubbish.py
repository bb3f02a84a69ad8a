"""Whatever stands in the cluster, a pass ends with a status that the API server takes.

An older CRD lets anything into a spec; a status and an annotation may be edited by hand; objects of Kubernetes lack
what is optional. The schema of the CRD is the measure of what a pass may write.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from councilor_operator.api.crd import custom_resource_definition
from councilor_operator.api.status import CouncilorStatus, read_status
from councilor_operator.constants import ANNOTATION_INSTANCE, ANNOTATION_RUN_NOW, ANNOTATION_SCHEDULED_AT
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod
from councilor_operator.status import document
from tests import factories
from tests.factories import NOW, Body, ended_pod_body, pod_body, report_message
from tests.unit.operator.world import Step, World

SCHEMA = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def complaints(value: Any, schema: Body, path: str = "status") -> Iterator[str]:
    """What the API server would have against a value (apiextensions v1)."""
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        yield f"{path} is no {schema['type']}: {value!r}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{path} has {len(value)} characters"
        if schema.get("format") == "date-time" and not re.fullmatch(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9:]{5})", value
        ):
            yield f"{path} is no time: {value}"
    elif isinstance(value, int | float):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{path} is out of bounds: {value}"
        if not abs(value) < 2**63:
            yield f"{path} is no number that fits: {value}"
    elif isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{path} has {len(value)} entries"
        for number, item in enumerate(value):
            yield from complaints(item, schema["items"], f"{path}[{number}]")
    else:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, item in value.items():
            if name in schema["properties"]:
                yield from complaints(item, schema["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}.{name} would be pruned"


def pass_over(world: World) -> Step:
    """Make two passes; what the first writes is what the API server would take, and the second has nothing to say."""
    step = world.step()
    written = document(step.report.status)
    assert list(complaints(json.loads(json.dumps(written)), SCHEMA["status"])) == []
    assert all(len(condition["message"]) <= 1024 for condition in written["conditions"])
    # A retry that never ends would begin here.
    again = world.step()
    assert again.patch == {}
    assert again.action is None
    assert again.events == []
    return step


# --- arbitrary documents ----------------------------------------------------------------------------------------------

ODD_TEXT = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\u202e\u0301e\u0301\U0001f9ea",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "2026-03-02T09:00:00",
        "NaN",
        "1e309",
        "Local",
        "@every 1s",
        "0 9 * * 7",
        "interval",
        "cron",
        "x" * 20_000,
    ]
)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**400, 0.5, float("inf"), float("nan"), 1.0])
    | st.text(max_size=20)
    | ODD_TEXT
)
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | ODD_TEXT, inner, max_size=4),
    max_leaves=8,
)

FULL_SPEC: Body = factories.merged(
    factories.MINIMAL_SPEC,
    {
        "title": "Licence counsel",
        "displayName": "Clara",
        "emoji": "🧪",
        "color": "#5b21b6",
        "schedule": {"timeZone": "America/Sao_Paulo", "enabled": True, "startingDeadlineSeconds": 600},
        "concurrencyPolicy": "Forbid",
        "task": {"name": "t", "contextFiles": ["a", "b"], "outputFormat": "summary"},
        "execution": {"provider": "claude", "contextMode": "stateful", "timeoutSeconds": 60, "retries": 1},
        "verdict": {"askAgent": True, "errorKeywords": ["x"], "warningKeywords": ["y"]},
        "notifications": {"onSuccess": True, "onWarning": True, "onError": True, "channels": ["panel", "email"]},
        "suspendAfterFailures": 3,
        "history": {"successfulRuns": 1, "failedRuns": 1},
        "runner": {
            "resources": {"limits": {"cpu": "1"}, "requests": {"memory": 5}},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5}],
        },
    },
)


def full_status() -> Body:
    """A status with every field."""
    world = World.settled()
    message = report_message(notified=[{"channel": "panel", "delivered": False, "reason": "r"}])
    world.add_job("j", [ended_pod_body(message)], end="Complete")
    world.add_job("k", active=1, scheduled_at=NOW)
    status = world.step().report.status
    at = factories.rfc3339(NOW - timedelta(days=1))
    run_now = {"token": "t", "at": at, "jobName": "x", "reason": "r", "message": "m"}
    return document(status) | {"lastRunNow": run_now, "lastMissedTime": at}


FULL_STATUS = full_status()


def paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def replaced(document: Body, changes: list[tuple[tuple[str | int, ...], Any]]) -> Body:
    """A copy with other values at these paths, where they still exist."""
    result: Any = copy.deepcopy(document)
    for path, value in changes:
        node = result
        for key in path[:-1]:
            node = child(node, key)
        if child(node, path[-1]) is not None:
            node[path[-1]] = value
    copied: Body = result
    return copied


def child(node: Any, key: str | int) -> Any:
    found = isinstance(node, dict | list) and key in (node if isinstance(node, dict) else range(len(node)))
    return node[key] if found else None


def mutations(document: Body) -> st.SearchStrategy[Body]:
    path = st.sampled_from(list(paths(document)))
    return st.builds(replaced, st.just(document), st.lists(st.tuples(path, JSON), min_size=1, max_size=3))


def nested(levels: int) -> Any:
    """Lists in objects in lists, so many levels deep."""
    node: Any = "x"
    for level in range(levels):
        node = {"a": node} if level % 2 else [node]
    return node


def councilor_with(**parts: Any) -> Body:
    body = factories.councilor_body()
    body |= parts
    return body


@settings(deadline=None)
@given(spec=JSON | mutations(FULL_SPEC))
@example(spec=None)
@example(spec=FULL_SPEC | {"agentId": "x" * 1_000_000})
@example(spec=FULL_SPEC | {"x" * 1_000_000: 1})
@example(spec=FULL_SPEC | {f"x{number}": number for number in range(1000)})
def test_any_spec(spec: Any) -> None:
    world = World(councilor=councilor_with(spec=spec))
    world.add_job("j", [ended_pod_body(report_message())], end="Complete")
    world.add_job("k", active=1, scheduled_at=NOW)
    step = pass_over(world)
    status, reason = step.reasons["Ready"]
    if status == "False":
        assert reason in {"InvalidSpec", "InvalidSchedule", "WorkingDirectoryMissing"}
        assert re.search(r"spec\.|schedule\.|operator's default", step.messages["Ready"])
        assert step.report.status.phase == "Invalid"


@settings(deadline=None)
@given(status=JSON | mutations(FULL_STATUS))
@example(status=FULL_STATUS | {"countedJobs": [*range(10_000), "j"]})
@example(status=FULL_STATUS | {"countedJobs": [str(number) for number in range(100_000)]})
@example(status=FULL_STATUS | {"lastMissedTime": "9999-12-31T23:59:59Z", "lastSuccessTime": "9999-12-31T23:59:59Z"})
@example(status=FULL_STATUS | {"stats": {"success": 2**63 - 1, "totalExecutions": -5, "consecutiveFailures": 2**62}})
def test_any_status(status: Any) -> None:
    world = World(councilor=councilor_with(status=status))
    world.add_job("new", [ended_pod_body(report_message())], end="Complete", scheduled_at=NOW - timedelta(minutes=5))
    step = pass_over(world)
    # It works on as if the rubbish had never been written.
    assert step.reasons["Ready"] == ("True", "Reconciled")
    assert "new" in (step.report.status.counted_jobs or ())
    assert step.report.status.last_run is not None
    for time in (step.report.status.last_missed_time, step.report.status.last_success_time):
        assert time is None or time <= NOW + timedelta(days=1)


@pytest.mark.parametrize(
    "parts",
    [
        {"spec": nested(1000)},
        {"spec": FULL_SPEC | {"verdict": nested(1000)}},
        {"spec": FULL_SPEC | {"unheardOf": nested(1000)}},
        {"status": nested(1000)},
        {"status": {"lastRun": nested(1000), "conditions": nested(1000), "stats": nested(1000)}},
        {"status": {"unheardOf": nested(1000)}},
    ],
    ids=["spec", "a field", "an unknown field", "status", "fields of the status", "an unknown field of the status"],
)
def test_any_depth(parts: Body) -> None:
    pass_over(World(councilor=councilor_with(**parts)))


TOKEN = st.text(max_size=300) | ODD_TEXT | st.just("x" * 262_144)


@settings(deadline=None)
@given(token=TOKEN, instance=TOKEN)
def test_any_annotation(token: str, instance: str) -> None:
    world = World.of(annotations={ANNOTATION_RUN_NOW: token, ANNOTATION_INSTANCE: instance})
    observation = world.observation()
    assert len(observation.councilor.annotations) == 2
    pass_over(world)


# --- what stays of a status -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"stats": {"success": -1}}, {"stats.success"}),
        ({"stats": {"success": "many", "failed": 2**63}}, {"stats.success", "stats.failed"}),
        ({"stats": "many"}, {"stats"}),
        ({"lastRun": {"status": "unheard of"}}, {"lastRun"}),
        ({"lastRun": {"completedAt": "9999-12-31T23:59:59Z"}}, {"lastRun.completedAt"}),
        ({"lastMissedTime": "9999-12-31T23:59:59Z"}, {"lastMissedTime"}),
        ({"lastMissedTime": "yesterday"}, {"lastMissedTime"}),
        ({"phase": "Confused"}, {"phase"}),
        ({"countedJobs": ["a", 5, "b"]}, {"countedJobs.1"}),
        ({"observedGeneration": "x"}, {"observedGeneration"}),
        ({"lastRunNow": {"at": "x"}}, {"lastRunNow"}),
        ({"unheardOf": {"a": 1}}, set()),
    ],
)
def test_what_is_beside_rubbish_stays(change: Body, lost: set[str]) -> None:
    before = read_status(FULL_STATUS, latest=NOW)
    found = read_status(factories.merged(FULL_STATUS, change), latest=NOW)
    flat, kept = flattened(before), flattened(found)
    defaults = flattened(CouncilorStatus.model_validate({"stats": {}}))
    gone = {name for name, value in flat.items() if kept.get(name, defaults.get(name)) != value}
    assert all(any(name == field or name.startswith(f"{field}.") for field in lost) for name in gone), gone
    if "countedJobs.1" in lost:
        assert found.counted_jobs == ("a", "b")


def flattened(status: CouncilorStatus) -> dict[str, Any]:
    found = document(status)
    found.pop("countedJobs", None)
    return {".".join(map(str, path)): _at(found, path) for path in paths(found) if not _is_node(_at(found, path))}


def _at(node: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


def _is_node(value: Any) -> bool:
    return isinstance(value, dict | list)


def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    at = factories.rfc3339(NOW + timedelta(hours=2))
    status = FULL_STATUS | {"lastSuccessTime": at}
    world = World(councilor=councilor_with(status=status))
    world.step()
    assert world.councilor["status"]["lastSuccessTime"] == at


# --- objects of Kubernetes --------------------------------------------------------------------------------------------


def without(body: Body, dropped: list[tuple[str | int, ...]], null: bool) -> Body:
    """A copy without these optional fields, or with null in their place."""
    result = copy.deepcopy(body)
    for path in dropped:
        node: Any = result
        for key in path[:-1]:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict):
            if null:
                node[path[-1]] = None
            else:
                node.pop(path[-1], None)
    return result


REQUIRED = {
    ("metadata",),
    *(("metadata", key) for key in ("name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp")),
}


def optional(body: Body) -> list[tuple[str | int, ...]]:
    return [path for path in paths(body) if path not in REQUIRED and all(isinstance(key, str) for key in path)]


CRON_JOB = World.settled().cron_job or {}
JOB = factories.job_body(end="Failed", reason="BackoffLimitExceeded", message="m")
POD = ended_pod_body("{}", conditions=[{"type": "PodScheduled", "status": "False", "message": "m"}])


@given(data=st.data(), null=st.booleans())
def test_objects_of_kubernetes_may_lack_what_is_optional(data: st.DataObject, null: bool) -> None:
    for body, kind in (
        (factories.councilor_body(annotations={"a": "b"}, status={}), ObservedCouncilor),
        (CRON_JOB, ObservedCronJob),
        (JOB, ObservedJob),
        (POD, ObservedPod),
    ):
        dropped = data.draw(st.lists(st.sampled_from(optional(body)), max_size=4))
        kind.from_object(without(body, dropped, null))


@settings(deadline=None)
@given(
    text=st.text(max_size=40) | ODD_TEXT,
    message=st.text(max_size=80)
    | ODD_TEXT
    | JSON.map(lambda value: json.dumps(value)[:4096])
    | mutations(json.loads(report_message(notified=[{"channel": "c", "delivered": True}]))).map(json.dumps),
    exit_code=st.integers(-1, 256),
    succeeded=st.booleans(),
)
@example(text="", message=report_message(durationMs=10**30), exit_code=0, succeeded=True)
@example(text="", message=report_message(durationMs=-1), exit_code=0, succeeded=True)
@example(text="", message=report_message(exitCode=2**70), exit_code=0, succeeded=True)
def test_any_job_and_pod(text: str, message: str, exit_code: int, succeeded: bool) -> None:
    world = World.settled()
    end = "Complete" if succeeded else "Failed"
    world.add_job("j", [ended_pod_body(message, exit_code=exit_code)], end=end, reason=text, message=text)
    world.jobs["j"]["metadata"]["annotations"][ANNOTATION_SCHEDULED_AT] = text
    waiting = {"reason": text, "message": text}
    condition = {"type": "PodScheduled", "status": "False", "message": text}
    world.add_job("k", [pod_body(waiting=waiting, conditions=[condition])], scheduled_at=NOW - timedelta(minutes=9))
    world.now = NOW + timedelta(seconds=1)
    pass_over(world)


def test_the_schema_check_of_this_module_can_fail() -> None:
    good = json.loads(json.dumps(FULL_STATUS))
    assert list(complaints(good, SCHEMA["status"])) == []
    assert list(complaints(good | {"phase": "x"}, SCHEMA["status"]))
    assert list(complaints(good | {"lastSuccessTime": "x"}, SCHEMA["status"]))
    assert list(complaints(good | {"stats": {"success": -1}}, SCHEMA["status"]))
    assert list(complaints(good | {"countedJobs": [1]}, SCHEMA["status"]))
