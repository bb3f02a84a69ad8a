"""The runner's way to Conductor over real connections: TLS, proxies, redirections, addresses of all forms."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from councilor_runner.connection import NoAnswerError, http_client, request
from councilor_runner.contract import ENV_CA_FILE, ExitCode, Reason
from councilor_runner.tls import CONDUCTOR
from tests.certificates import Authority, Identity
from tests.conductor import Answer, StubConductor
from tests.forward_proxy import ForwardProxy
from tests.mongodb import Mongod
from tests.ports import free_port
from tests.runner import RunnerProcess, RunnerSetup
from tests.runner.process import assert_end

Documents = Database[dict[str, Any]]
TOKEN = "t0k3n-of-conductor"


def ended(pod: RunnerProcess, code: ExitCode, reason: Reason, *words: str, **report: object) -> None:
    """Assert how a Pod ended, that a person is told these words, and nobody the token."""
    assert_end(pod, code, reason, *words, **report)
    assert TOKEN not in pod.log + pod.message.decode()


def completed(pod: RunnerProcess, **report: object) -> None:
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, **{"severity": "warning", **report})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "own")


@pytest.fixture
def start(mongod: Mongod, tmp_path: Path) -> Iterator[Callable[..., tuple[StubConductor, RunnerSetup]]]:
    """Start stubs, each with a Councilor of its own and an agent that warns."""
    stubs = []

    def start(**options: Any) -> tuple[StubConductor, RunnerSetup]:
        stub = StubConductor(mongod.uri, **options)
        stub.start()
        stubs.append(stub)
        stub.add_agent("A_Agent")
        stub.script("A_Agent", Answer(result="One is old.\nSEVERITY: warning", delay=0.1))
        setup = RunnerSetup(tmp_path, stub.conductor_url, stub.gateway_url, mongod.uri)
        setup.environment["CONDUCTOR_TOKEN"] = TOKEN
        return stub, setup

    yield start
    for stub in stubs:
        stub.stop()


Start = Callable[..., tuple[StubConductor, RunnerSetup]]


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "sources"),
    [
        *(("current", sources) for sources in ("both", "gateway", "mongodb", "neither")),
        # The seed protocol needs a record: it has no key by which a second submission is known.
        *(("seed", sources) for sources in ("both", "mongodb")),
    ],
)
def test_a_private_authority(start: Start, authority: Authority, protocol: str, sources: str) -> None:
    stub, setup = start(identity=authority.issue("server"))
    stub.settings.era = "seed" if protocol == "seed" else "current"
    stub.settings.required_headers = {"authorization": f"Bearer {TOKEN}", "x-team": "a"}
    setup.document["endpoints"] |= {"protocol": protocol, "headers": {"X-Team": "a"}}
    if sources in ("gateway", "neither"):
        setup.mongodb_uri = None
    if sources in ("mongodb", "neither"):
        setup.document["endpoints"]["gatewayUrl"] = None
    completed(setup.run(**{ENV_CA_FILE: str(authority.certificate)}), recorded=sources in ("both", "mongodb"))
    assert list(stub.executions.values()) == [1]


def other_name(authority: Authority) -> Identity:
    return authority.issue("other", ("DNS:conductor.example", "IP:192.0.2.1"))


@pytest.mark.parametrize(
    ("issue", "trusted", "words"),
    [
        (lambda authority: authority.issue("server"), False, "COUNCILOR_RUNNER_CA_CONFIG_MAP"),
        (lambda authority: authority.issue("old", expired=True), True, "has expired: renew it"),
        (other_name, True, "is for another host name"),
    ],
    ids=["unknown authority", "expired", "another name"],
)
def test_a_certificate_that_is_not_accepted(
    start: Start,
    authority: Authority,
    conductor_database: Documents,
    issue: Callable[[Authority], Identity],
    trusted: bool,
    words: str,
) -> None:
    stub, setup = start(identity=issue(authority))
    pod = setup.run(**({ENV_CA_FILE: str(authority.certificate)} if trusted else {}))
    ended(pod, ExitCode.CONFIGURATION, Reason.TLS_FAILED, words, "Conductor", dispatched=False, recorded=True)
    assert not list(stub.requests)
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["reason"]) == ("error", "TLSFailed")


def test_another_authority_of_the_same_name(start: Start, authority: Authority, tmp_path: Path) -> None:
    _, setup = start(identity=authority.issue("server"))
    impostor = Authority(tmp_path / "own")
    pod = setup.run(**{ENV_CA_FILE: str(impostor.certificate)})
    ended(pod, ExitCode.CONFIGURATION, Reason.TLS_FAILED, dispatched=False)


def test_a_certificate_file_of_something_else(start: Start, tmp_path: Path) -> None:
    stub, setup = start()
    (tmp_path / "ca.crt").write_text("to be filled in")
    pod = setup.run(**{ENV_CA_FILE: str(tmp_path / "ca.crt")})
    ended(pod, ExitCode.CONFIGURATION, Reason.TLS_FAILED, "ca.crt in the ConfigMap", dispatched=False)
    assert not list(stub.requests)


def test_a_namespace_without_the_config_map(start: Start, tmp_path: Path) -> None:
    _, setup = start()
    completed(setup.run(**{ENV_CA_FILE: str(tmp_path / "ca.crt")}))


def test_https_to_a_port_without_tls(start: Start) -> None:
    stub, setup = start()
    setup.document["endpoints"]["conductorUrl"] = stub.conductor_url.replace("http:", "https:")
    pod = setup.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.TLS_FAILED, "speaks no TLS", "begin it with http://", dispatched=False)


def test_http_to_a_port_with_tls(start: Start, authority: Authority) -> None:
    stub, setup = start(identity=authority.issue("server"))
    setup.document["endpoints"] |= {
        "conductorUrl": stub.conductor_url.replace("https:", "http:"),
        "gatewayUrl": stub.gateway_url.replace("https:", "http:"),
    }
    # The request went out, so nobody can say from the outside that it was not taken: no final word by this Pod.
    ended(setup.run(), ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE, "begin the address", "https://")
    assert stub.executions == {}


# unexpected_message, as OpenSSL answers plain HTTP.
ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"
BROKEN_OFF = ["without an answer in HTTP", "if the port speaks TLS, begin the address", "https://"]
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"


@pytest.mark.parametrize(
    ("answer", "reset", "words"),
    [
        (b"", False, BROKEN_OFF),
        (b"", True, BROKEN_OFF),
        (ALERT, False, BROKEN_OFF),
        (ALERT, True, BROKEN_OFF),
        (HALF, False, ["did not answer in full"]),
    ],
    ids=["closed", "reset", "alert", "alert and reset", "half an answer"],
)
async def test_a_connection_that_ends_early(answer: bytes, reset: bool, words: list[str]) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if reset:
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(end, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, http_client({}, None, True) as client:
        with pytest.raises(NoAnswerError) as caught:
            await request(client, CONDUCTOR, "POST", f"http://{host}:{port}/", seconds=30, body={"prompt": "x"})
    assert caught.value.sent
    assert [word for word in words if word not in caught.value.message] == []
    assert ("TLS" in caught.value.message) is (words is BROKEN_OFF)
    assert host not in caught.value.message


def test_a_port_with_tls_that_resets_is_not_said_to_need_it(start: Start, authority: Authority) -> None:
    stub, setup = start(identity=authority.issue("server"))
    stub.faults.next("submit", kind="reset", times=None)
    pod = setup.run(**{ENV_CA_FILE: str(authority.certificate)})
    ended(pod, ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE, dispatched=True)
    assert "begin the address" not in (pod.report.message or "")


def test_a_gateway_that_cannot_be_trusted_is_replaced_by_mongodb(start: Start, authority: Authority) -> None:
    _, setup = start()
    stub, _ = start(identity=authority.issue("server"))
    setup.document["endpoints"]["gatewayUrl"] = stub.gateway_url
    pod = setup.run()
    completed(pod, recorded=True)
    assert [
        (result.delivered, "COUNCILOR_RUNNER_CA_CONFIG_MAP" in (result.reason or "")) for result in pod.report.notified
    ] == [(False, True)]


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("credentials", [None, "us@r:p:4ss w%rd"])
def test_through_a_proxy(start: Start, authority: Authority, tls: bool, credentials: str | None) -> None:
    stub, setup = start(identity=authority.issue("server") if tls else None)
    setup.environment[ENV_CA_FILE] = str(authority.certificate)
    with ForwardProxy(credentials) as proxy:
        given = {} if credentials is None else {"PROXY_CREDENTIALS": credentials}
        pod = setup.run(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, **given)
    completed(pod, recorded=True)
    assert {passage.status for passage in proxy.passages} == {200}
    assert ("CONNECT" in {passage.method for passage in proxy.passages}) is tls
    # Conductor and gateway; a tunnel serves many requests.
    assert len({passage.target.split("/agents")[0].split("/api")[0] for passage in proxy.passages}) == 2
    (submission,) = stub.requests.of("submit")
    assert "proxy-authorization" not in submission.headers
    assert credentials is None or credentials not in pod.log + pod.message.decode()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("given", [{}, {"PROXY_CREDENTIALS": "user:wr0ng-one"}])
def test_a_proxy_that_wants_other_credentials(
    start: Start, authority: Authority, tls: bool, given: dict[str, str]
) -> None:
    stub, setup = start(identity=authority.issue("server") if tls else None)
    with ForwardProxy("user:right") as proxy:
        pod = setup.run(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, **given)
    ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "PROXY_CREDENTIALS", dispatched=False, recorded=True)
    assert "wr0ng-one" not in pod.log + pod.message.decode()
    assert {passage.status for passage in proxy.passages} == {407}
    assert not list(stub.requests)


def test_credentials_that_are_none(start: Start) -> None:
    stub, setup = start()
    pod = setup.run(HTTP_PROXY="http://127.0.0.1:1", PROXY_CREDENTIALS="n0-c0l0n")
    ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "user:password", dispatched=False)
    assert "n0-c0l0n" not in pod.log + pod.message.decode()
    assert not list(stub.requests)


@pytest.mark.parametrize(
    ("tls", "words"), [(False, "403"), (True, "COUNCILOR_RUNNER_NO_PROXY")], ids=["whole requests", "tunnel"]
)
def test_a_proxy_that_forbids(start: Start, authority: Authority, tls: bool, words: str) -> None:
    _, setup = start(identity=authority.issue("server") if tls else None)
    with ForwardProxy(forbids=True) as proxy:
        pod = setup.run(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url)
    reason = Reason.REQUEST_REFUSED if tls else Reason.CREDENTIALS_REFUSED
    ended(pod, ExitCode.CONFIGURATION, reason, words, dispatched=False)


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_that_cannot_reach_conductor(start: Start, authority: Authority, tls: bool) -> None:
    stub, setup = start(identity=authority.issue("server") if tls else None)
    stub.refuse("conductor")
    with ForwardProxy() as proxy:
        pod = setup.run(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url)
    # A 502 to a whole request may also be Conductor's end in the middle of it.
    ended(pod, ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE, "502", dispatched=not tls)
    assert {passage.status for passage in proxy.passages if str(free_of(stub.conductor_url)) in passage.target} == {502}


def free_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def test_a_proxy_that_is_away(start: Start) -> None:
    stub, setup = start()
    pod = setup.run(HTTP_PROXY=f"http://127.0.0.1:{free_port('127.0.0.1')}")
    ended(pod, ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE, dispatched=False)
    assert not list(stub.requests)


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "example.com, 127.0.0.1", "*"])
def test_hosts_that_need_no_proxy(start: Start, no_proxy: str) -> None:
    _, setup = start()
    with ForwardProxy() as proxy:
        completed(setup.run(HTTP_PROXY=proxy.url, NO_PROXY=no_proxy))
    assert proxy.passages == []


# --- redirections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_takes_the_token_nowhere(start: Start, status: int) -> None:
    (stub, setup), (elsewhere, _) = start(), start()
    location = {"Location": f"{elsewhere.conductor_url}/agents/A_Agent/execute"}
    stub.faults.next("submit", status=status, headers=location, times=None)
    pod = setup.run()
    ended(
        pod,
        ExitCode.CONFIGURATION,
        Reason.REQUEST_REFUSED,
        f"redirects ({status})",
        "COUNCILOR_CONDUCTOR_URL",
        dispatched=False,
        recorded=True,
    )
    assert not list(elsewhere.requests)
    assert elsewhere.conductor_url not in pod.log + pod.message.decode()
    assert len(stub.requests.of("submit")) == 1


def test_a_gateway_that_redirects_is_no_source(start: Start) -> None:
    (stub, setup), (elsewhere, _) = start(), start()
    for operation in ("details", "event"):
        stub.faults.next(operation, status=301, headers={"Location": elsewhere.gateway_url}, times=None)
    pod = setup.run()
    completed(pod, recorded=True)
    assert [result.delivered for result in pod.report.notified] == [False]
    assert not list(elsewhere.requests)


# --- addresses and connections ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "end"), [("", "/"), ("/conductor", ""), ("/a/b", "/"), ("/ação", "")])
def test_paths_before_the_paths(start: Start, prefix: str, end: str) -> None:
    stub, setup = start()
    stub.settings.prefix = prefix
    setup.document["endpoints"] |= {
        "conductorUrl": f"{stub.conductor_url}{prefix}{end}",
        "gatewayUrl": f"{stub.gateway_url}{prefix}{end}",
    }
    setup.mongodb_uri = None
    pod = setup.run()
    completed(pod)
    assert [result.delivered for result in pod.report.notified] == [True]


@pytest.mark.parametrize("tls", [False, True])
def test_ipv6(start: Start, authority: Authority, tls: bool) -> None:
    stub, setup = start(host="::1", identity=authority.issue("server") if tls else None)
    assert "[::1]" in stub.conductor_url
    completed(setup.run(**{ENV_CA_FILE: str(authority.certificate)}), recorded=True)


def test_connections_that_the_server_closes_between_two_looks(start: Start) -> None:
    stub, setup = start(idle_seconds=1)
    setup.mongodb_uri = None
    stub.script("A_Agent", Answer(result="SEVERITY: warning", delay=8))
    completed(setup.run())
    assert len(stub.requests.of("submit")) == 1


@pytest.mark.parametrize("kind", ["reset", "drop"])
def test_connections_that_break_while_polling(start: Start, kind: str) -> None:
    stub, setup = start()
    setup.mongodb_uri = None
    stub.faults.next("details", kind=kind, times=3)
    completed(setup.run())


def test_an_answer_that_never_ends_does(start: Start) -> None:
    stub, setup = start()
    setup.document["execution"]["timeoutSeconds"] = 2
    setup.document["endpoints"]["gatewayUrl"] = None
    setup.mongodb_uri = None
    stub.faults.next("submit", kind="trickle", times=None)
    # A synchronous call: the time limit, and what Conductor may take longer to answer.
    ended(setup.run(), ExitCode.AGENT_TIMED_OUT, Reason.AGENT_TIMED_OUT, "no result within 2 s", dispatched=True)


@pytest.mark.parametrize(
    ("headers", "words"),
    [({"X-A": "b\r\nX-B: c"}, "COUNCILOR_CONDUCTOR_HEADERS"), ({"X-A": "ação"}, "COUNCILOR_CONDUCTOR_HEADERS")],
)
def test_headers_that_no_request_can_carry(start: Start, headers: dict[str, str], words: str) -> None:
    stub, setup = start()
    setup.document["endpoints"]["headers"] = headers
    ended(setup.run(), ExitCode.CONFIGURATION, Reason.INVALID_CONTRACT, words, dispatched=False)
    assert not list(stub.requests)
