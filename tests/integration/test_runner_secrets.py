"""What must not come out: secrets, prompts, answers and addresses are planted and looked for wherever a run leaves
anything, for every way in which it can end.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from councilor_runner.contract import ExitCode
from tests.conductor import Answer
from tests.conductor.faults import Operation
from tests.ports import free_port
from tests.runner import RunnerProcess
from tests.runner.process import wait_for
from tests.runner.trials import Trial, side_by_side

USER, PASSWORD = "pl4nted-user", "pl4nted-password"
TOKEN, HEADER, PROXY = "pl4nted-token", "pl4nted-header", "pl4nted-proxy"
PROMPT, ANSWER, DETAIL = "pl4nted-prompt", "pl4nted-answer", "pl4nted-detail"
SECRETS = (USER, PASSWORD, TOKEN, HEADER, PROXY, PROMPT, ANSWER, DETAIL, "127.0.0.1")
AGENT = "A_Agent"
# Far enough into the answer to be in no summary.
TEXT = "One is old. " + "x" * 600 + f" {ANSWER}\nSEVERITY: warning"

Start = Callable[[Trial], RunnerProcess]


def started(trial: Trial) -> RunnerProcess:
    return trial.setup.start()


def agent_fails(trial: Trial) -> RunnerProcess:
    trial.stub.script(AGENT, Answer(result=TEXT, exit_code=3, stderr=DETAIL))
    return trial.setup.start()


def refused(trial: Trial) -> RunnerProcess:
    trial.stub.refuse("conductor")
    return trial.setup.start()


def fault(operation: Operation, **fields: object) -> Start:
    def start(trial: Trial) -> RunnerProcess:
        trial.stub.faults.next(operation, **{"times": None, **fields})
        return trial.setup.start()

    return start


def detail(status: int, shape: Callable[[str], object] = lambda text: text) -> Start:
    body = json.dumps({"detail": shape(f"{DETAIL}: mongodb://{USER}:{PASSWORD}@127.0.0.1")})
    return fault("submit", status=status, body=body, headers={"Content-Type": "application/json"})


def redirected(trial: Trial) -> RunnerProcess:
    location = f"http://{USER}:{PASSWORD}@127.0.0.1:1/"
    trial.stub.faults.next("submit", status=307, headers={"Location": location}, times=None)
    return trial.setup.start()


def https_without_tls(trial: Trial) -> RunnerProcess:
    trial.setup.document["endpoints"]["conductorUrl"] = trial.stub.conductor_url.replace("http:", "https:")
    return trial.setup.start()


def unauthorised(trial: Trial) -> RunnerProcess:
    trial.stub.settings.required_headers = {"authorization": "another"}
    return trial.setup.start()


def proxied(url: str, **environment: str) -> Start:
    return lambda trial: trial.setup.start(HTTP_PROXY=url, **environment)


def database(uri: Callable[[Trial], str]) -> Start:
    def start(trial: Trial) -> RunnerProcess:
        trial.setup.mongodb_uri = uri(trial)
        return trial.setup.start()

    return start


def database_fails(command: str, collection: str, code: int) -> Start:
    def start(trial: Trial) -> RunnerProcess:
        with trial.fail_command(command, collection, errorCode=code):
            return trial.setup.start().finish()

    return start


def terminated(trial: Trial) -> RunnerProcess:
    trial.stub.script(AGENT, Answer(result=TEXT, delay=30))
    pod = trial.setup.start()
    wait_for(lambda: trial.stub.requests.of("details"))
    pod.terminate()
    return pod


def invalid_contract(trial: Trial) -> RunnerProcess:
    trial.setup.document["execution"]["timeoutSeconds"] = PASSWORD
    trial.setup.document["task"]["outputFormat"] = PASSWORD
    return trial.setup.start()


def other_database(trial: Trial) -> RunnerProcess:
    trial.setup.document["endpoints"]["database"] = f"{PASSWORD}.$"
    return trial.setup.start()


WAYS: dict[str, tuple[Start, ExitCode]] = {
    "well": (started, ExitCode.COMPLETED),
    "agent failed": (agent_fails, ExitCode.AGENT_FAILED),
    "connection refused": (refused, ExitCode.TEMPORARY),
    "connection reset": (fault("submit", kind="reset"), ExitCode.TEMPORARY),
    "connection dropped": (fault("submit", kind="drop"), ExitCode.TEMPORARY),
    "400": (detail(400), ExitCode.CONFIGURATION),
    "401": (unauthorised, ExitCode.CONFIGURATION),
    "404": (detail(404), ExitCode.CONFIGURATION),
    "422": (
        detail(422, lambda text: [{"type": "missing", "loc": ["body", "cwd"], "input": text, "msg": text}]),
        ExitCode.CONFIGURATION,
    ),
    "500": (detail(500), ExitCode.AGENT_FAILED),
    "500 with an object": (detail(500, lambda text: {"error": text, "error_type": "X"}), ExitCode.AGENT_FAILED),
    "502": (detail(502), ExitCode.TEMPORARY),
    "no JSON": (fault("submit", kind="not-json", body=DETAIL), ExitCode.AGENT_FAILED),
    "an answer too deep to read": (
        fault("submit", status=200, body="[" * 99_999, headers={"Content-Type": "application/json"}),
        ExitCode.AGENT_FAILED,
    ),
    "gateway fails": (fault("details", status=500, body=DETAIL), ExitCode.COMPLETED),
    "event fails": (fault("event", status=500, body=DETAIL), ExitCode.COMPLETED),
    "redirection": (redirected, ExitCode.CONFIGURATION),
    "no TLS": (https_without_tls, ExitCode.CONFIGURATION),
    "proxy away": (proxied("http://127.0.0.1:1", PROXY_CREDENTIALS=f"{PROXY}:{PASSWORD}"), ExitCode.TEMPORARY),
    "credentials that are none": (proxied("http://127.0.0.1:1", PROXY_CREDENTIALS=PROXY), ExitCode.CONFIGURATION),
    # No client can be made for this: an error that nobody foresaw.
    "unhandled": (proxied(f"socks5://{PROXY}:{PASSWORD}@127.0.0.1:1"), ExitCode.TEMPORARY),
    "database away": (
        database(lambda _: f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{free_port('127.0.0.1')}/"),
        ExitCode.TEMPORARY,
    ),
    "database does not know the user (18)": (
        database(lambda trial: trial.mongod.uri.replace("//", f"//{USER}:{PASSWORD}@")),
        ExitCode.CONFIGURATION,
    ),
    "database speaks no TLS": (database(lambda trial: f"{trial.mongod.uri}&tls=true"), ExitCode.TEMPORARY),
    "bad URI": (database(lambda _: f"mongodb://{USER}:{PASSWORD}:x@127.0.0.1/"), ExitCode.CONFIGURATION),
    "bad option": (
        database(lambda _: f"mongodb://127.0.0.1:{free_port('127.0.0.1')}/?{PASSWORD}=1&authMechanism={PASSWORD}"),
        ExitCode.TEMPORARY,
    ),
    "password that is not encoded": (
        database(lambda _: f"mongodb://{USER}:a?{PASSWORD}=/b@127.0.0.1/"),
        ExitCode.CONFIGURATION,
    ),
    "bad database": (other_database, ExitCode.CONFIGURATION),
    "claim refused (13)": (
        database_fails("findAndModify", "councilor_executions", 13),
        ExitCode.CONFIGURATION,
    ),
    "claim is a duplicate (11000)": (
        database_fails("findAndModify", "councilor_executions", 11000),
        ExitCode.CONFIGURATION,
    ),
    "record refused (121)": (database_fails("update", "councilor_executions", 121), ExitCode.NOT_RECORDED),
    "invalid contract": (invalid_contract, ExitCode.CONFIGURATION),
    "terminated": (terminated, ExitCode.TEMPORARY),
}


@pytest.mark.parametrize("way", WAYS)
@side_by_side
def test_nothing_comes_out(trial: Trial, way: str) -> None:
    start, code = WAYS[way]
    setup = trial.setup
    setup.document["task"]["prompt"] = None
    setup.document["endpoints"]["headers"] = {"X-Key": HEADER}
    setup.environment |= {"CONDUCTOR_TOKEN": TOKEN, "COUNCILOR_PROMPT": f"Use {PROMPT}."}
    trial.stub.script(AGENT, Answer(result=TEXT, delay=0.1))
    pod = start(trial)
    # Whoever lists the node's processes sees the command line; it stays the same from start to end.
    assert not [secret for secret in SECRETS if secret in " ".join(pod.command)]
    pod.finish()
    assert pod.exit_code == code, pod.log

    places = {
        "log": pod.log,
        "standard output": pod.output,
        "termination message": pod.message.decode(),
        "record": json.dumps(
            [
                {key: value for key, value in record.items() if key != "output"}
                for record in trial.database.councilor_executions.find()
            ],
            default=str,
        ),
        "statistics": json.dumps(list(trial.database.agents.find({}, {"stats": 1, "councilor_runs": 1})), default=str),
        "events": json.dumps([request.json for request in trial.stub.requests.of("event")]),
    }
    found = [(place, secret) for place, text in places.items() for secret in SECRETS if secret in text]
    assert not found, found
    assert pod.lines, "a run without a log would prove nothing"


@side_by_side
def test_the_planted_words_are_where_they_belong(trial: Trial) -> None:
    """Otherwise the table above would look for words that were never there."""
    setup = trial.setup
    setup.document["task"]["prompt"] = None
    setup.document["endpoints"]["headers"] = {"X-Key": HEADER}
    trial.stub.script(AGENT, Answer(result=TEXT))
    pod = setup.run(CONDUCTOR_TOKEN=TOKEN, COUNCILOR_PROMPT=f"Use {PROMPT}.")
    assert pod.exit_code == ExitCode.COMPLETED
    (request,) = trial.stub.requests.of("submit")
    assert TOKEN in request.headers["authorization"]
    assert request.headers["x-key"] == HEADER
    assert PROMPT in request.json["user_input"]
    (record,) = trial.database.councilor_executions.find()
    assert ANSWER in record["output"]


@side_by_side
def test_no_file_is_written(trial: Trial) -> None:
    """The Pod's root is read-only: nothing but the termination message, no bytecode, no caches, no temporary files."""
    folder = trial.setup.directory / "home"
    folder.mkdir()
    message = trial.setup.directory / "message"
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
    pod = trial.setup.run(PYTHONDONTWRITEBYTECODE="1", COUNCILOR_TERMINATION_MESSAGE_PATH=str(message), **environment)
    assert pod.exit_code == ExitCode.COMPLETED
    assert list(folder.iterdir()) == []
    assert message.stat().st_size
