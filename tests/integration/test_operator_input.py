"""Bad input against a real API server: refused at the door with the field named, or one clear condition; never a fault,
an endless retry, or harm to the Councilors beside it.

The second half takes the door away: a CRD without a schema, as an older version would have had, lets everything
through to the operator.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from councilor_operator.api.crd import custom_resource_definition
from tests.controlplane import pods
from tests.controlplane.api import COUNCILORS, CRON_JOBS, EVENTS, MERGE_PATCH, Api, Object, eventually
from tests.controlplane.councilor import Councilor
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.integration import bad_councilors as bad
from tests.integration.bad_councilors import BASE, DEEP_LIST, DEEP_OBJECT, Bad
from tests.ports import free_port

JSON_BODY = {"Content-Type": "application/json"}
RUN_NOW = "conductor.community/run-now"


@dataclass
class Council:
    """An operator with its API server, and a namespace with good Councilors beside which the bad ones are made."""

    api: Api
    plane: ControlPlane
    operator: OperatorProcess
    metrics: str
    namespace: str
    edited: set[str] = field(default_factory=set)
    _made: int = 0
    _edits: int = 0

    def path(self, name: str = "", *, subresource: str = "") -> str:
        parts = [part for part in (name, subresource) if part]
        return "/".join([f"/{COUNCILORS[0]}/namespaces/{self.namespace}/councilors", *parts])

    def send(self, method: str, path: str, text: str, **headers: str) -> httpx.Response:
        return self.api.request(method, path, content=text.encode(), headers=headers or JSON_BODY)

    def name(self) -> str:
        self._made += 1
        return f"c{self._made}"

    def condition(self, name: str, kind: str = "Ready") -> Object | None:
        """Return a condition for the newest generation, None while there is none."""
        body = self.api.get(COUNCILORS, self.namespace, name)
        assert body is not None
        status = body.get("status")
        conditions = status.get("conditions") if isinstance(status, dict) else None
        for entry in conditions if isinstance(conditions, list) else ():
            fresh = isinstance(entry, dict) and entry.get("observedGeneration") == body["metadata"]["generation"]
            if fresh and entry.get("type") == kind:
                found: Object = entry
                return found
        return None

    def settled(self, name: str) -> Object:
        """Wait for the condition Ready."""
        return eventually(lambda: self.condition(name), f"Councilor {name} has no condition Ready")

    def neighbours_converge(self) -> None:
        """Edit every good Councilor and wait until its CronJob follows."""
        # Of its own for each time, however little was made in between: an edit that changes nothing proves nothing.
        self._edits += 1
        minute = self._edits % 60
        for number in range(3):
            name = f"good-{number}"
            change = {"spec": {"schedule": {"value": f"{minute} {number} 1 1 *"}}}
            self.api.patch(COUNCILORS, self.namespace, name, change)
            eventually(
                lambda name=name, number=number: (  # type: ignore[misc]
                    (self.api.get(CRON_JOBS, self.namespace, name) or {}).get("spec", {}).get("schedule")
                    == f"{minute} {number} 1 1 *"
                ),
                f"{name} follows its spec",
            )
            ready = self.settled(name)
            assert ready["status"] == "True", ready

    def passes(self, result: str) -> float:
        text = httpx.get(self.metrics, timeout=5).text
        found = re.search(rf'^councilor_operator_reconciles_total{{result="{result}"}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def rests(self) -> None:
        """Nothing is written again and again: while others converge, what is bad stays as it is."""
        before = self.versions()
        mark = self.plane.audit_mark()
        retried = self.passes("retried")
        self.neighbours_converge()
        after = self.versions()
        assert {name: after[name] for name in before if "good" not in name} == {
            name: version for name, version in before.items() if "good" not in name
        }
        writes = [write for write in self.plane.operator_writes(self.namespace, since=mark) if "good-" not in write]
        assert writes == []
        assert self.passes("failed") == 0
        assert self.passes("retried") == retried
        # Who lost the condition in an edited status is told it again.
        lasting = {name for name in before if "good-" not in name} - self.edited
        events = Counter(
            (event["regarding"]["name"], event["reason"], event["note"])
            for event in self.api.list(EVENTS, self.namespace)
            if event["regarding"]["name"] in lasting
        )
        assert {event: count for event, count in events.items() if count > 1} == {}
        log = self.operator.log.read_text()
        assert "Traceback" not in log, log[-4000:]

    def versions(self) -> dict[str, str]:
        items = self.api.list(COUNCILORS, self.namespace)
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    def try_all(self, cases: Iterable[Bad], check: Callable[[Bad, str], str | None]) -> int:
        """Send all, then look at what became of those that were taken; returns how many were sent."""
        taken: list[tuple[Bad, str]] = []
        problems: list[str] = []
        sent = 0
        for case in cases:
            sent += 1
            name = self.name()
            response = self.send("POST", self.path(), case.body(name))
            if response.is_success:
                taken.append((case, name))
            elif response.status_code not in {400, 413, 422} or case.names not in response.json()["message"]:
                problems.append(f"{case.what}: {response.status_code} {response.text[:300]}")
        problems += [f"{case.what}: {said}" for case, name in taken if (said := check(case, name))]
        assert problems == [], "\n".join(problems)
        return sent

    def refused(self, case: Bad, name: str) -> str | None:
        """Say what is wrong about the condition of a bad Councilor that was taken."""
        ready = self.settled(name)
        body = self.api.get(COUNCILORS, self.namespace, name) or {}
        if ready["status"] != "False" or ready["reason"] not in {"InvalidSpec", "InvalidSchedule", "CronJobRefused"}:
            return f"is {ready}"
        # An object that lacks everything lacks this field first.
        if case.names not in ready["message"] and "spec.agentId: missing" not in ready["message"]:
            return f"does not name {case.names}: {ready['message']}"
        if not re.search(r"spec\.", ready["message"]) or len(ready["message"]) > 1024:
            return f"has an odd message: {ready['message']}"
        if body["status"]["phase"] != "Invalid":
            return f"has the phase {body['status']['phase']}"
        return None


def council_on(plane: ControlPlane, kubeconfig: Path, folder: Path, namespace: str) -> Iterator[Council]:
    api = Api(kubeconfig)
    port = free_port()
    process = OperatorProcess(
        kubeconfig, folder / "operator.log", health_port=free_port(), COUNCILOR_METRICS_PORT=str(port)
    )
    process.start()
    try:
        found = Council(api, plane, process, f"http://127.0.0.1:{port}/metrics", api.make_namespace(namespace))
        for number in range(3):
            found.send("POST", found.path(), Bad("", json.dumps(BASE), "").body(f"good-{number}"))
            assert found.settled(f"good-{number}")["status"] == "True"
        yield found
        found.rests()
    finally:
        process.stop()
        api.close()


@pytest.fixture(scope="module")
def council(
    control_plane: ControlPlane, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Council]:
    """With the CRD as it is."""
    yield from council_on(control_plane, kubeconfig, tmp_path_factory.mktemp("council"), "bad-input")


@pytest.fixture(scope="module")
def open_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Council]:
    """With a CRD that has no schema, on a control plane of its own."""
    folder = tmp_path_factory.mktemp("open-door")
    crd = custom_resource_definition()
    crd["spec"]["versions"][0]["schema"] = {
        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    }
    (folder / "crd.yaml").write_text(yaml.safe_dump(crd))
    plane = ControlPlane(folder / "state")
    levels = sys.getrecursionlimit()
    # The answers are as deep as the questions.
    sys.setrecursionlimit(20_000)
    try:
        kubeconfig = plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(folder / "crd.yaml"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield from council_on(plane, kubeconfig, folder, "open-door")
    finally:
        sys.setrecursionlimit(levels)
        plane.down()


FAMILIES: dict[str, tuple[Callable[[], Iterable[Bad]], int]] = {
    "wrong types": (bad.wrong_types, 300),
    "beyond bounds": (bad.beyond_bounds, 150),
    "missing": (bad.missing, 15),
    "schedules": (bad.schedules, 140),
    "refused CronJobs": (bad.refused_cron_jobs, 15),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_bad_specs(council: Council, family: str) -> None:
    make, least = FAMILIES[family]
    assert council.try_all(make(), council.refused) >= least
    council.rests()


@pytest.mark.parametrize("family", [*FAMILIES, "extra"])
def test_bad_specs_without_a_schema(open_door: Council, family: str) -> None:
    make, least = {**FAMILIES, "extra": (bad.extra, 30)}[family]
    assert open_door.try_all(make(), open_door.refused) >= least
    open_door.rests()


def test_unknown_fields_are_refused_as_kubectl_asks_for_it(council: Council) -> None:
    for case in bad.extra():
        response = council.send("POST", council.path() + "?fieldValidation=Strict", case.body(council.name()))
        assert response.status_code == 400, case.what
        assert "unknown field" in response.json()["message"], case.what


# --- names, annotations, texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a" * 52, True),
        ("a" * 53, True),
        ("b" * 63, True),
        ("c" * 253, True),
        ("d" * 49 + ".-x", False),
        ("e" * 50 + ".x.y", True),
        ("1", True),
        ("f" * 254, False),
        ("Upper", False),
        ("under_score", False),
        ("-dash", False),
        ("a/b", False),
        ("", False),
        ("\u202e", False),
        ("n\u0000l", False),
        ("..", False),
    ],
)
def test_names(council: Council, name: str, taken: bool) -> None:
    response = council.send("POST", council.path(), Bad("", json.dumps(BASE), "").body(name))
    assert response.is_success is taken, response.text
    if taken:
        assert council.settled(name)["status"] == "True"
        status = (council.api.get(COUNCILORS, council.namespace, name) or {})["status"]
        assert len(status["cronJobName"]) <= 52
        assert council.api.get(CRON_JOBS, council.namespace, status["cronJobName"]) is not None
    else:
        assert response.status_code in {400, 404, 405, 422}
        assert "name" in response.json()["message"]


TEXTS = {
    "right to left": "\u202e\u200f\u0627\u0644",
    "combining": "e\u0301" * 500,
    "emoji": "👩‍👩‍👧‍👦🧪",
    "a lone surrogate": "\ud800",
    "the other one": "x\udfff",
    "NUL": "a\u0000b",
    "controls": "".join(map(chr, range(1, 32))),
    "more controls": "\u007f\u0085\u009b31m",
    "separators": "\u2028\u2029\ufeff\ufffe\uffff",
    "expansion": "$(MONGODB_URI) $$(X) ${HOME} `id` %s {0}",
    "the longest": "x" * 10_000,
    "the longest of four bytes": "\U0001f9ea" * 10_000,
}


@pytest.mark.parametrize("what", TEXTS)
def test_any_text_is_a_prompt(council: Council, what: str) -> None:
    spec = BASE | {"task": {"prompt": TEXTS[what]}, "title": TEXTS[what][:200], "emoji": TEXTS[what][:16]}
    verdict = {"errorKeywords": ["(", "[a-z", "\\", ".*", "$", "^", "(?i)x", "a{99999}", TEXTS[what][:50]]}
    name = council.name()
    # JSON's escapes, as some programs write them: the API server reads half a surrogate pair as U+FFFD.
    response = council.send("POST", council.path(), Bad("", json.dumps(spec | {"verdict": verdict}), "").body(name))
    assert response.is_success, response.text
    assert council.settled(name)["status"] == "True"


def test_specs_too_large_for_the_runner_are_told_so(council: Council) -> None:
    files = {"contextFiles": ["\U0001f9ea" * 1024] * 50, "prompt": "x"}
    name = council.name()
    assert council.send("POST", council.path(), Bad("", json.dumps(BASE | {"task": files}), "").body(name)).is_success
    ready = council.settled(name)
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "spec.task.contextFiles" in ready["message"]


ANNOTATIONS: dict[str, dict[str, str]] = {
    "256 KiB": {RUN_NOW: "x" * (256 * 1024 - len(RUN_NOW))},
    "controls": {RUN_NOW: "\u0001\u001b[31m\u0000"},
    "right to left": {RUN_NOW: "\u202enow"},
    "blank": {RUN_NOW: " \n"},
    "an instance": {"conductor.community/instance-id": "\u0000\u202e" * 1000},
    "the operator's own": {"conductor.community/input-hash": "x", "conductor.community/agent-id": "y"},
}


@pytest.mark.parametrize("what", ANNOTATIONS)
def test_any_annotation(council: Council, what: str) -> None:
    name = council.name()
    paused = BASE | {"schedule": {"type": "cron", "value": "@yearly", "enabled": False}}
    body = json.loads(Bad("", json.dumps(paused), "").body(name))
    body["metadata"]["annotations"] = ANNOTATIONS[what]
    assert council.send("POST", council.path(), json.dumps(body)).is_success
    assert council.settled(name)["status"] == "True"
    token = ANNOTATIONS[what].get(RUN_NOW, "").strip()
    if token:
        handled = eventually(
            lambda: (council.api.get(COUNCILORS, council.namespace, name) or {})["status"].get("lastRunNow"),
            f"the token of {name} is handled",
        )
        assert handled["token"] == token[:256]


def test_annotations_beyond_256_kib_are_refused(council: Council) -> None:
    body = json.loads(Bad("", json.dumps(BASE), "").body(council.name()))
    body["metadata"]["annotations"] = {RUN_NOW: "x" * (256 * 1024)}
    response = council.send("POST", council.path(), json.dumps(body))
    assert response.status_code == 422
    assert "annotations" in response.json()["message"]


# --- the status, edited by hand ---------------------------------------------------------------------------------------

FAR = "9999-12-31T23:59:59Z"
RUN = {
    "executionId": "",
    "taskId": "",
    "jobName": "x" * 1000,
    "trigger": "manual",
    "status": "error",
    "result": "failed",
    "reason": "",
}
EDITED: dict[str, Object] = {
    "huge counters": {"stats": {"success": 2**63 - 1, "totalExecutions": 2**62, "missed": 2**53 + 1}},
    "contradicting counters": {"stats": {"success": 900, "totalExecutions": 1, "consecutiveFailures": 0}},
    "many counted Jobs": {"countedJobs": [f"00000000-0000-4000-8000-{number:012d}" for number in range(20_000)]},
    "odd counted Jobs": {"countedJobs": ["", "\u0000", "x" * 100_000]},
    "times to come": {"lastSuccessTime": FAR, "lastMissedTime": FAR, "lastRun": RUN | {"completedAt": FAR}},
    "times of old": {"lastSuccessTime": "0001-01-01T00:00:00Z", "lastMissedTime": "0001-01-01T00:00:00Z"},
    "unknown conditions": {
        "conditions": [
            {"type": kind, "status": "Unknown", "reason": "X", "message": "x" * 5000, "lastTransitionTime": FAR}
            for kind in ("Ready", "Sunny", "")
        ]
    },
    "another phase": {"phase": "Invalid", "observedGeneration": -5, "cronJobName": "x" * 999, "nextRunTimes": ["soon"]},
    "history": {"recentRuns": [{"jobName": "x", "result": "success", "completedAt": FAR}] * 10},
    "runs that are not": {"active": [{"executionId": "x", "jobName": "y", "startedAt": FAR}] * 50},
    "a token": {"lastRunNow": {"token": "x" * 256, "at": FAR, "message": "y" * 1024}},
}


def edit_status(council: Council, text: str) -> str:
    """Edit the status of a new Councilor, and wait until the operator has put it right; returns the name."""
    name = council.name()
    council.send("POST", council.path(), Bad("", json.dumps(BASE), "").body(name))
    council.settled(name)
    council.edited.add(name)
    before = council.api.get(COUNCILORS, council.namespace, name) or {}
    path = council.path(name, subresource="status")
    response = council.send("PATCH", path, f'{{"status":{text}}}', **MERGE_PATCH)
    assert response.is_success, response.text
    eventually(lambda: put_right(council, name, before["status"]), f"the status of {name} is put right")
    return name


def put_right(council: Council, name: str, before: Object) -> bool:
    """Tell whether a status is sane; of what it says about the past, anything sane will do."""
    status = (council.api.get(COUNCILORS, council.namespace, name) or {})["status"]
    if not isinstance(status, dict) or not isinstance(status.get("stats"), dict):
        return False
    present = ("phase", "observedGeneration", "cronJobName", "nextRunTimes", "active", "unheardOf")
    return (
        all(status.get(key) == before.get(key) for key in present)
        # UIDs of Jobs that are not there do no harm, and leave with the next run that is counted.
        and all(isinstance(uid, str) for uid in status.get("countedJobs", ()))
        and [entry["type"] for entry in status["conditions"]] == ["Ready", "Scheduled", "Healthy"]
        and all(0 <= value < 2**53 for value in status["stats"].values())
        and FAR not in json.dumps({**status, "lastRunNow": None})
    )


@pytest.mark.parametrize("what", EDITED)
def test_an_edited_status_is_put_right(council: Council, what: str) -> None:
    name = edit_status(council, json.dumps(EDITED[what]))
    # It still counts.
    councilor = Councilor(council.api, council.namespace, name)
    councilor.annotate(RUN_NOW, "now")
    councilor.wait_for_phase("Running")
    (job,) = councilor.jobs()
    pods.start(council.api, job)
    pods.finish(council.api, job, pods.report_of(job, councilor.get()))
    eventually(
        lambda: councilor.status.get("countedJobs") == [job["metadata"]["uid"]], f"the run of {name} alone is counted"
    )
    assert councilor.status["lastRun"]["jobName"] == job["metadata"]["name"]


REFUSED_EDITS: dict[str, Object] = {
    "stats.success": {"stats": {"success": -1}},
    "lastRun.status": {"lastRun": RUN | {"status": "unheard of"}},
    "phase": {"phase": "Confused"},
    "lastSuccessTime": {"lastSuccessTime": "yesterday"},
    "countedJobs": {"countedJobs": [1]},
    "recentRuns": {"recentRuns": [{"jobName": "x", "result": "success"}] * 11},
    "successRate": {"stats": {"successRate": 100.1}},
}


@pytest.mark.parametrize("named", REFUSED_EDITS)
def test_an_edit_of_the_status_that_says_nothing_is_refused(council: Council, named: str) -> None:
    path = council.path("good-0", subresource="status")
    response = council.send("PATCH", path, json.dumps({"status": REFUSED_EDITS[named]}), **MERGE_PATCH)
    assert response.status_code == 422
    assert named in response.json()["message"]


ODD_STATUSES = {
    **{what: json.dumps(status) for what, status in REFUSED_EDITS.items()},
    "depth": f'{{"stats":{DEEP_OBJECT},"conditions":{DEEP_LIST},"unheardOf":{DEEP_OBJECT}}}',
    "text": '"x"',
    "list": "[]",
    "wrong types": '{"stats":[],"conditions":{"a":1},"lastRun":"x","countedJobs":7,"active":{},"phase":[]}',
}


@pytest.mark.parametrize("what", ODD_STATUSES)
def test_any_status_without_a_schema(open_door: Council, what: str) -> None:
    name = edit_status(open_door, ODD_STATUSES[what])
    assert open_door.settled(name)["status"] == "True"
