"""Bad input against a real API server: refused at the door with the field named, or one clear condition; never a fault,
an endless retry, or harm to the Councilors beside it.

The second half takes the door away: a CRD without a schema, as an older version would have had, lets everything
through to the operator.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from councilor_operator.api.crd import custom_resource_definition
from tests.controlplane.api import COUNCILORS, CRON_JOBS, EVENTS, Api, Object, eventually
from tests.controlplane.fixtures import free_port
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.integration import bad_councilors as bad
from tests.integration.bad_councilors import BASE, Bad

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
    problems: list[str] = field(default_factory=list)
    _made: int = 0

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
        minute = self._made % 60
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
        self.neighbours_converge()
        self.neighbours_converge()
        after = self.versions()
        assert {name: after[name] for name in before if "good" not in name} == {
            name: version for name, version in before.items() if "good" not in name
        }
        writes = [write for write in self.plane.operator_writes(self.namespace, since=mark) if "good-" not in write]
        assert writes == []
        assert self.passes("failed") == 0
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
        events = [event for event in self.api.list(EVENTS, self.namespace) if event["regarding"]["name"] == name]
        return f"has the events {events}" if len(events) > 1 else None


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
