"""The runner as a process against the stub Conductor and a real MongoDB: how runs end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer, StubConductor
from tests.mongodb import Mongod
from tests.ports import free_port
from tests.runner import RunnerProcess, RunnerSetup
from tests.runner.process import assert_end, job_name, wait_for

Documents = Database[dict[str, Any]]


@pytest.fixture
def setup(stub_conductor: StubConductor, mongod: Mongod, tmp_path: Path) -> RunnerSetup:
    stub_conductor.add_agent("A_Agent")
    return RunnerSetup(tmp_path, stub_conductor.conductor_url, stub_conductor.gateway_url, mongod.uri)


def ended(pod: RunnerProcess, code: ExitCode, reason: Reason, **report: object) -> None:
    """Assert how a Pod ended, and that it said so in its log, too."""
    assert_end(pod, code, reason, **report)
    assert pod.output == ""
    assert pod.lines


@pytest.mark.parametrize(
    ("result", "severity", "summary"),
    [
        ("42 dependencies\nread.\n\nSEVERITY: success", "success", "42 dependencies read."),
        (
            "42 dependencies read; 1 has no licence file.\n\n**Severidade:** atenção",
            "warning",
            "42 dependencies read; 1 has no licence file.",
        ),
        ("An AGPL library is shipped.\n\nSEVERITY: error", "error", "An AGPL library is shipped."),
        ("42 lidas, 0 falhas.", "success", "42 lidas, 0 falhas."),
        ("SEVERITY: success", "success", None),
    ],
)
def test_a_completed_run(
    setup: RunnerSetup,
    stub_conductor: StubConductor,
    conductor_database: Documents,
    result: str,
    severity: str,
    summary: str | None,
) -> None:
    stub_conductor.script("A_Agent", Answer(result=result, pending=0.2, delay=0.3))
    pod = setup.run()
    ended(
        pod, ExitCode.COMPLETED, Reason.COMPLETED, severity=severity, status="completed", recorded=True, dispatched=True
    )
    assert pod.report.summary == summary
    assert [(result.channel, result.delivered) for result in pod.report.notified] == [("panel", True)]

    record = conductor_database.councilor_executions.find_one({"execution_id": pod.report.execution_id})
    assert record is not None
    scheduled = datetime.fromtimestamp(int(setup.job.rsplit("-", 1)[1]) * 60, tz=UTC).replace(tzinfo=None)
    expected = {
        "_id": ObjectId(setup.task_id),
        "execution_id": f"exec_A_Agent_{int(scheduled.replace(tzinfo=UTC).timestamp())}_{setup.task_id[:8]}",
        "councilor_id": "A_Agent",
        "agent_id": "A_Agent",
        "namespace": "team-a",
        "councilor": "licences",
        "task_id": setup.task_id,
        "job": setup.job,
        "trigger": "scheduled",
        "scheduled_at": scheduled,
        "status": "completed",
        "severity": severity,
        "output": result,
        "error": None,
        "exit_code": 0,
        "reason": "Completed",
        "output_truncated": False,
        "attempts": 1,
    }
    assert {key: record[key] for key in expected} == expected
    assert set(record) - set(expected) == {"started_at", "completed_at", "created_at", "duration_ms"}
    assert record["completed_at"] - record["started_at"] == timedelta(milliseconds=record["duration_ms"])
    assert record["duration_ms"] == pod.report.duration_ms > 0
    task = conductor_database.tasks.find_one({"_id": ObjectId(setup.task_id)})
    assert task is not None
    assert task["severity"] == severity
    agent = conductor_database.agents.find_one({"agent_id": "A_Agent"})
    assert agent is not None
    assert agent["stats"] == {
        "total_executions": 1,
        "success_rate": 100.0 if severity == "success" else 0.0,
        "last_execution": record["completed_at"],
    }


def test_the_request(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.document["execution"] |= {"provider": "gemini", "contextMode": "stateful"}
    setup.document["endpoints"]["headers"] = {"X-Team": "a"}
    setup.run(CONDUCTOR_TOKEN="tok-3n\n")
    (request,) = stub_conductor.requests.of("submit")
    assert request.path == "/agents/A_Agent/execute"
    assert request.headers["authorization"] == "Bearer tok-3n"
    assert request.headers["x-team"] == "a"
    body = dict(request.json)
    assert body.pop("user_input").startswith("List dependencies without a known licence.\n\nOutput format: ")
    assert body == {
        "task_id": setup.task_id,
        "cwd": "/srv/project",
        "timeout": 30,
        "provider": "gemini",
        "instance_id": f"councilor_A_Agent_{int(setup.job.rsplit('-', 1)[1]) * 60_000}",
        "context_mode": "stateful",
        "wait_for_result": False,
        "is_councilor_execution": True,
        "councilor_config": {"title": "Licence counsel", "namespace": "team-a", "councilor": "licences"},
    }


def test_the_event_carries_the_verdict(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.script("A_Agent", Answer(result="One is old.\nSEVERITY: warning"))
    setup.document["notifications"] = {"channels": ["panel", "toast"]}
    pod = setup.run()
    own = [r for r in stub_conductor.requests.of("event") if r.json["data"].get("severity")]
    assert [(event.json["type"], event.status) for event in own] == [("task_completed", 200)]
    assert own[0].json["data"]["result_summary"] == "WARNING: One is old."
    assert [(result.channel, result.delivered) for result in pod.report.notified] == [
        ("panel", True),
        ("toast", True),
    ]


def test_nobody_hears_of_what_nobody_wants_to_hear(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.document["notifications"] = {"onSuccess": False}
    pod = setup.run()
    assert pod.report.notified == ()
    assert not [r for r in stub_conductor.requests.of("event") if r.json["data"].get("severity")]


def test_a_failed_delivery_fails_no_run(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.faults.next("event", status=503, times=10)
    pod = setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED)
    assert [(result.delivered, result.reason) for result in pod.report.notified] == [
        (False, "the gateway answered 503")
    ]


def test_the_first_success_after_a_failure_is_told(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    success = Answer(result="SEVERITY: success")
    stub_conductor.script("A_Agent", Answer(exit_code=3), success, success)
    setup.document["notifications"] = {"onSuccess": False}
    now = datetime.now(UTC)
    notified = []
    for minutes in (3, 2, 1):
        setup.job = job_name("licences", now - timedelta(minutes=minutes))
        notified.append(len(setup.run().report.notified))
    assert notified == [1, 1, 0]


def test_a_failed_agent(setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents) -> None:
    stub_conductor.script("A_Agent", Answer(result="Stopped half way. All green.", exit_code=3, stderr="no lockfile"))
    pod = setup.run()
    ended(
        pod,
        ExitCode.AGENT_FAILED,
        Reason.AGENT_FAILED,
        severity="error",
        status="error",
        agent_exit_code=3,
        recorded=True,
    )
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["severity"], record["exit_code"]) == ("error", "error", 3)
    assert record["error"] == "the agent's command ended with exit code 3"
    assert record["output"].startswith("Stopped half way.")


@pytest.mark.parametrize("gateway", [True, False])
def test_completed_with_an_exit_code_is_a_failure(
    setup: RunnerSetup, stub_conductor: StubConductor, gateway: bool
) -> None:
    # The gateway's view of the task leaves out the exit code.
    stub_conductor.script("A_Agent", Answer(result="SEVERITY: success", exit_code=2, status="completed"))
    if gateway:
        setup.mongodb_uri = None
    else:
        setup.document["endpoints"]["gatewayUrl"] = None
    ended(setup.run(), ExitCode.AGENT_FAILED, Reason.AGENT_FAILED, agent_exit_code=2, severity="error")


@pytest.mark.parametrize(
    ("answer", "reason", "code"),
    [
        (Answer(result=None), Reason.COMPLETED, ExitCode.COMPLETED),
        (Answer(result=""), Reason.COMPLETED, ExitCode.COMPLETED),
        (Answer(result={"result": "nested"}), Reason.COMPLETED, ExitCode.COMPLETED),
        (Answer(result="x", exit_code=None), Reason.COMPLETED, ExitCode.COMPLETED),
        (Answer(result="x", exit_code=0, status="error"), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
    ],
)
def test_odd_results(
    setup: RunnerSetup, stub_conductor: StubConductor, answer: Answer, reason: Reason, code: ExitCode
) -> None:
    stub_conductor.script("A_Agent", answer)
    ended(setup.run(), code, reason, recorded=True)


def test_a_huge_answer_is_cut_in_the_record(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.script("A_Agent", Answer(result_bytes=15_000_000))
    pod = setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED)
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert record["output_truncated"] is True
    assert len(record["output"].encode()) <= 1024 * 1024
    assert record["output"].endswith("[cut: only the first MiB of the answer is kept here]")
    assert len(pod.message) <= 4096


def test_text_that_looks_like_a_database_expression(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.script("A_Agent", Answer(result="$missing"))
    setup.run()
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert record["output"] == "$missing"


def test_an_unknown_agent(setup: RunnerSetup, conductor_database: Documents) -> None:
    setup.document["agent"]["id"] = "Nobody_Agent"
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.AGENT_UNKNOWN, severity="error", recorded=True, dispatched=False)
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["reason"]) == ("error", "AgentUnknown")


def test_a_refused_request(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.faults.next("submit", status=422)
    ended(setup.run(), ExitCode.CONFIGURATION, Reason.REQUEST_REFUSED, dispatched=False, recorded=True)
    assert len(stub_conductor.requests.of("submit")) == 1


def test_refused_credentials(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.settings.required_headers = {"authorization": "Bearer right"}
    pod = setup.run(CONDUCTOR_TOKEN="wr0ng-t0ken")
    ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, dispatched=False)
    assert "wr0ng-t0ken" not in pod.log + pod.message.decode()


def test_a_working_directory_that_does_not_exist(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.settings.missing_directories = frozenset({"/srv/project"})
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.WORKING_DIRECTORY_MISSING, recorded=True, agent_exit_code=1)


@pytest.mark.parametrize(
    ("part", "values", "reason"),
    [
        ("execution", {"cwd": " "}, Reason.WORKING_DIRECTORY_MISSING),
        ("task", {"prompt": None}, Reason.PROMPT_MISSING),
        ("task", {"prompt": " \n"}, Reason.PROMPT_MISSING),
    ],
)
def test_what_is_missing_is_said_and_recorded(
    setup: RunnerSetup, stub_conductor: StubConductor, part: str, values: dict[str, Any], reason: Reason
) -> None:
    setup.document[part] |= values
    ended(setup.run(), ExitCode.CONFIGURATION, reason, recorded=True, dispatched=False)
    assert not stub_conductor.requests.of("submit")


def test_a_prompt_from_a_config_map(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.document["task"]["prompt"] = None
    ended(setup.run(COUNCILOR_PROMPT="From {{the}} map."), ExitCode.COMPLETED, Reason.COMPLETED)
    assert stub_conductor.requests.of("submit")[0].json["user_input"].startswith("From {{the}} map.\n\n")


def test_an_invalid_contract_names_the_field(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.document["execution"]["timeoutSeconds"] = "soon"
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.INVALID_CONTRACT)
    assert "execution.timeoutSeconds" in (pod.report.message or "")
    assert not list(stub_conductor.requests)


def test_conductor_unreachable(setup: RunnerSetup, conductor_database: Documents) -> None:
    setup.document["endpoints"]["conductorUrl"] = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    pod = setup.run()
    ended(pod, ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE, dispatched=False, recorded=False)
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["reason"]) == ("running", "ConductorUnreachable")


def test_mongodb_unreachable_sends_nothing(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = f"mongodb://root:hunter2@127.0.0.1:{free_port('127.0.0.1')}/"
    pod = setup.run()
    ended(pod, ExitCode.TEMPORARY, Reason.DATABASE_UNREACHABLE, dispatched=False, recorded=False)
    assert not list(stub_conductor.requests)
    assert "hunter2" not in pod.log + pod.message.decode()


@pytest.mark.parametrize("uri", ["mysql://root:hunter2@db/", "mongodb://root:hun:ter2@db/", "mongodb://db:port/"])
def test_an_unusable_connection_string(setup: RunnerSetup, stub_conductor: StubConductor, uri: str) -> None:
    setup.mongodb_uri = uri
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.DATABASE_REFUSED, dispatched=False)
    assert not list(stub_conductor.requests)
    assert "ter2" not in pod.log + pod.message.decode()


def test_a_run_that_starts_too_late_is_skipped(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    setup.document["execution"]["startingDeadlineSeconds"] = 600
    pod = setup.run()
    ended(
        pod,
        ExitCode.COMPLETED,
        Reason.STARTED_TOO_LATE,
        status="skipped",
        severity=None,
        dispatched=False,
        recorded=True,
    )
    assert not list(stub_conductor.requests)
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["severity"], record["output"]) == ("skipped", None, None)
    agent = conductor_database.agents.find_one({"agent_id": "A_Agent"})
    assert agent is not None
    assert "stats" not in agent
    assert setup.run().report.status == "skipped"


@pytest.mark.parametrize(("job", "seconds"), [("licences-now", 60), (None, 86_400)])
def test_what_is_not_too_late(setup: RunnerSetup, job: str | None, seconds: int) -> None:
    setup.job = job or job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    setup.document["execution"]["startingDeadlineSeconds"] = seconds
    ended(setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, status="completed")


def test_the_time_limit(setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents) -> None:
    stub_conductor.script("A_Agent", Answer(ends="never"))
    setup.document["execution"]["timeoutSeconds"] = 2
    pod = setup.run()
    ended(pod, ExitCode.AGENT_TIMED_OUT, Reason.AGENT_TIMED_OUT, severity="error", recorded=True, dispatched=True)
    assert "may still finish" in (pod.report.message or "")
    task = conductor_database.tasks.find_one({"_id": ObjectId(setup.task_id)})
    assert task is not None
    assert task["severity"] == "error"


def test_a_task_that_vanishes(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.script("A_Agent", Answer(ends="vanishes"))
    ended(setup.run(), ExitCode.AGENT_FAILED, Reason.TASK_VANISHED, recorded=True)


def test_without_gateway(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.document["endpoints"]["gatewayUrl"] = None
    pod = setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
    assert stub_conductor.requests.of("submit")[0].json["wait_for_result"] is False
    assert [result.delivered for result in pod.report.notified] == [False]


def test_without_mongodb(setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents) -> None:
    setup.mongodb_uri = None
    stub_conductor.script("A_Agent", Answer(result="SEVERITY: warning", delay=0.3))
    pod = setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=False)
    assert stub_conductor.requests.of("details")
    assert conductor_database.councilor_executions.count_documents({}) == 0


def test_without_both_the_call_waits(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = None
    setup.document["endpoints"]["gatewayUrl"] = None
    stub_conductor.script("A_Agent", Answer(result="SEVERITY: warning", delay=0.3))
    ended(setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=False)
    assert stub_conductor.requests.of("submit")[0].json["wait_for_result"] is True


def test_without_both_the_time_limit_holds(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = None
    setup.document["endpoints"]["gatewayUrl"] = None
    setup.document["execution"]["timeoutSeconds"] = 2
    stub_conductor.script("A_Agent", Answer(ends="never"))
    ended(setup.run(), ExitCode.AGENT_TIMED_OUT, Reason.AGENT_TIMED_OUT, dispatched=True)


def test_a_gateway_that_is_away_is_replaced_by_mongodb(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.refuse("gateway")
    pod = setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
    assert [result.delivered for result in pod.report.notified] == [False]


def test_the_seed_protocol(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    stub_conductor.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    stub_conductor.script("A_Agent", Answer(result="SEVERITY: warning"))
    ended(setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=True)
    assert stub_conductor.requests.of("legacy")[0].json["cwd"] == "/srv/project"


def test_the_seed_protocol_needs_a_record(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    """Without one a Pod that replaces another would start the agent a second time."""
    stub_conductor.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    setup.mongodb_uri = None
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.REQUEST_REFUSED, dispatched=False)
    assert "MONGODB_URI" in (pod.report.message or "")
    assert not stub_conductor.requests.of("legacy")


def test_the_seed_protocol_at_a_current_conductor(setup: RunnerSetup) -> None:
    setup.document["endpoints"]["protocol"] = "seed"
    ended(setup.run(), ExitCode.CONFIGURATION, Reason.REQUEST_REFUSED)


def test_both_shapes_of_mongodb(any_mongod: Mongod, tmp_path: Path) -> None:
    with StubConductor(any_mongod.uri) as stub:
        stub.add_agent("A_Agent")
        setup = RunnerSetup(tmp_path, stub.conductor_url, stub.gateway_url, any_mongod.uri)
        ended(setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
        ended(setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
        assert stub.executions == {setup.task_id: 1}


def test_no_secret_in_logs_and_message(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    secrets = ("s3cr3t-pr0mpt", "s3cr3t-t0ken", "s3cr3t-r3sult", "s3cr3t-h3ader")
    setup.document["task"]["prompt"] = f"Use {secrets[0]}."
    setup.document["endpoints"]["headers"] = {"X-Key": secrets[3]}
    stub_conductor.script("A_Agent", Answer(result="x" * 400 + secrets[2], delay=0.2))
    stub_conductor.faults.next("submit", status=502)
    stub_conductor.faults.next("details", status=500, times=2)
    pod = setup.run(CONDUCTOR_TOKEN=secrets[1])
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED)
    assert setup.mongodb_uri is not None
    for secret in (*secrets, setup.mongodb_uri, stub_conductor.conductor_url):
        assert secret not in pod.log
        assert secret.encode() not in pod.message
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert secrets[2] in record["output"], "the answer itself has its place in the record"
    wait_for(lambda: stub_conductor.requests.of("event"))


def loaded(pod: RunnerProcess) -> set[str]:
    """Return the modules that a Pod loaded, of one that was asked to list them."""
    assert pod.exit_code == ExitCode.COMPLETED
    return {line.rsplit("|", 1)[1].strip() for line in pod.log.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("mongodb", [True, False])
@pytest.mark.parametrize("marker", [True, False])
def test_it_loads_what_it_needs(setup: RunnerSetup, stub_conductor: StubConductor, mongodb: bool, marker: bool) -> None:
    stub_conductor.script("A_Agent", Answer(result="SEVERITY: success" if marker else "Nothing to report."))
    setup.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    if not mongodb:
        setup.mongodb_uri = None
    modules = loaded(setup.run())
    assert {"councilor_runner.session", "httpx", "pydantic"} <= modules
    for needed, names in (
        (mongodb, {"pymongo", "bson", "councilor_runner.store"}),
        (not marker, {"councilor_runner.verdict.keywords"}),
        (False, {"kopf", "kubernetes", "aiohttp", "croniter", "apprise", "yaml", "councilor_operator"}),
        (False, {"councilor_runner.reporting", "sqlite3", "unittest", "multiprocessing", "xml"}),
    ):
        assert modules & names == (names if needed else set())
