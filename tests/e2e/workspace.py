"""A namespace of one test, and the verbs of a person with kubectl."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from councilor_operator.constants import API_VERSION, KIND
from councilor_runner import contract
from hack.demo import manifests
from hack.demo.manifests import LABEL_INSTANCE, RUNNER_SECRET
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.mongodb import Mongod

Object = dict[str, Any]
Found = TypeVar("Found")

NEVER: Final = {"type": "cron", "value": "0 3 29 2 *"}
"""A schedule that no test lives to see."""
SECONDS: Final = 90.0
_PAUSE: Final = 0.3

_numbers = itertools.count(1)


def eventually(
    check: Callable[[], Found | None], what: str, *, seconds: float = SECONDS, state: Callable[[], object] | None = None
) -> Found:
    """The first answer of `check` that is neither None nor False.

    Raises AssertionError that says `what` did not happen, and what `state` shows instead.
    """
    deadline = time.monotonic() + seconds
    while True:
        if (found := check()) is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            instead = f"; instead: {state()}" if state is not None else ""
            raise AssertionError(f"not within {seconds:.0f} s: {what}{instead}")
        time.sleep(_PAUSE)


class Workspace:
    """A namespace that admits restricted Pods only and holds the runner's Secret."""

    def __init__(self, environment: Environment, name: str) -> None:
        self.environment = environment
        self.namespace = f"e2e-{name}"
        self._cluster = environment.cluster
        self._cluster.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {
                        "name": self.namespace,
                        "labels": {
                            LABEL_INSTANCE: environment.installation.scope.instance,
                            "pod-security.kubernetes.io/enforce": "restricted",
                        },
                    },
                }
            ]
        )
        self.use_database(environment.mongod.uri)

    def use_database(self, uri: str) -> None:
        """Lets the runs that start from now on record in another MongoDB."""
        secret = manifests.runner_secret(self.environment.installation)
        encoded = base64.b64encode(uri.encode()).decode()
        metadata = {"name": RUNNER_SECRET, "namespace": self.namespace}
        self._cluster.apply([{**secret, "metadata": metadata, "stringData": {}, "data": {"MONGODB_URI": encoded}}])

    @contextmanager
    def database_away(self) -> Iterator[Mongod]:
        """Gives the runs a MongoDB of their own that is down; `restart` it to bring it back."""
        with Mongod("replica-set", bind_ip=self.environment.mongod.bind_ip) as own:
            self.use_database(own.uri)
            own.shutdown()
            yield own

    def close(self) -> None:
        """Deletes the namespace; its Pods end in the background."""
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in this namespace; its output. Raises CommandError with what it said."""
        return self._cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    # --- Agents and Councilors ------------------------------------------------------------------------------------

    def agent(self, name: str, *answers: Answer) -> str:
        """Makes an agent that Conductor knows; its id, which no other test uses."""
        agent_id = f"{name}{next(_numbers)}_Agent"
        self.environment.conductor.add_agent(agent_id)
        if answers:
            self.environment.conductor.script(agent_id, *answers)
        return agent_id

    def create(self, name: str, agent_id: str, **spec: Any) -> None:
        """Creates a Councilor: never due, one attempt, unless `spec` (camelCase, whole sections) says otherwise."""
        document = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name},
            "spec": {
                "agentId": agent_id,
                "schedule": NEVER,
                "task": {"prompt": "Is everything in order?"},
                "execution": {"cwd": "/srv/project", "timeoutSeconds": 60, "retries": 0},
                **spec,
            },
        }
        self.kubectl("create", "-f", "-", stdin=json.dumps(document))

    def patch(self, name: str, spec: Object) -> None:
        """Changes some fields of a Councilor's spec."""
        self.kubectl("patch", "councilor", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def councilor(self, name: str) -> Object:
        found: Object = json.loads(self.kubectl("get", "councilor", name, "-o", "json"))
        return found

    def status(self, name: str) -> Object:
        return dict(self.councilor(name).get("status", {}))

    def condition(self, name: str, kind: str) -> Object | None:
        """A condition that is about the present spec."""
        councilor = self.councilor(name)
        for condition in councilor.get("status", {}).get("conditions", []):
            if condition["type"] == kind and condition["observedGeneration"] == councilor["metadata"]["generation"]:
                return dict(condition)
        return None

    def await_condition(self, name: str, kind: str, status: str) -> Object:
        """Waits until a condition has a status for the present spec; the condition."""

        def reached() -> Object | None:
            condition = self.condition(name, kind)
            return condition if condition is not None and condition["status"] == status else None

        return eventually(reached, f"{name}: {kind}={status}", state=lambda: self.status(name))

    def await_phase(self, name: str, phase: str) -> Object:
        """Waits for a phase; the status."""
        return self._await_status(name, f"phase {phase}", lambda status: status.get("phase") == phase, SECONDS)

    def await_runs(self, name: str, total: int, *, seconds: float = SECONDS) -> Object:
        """Waits until at least so many runs have been counted and none is active; the status."""

        def counted(status: Object) -> bool:
            return int((status.get("stats") or {}).get("totalExecutions", 0)) >= total and not status.get("active")

        return self._await_status(name, f"{total} runs have ended", counted, seconds)

    def _await_status(self, name: str, what: str, holds: Callable[[Object], bool], seconds: float) -> Object:
        def reached() -> Object | None:
            status = self.status(name)
            return status if holds(status) else None

        return eventually(reached, f"{name}: {what}", seconds=seconds, state=lambda: self.status(name))

    # --- Runs -----------------------------------------------------------------------------------------------------

    def run_by_hand(self, name: str, job: str) -> str:
        """Starts a run as a person does, as soon as the CronJob is there; the run's task id."""
        self.await_condition(name, "Ready", "True")
        cron_job = self.status(name)["cronJobName"]
        self.kubectl("create", "job", job, f"--from=cronjob/{cron_job}")
        return self.task_id(name, self.job(job))

    def task_id(self, name: str, job: Object) -> str:
        """Under which id Conductor and MongoDB know the run of a Job."""
        uid, job_name, status = self.councilor(name)["metadata"]["uid"], job["metadata"]["name"], self.status(name)
        is_scheduled = contract.scheduled_time(job_name, status["cronJobName"]) is not None
        return contract.task_id(uid, job_name, None if is_scheduled else job["metadata"]["uid"])

    def job(self, name: str) -> Object:
        found: Object = json.loads(self.kubectl("get", "job", name, "-o", "json"))
        return found

    def items(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind in this namespace."""
        found: list[Object] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return found

    def await_pod(self, job: str, phase: str) -> Object:
        """Waits until a Pod of a Job is in a phase; the Pod."""

        def reached() -> Object | None:
            pods = self.items("pods", f"batch.kubernetes.io/job-name={job}")
            return next((pod for pod in pods if pod["status"].get("phase") == phase), None)

        return eventually(reached, f"a Pod of Job {job} is {phase}", state=lambda: self.items("pods"))

    def record(self, task_id: str) -> Object | None:
        """The record of a run in MongoDB."""
        return self.environment.database.councilor_executions.find_one({"task_id": task_id})

    def submissions(self, task_id: str) -> list[Object]:
        """What Conductor was asked to run under a task id, once for each request that reached it."""
        requests = self.environment.conductor.requests.of("submit")
        return [request.json for request in requests if request.json["task_id"] == task_id]

    def executions(self, task_id: str) -> int:
        """How often the agent really ran."""
        return self.environment.conductor.executions.get(task_id, 0)
