"""The genuine mongod other tests stand on: shapes, crash and restart, failpoints, clear errors, foreground mode."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from tests.mongodb import Mongod, MongodError, MongodUnavailableError, mongod_binary
from tests.mongodb.binary import check_runnable, explain_failure
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(any_mongod: Mongod) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    with pymongo.MongoClient[dict[str, Any]](any_mongod.uri) as client:
        yield client


def test_it_is_a_genuine_server(client: pymongo.MongoClient[dict[str, Any]]) -> None:
    assert client.server_info()["version"] == "6.0.5"


def test_the_shape_is_the_one_asked_for(any_mongod: Mongod, client: pymongo.MongoClient[dict[str, Any]]) -> None:
    hello = client.admin.command("hello")
    if any_mongod.shape == "replica-set":
        assert hello["hosts"] == [any_mongod.address]
        assert hello["setName"] == "rs0"
        with client.watch(max_await_time_ms=1) as stream:
            assert stream.try_next() is None
    else:
        assert "setName" not in hello
        with pytest.raises(OperationFailure) as caught:
            client.watch()
        assert caught.value.code == 40573


def test_it_listens_on_loopback_alone(any_mongod: Mongod, client: pymongo.MongoClient[dict[str, Any]]) -> None:
    options = client.admin.command("getCmdLineOpts")["parsed"]["net"]
    assert options["bindIp"] == "127.0.0.1"
    assert options["compression"] == {"compressors": "disabled"}
    assert any_mongod.address == f"127.0.0.1:{any_mongod.port}"


def test_databases_are_dropped_between_tests(any_mongod: Mongod, client: pymongo.MongoClient[dict[str, Any]]) -> None:
    assert "left" not in client.list_database_names()
    client.left.things.insert_one({})
    any_mongod.drop_databases()
    assert "left" not in client.list_database_names()


def test_a_failpoint_cuts_a_write_which_the_driver_repeats_once(mongod: Mongod) -> None:
    with (
        pymongo.MongoClient[dict[str, Any]](mongod.uri, appname="victim") as client,
        mongod.fail_command("update", times=1, closeConnection=True, appName="victim"),
    ):
        client.db.things.insert_one({"_id": 1, "count": 0})
        client.db.things.update_one({"_id": 1}, {"$inc": {"count": 1}})
        assert client.db.things.find_one() == {"_id": 1, "count": 1}


def test_a_failpoint_ends_with_its_block(mongod: Mongod) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        with mongod.fail_command("find", errorCode=13), pytest.raises(OperationFailure) as caught:
            client.db.things.find_one()
        assert caught.value.code == 13
        assert client.db.things.find_one() is None


def test_failpoints_are_off_unless_asked_for(tmp_path: Path) -> None:
    with (
        Mongod("standalone", dbpath=tmp_path) as server,
        pytest.raises(MongodError, match="failpoints=True"),
        server.fail_command("find", errorCode=13),
    ):
        pass


@pytest.mark.parametrize("shape", ["replica-set", "standalone"])
def test_killed_and_restarted_on_its_data(shape: Any, tmp_path: Path) -> None:
    with Mongod(shape, dbpath=tmp_path) as server:
        first = server.pid
        with pymongo.MongoClient[dict[str, Any]](server.uri, serverSelectionTimeoutMS=300) as client:
            things = client.db.get_collection("things", write_concern=pymongo.WriteConcern("majority", j=True))
            things.insert_one({"_id": "kept"})
            server.kill()
            assert not server.is_running()
            with pytest.raises(AutoReconnect):
                client.db.things.find_one()
        server.restart()
        assert server.pid != first
        with pymongo.MongoClient[dict[str, Any]](server.uri) as client:
            assert client.db.things.find_one() == {"_id": "kept"}
        pid = server.pid
    assert not Path(f"/proc/{pid}").exists()
    assert server.log.exists(), "a given data directory is kept"


def test_a_temporary_data_directory_is_removed() -> None:
    with Mongod("standalone") as server:
        dbpath = server.dbpath
        assert dbpath.is_dir()
    assert not dbpath.exists()


def test_data_of_another_address_is_refused(tmp_path: Path) -> None:
    with Mongod("replica-set", dbpath=tmp_path) as server:
        old = server.address
    with pytest.raises(MongodError, match=f"belongs to a replica set at {old}"):
        Mongod("replica-set", dbpath=tmp_path, port=free_port("127.0.0.1")).start()


def test_an_occupied_port_is_explained(tmp_path: Path) -> None:
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        with pytest.raises(MongodError, match=r"ended with code 48.*Address already in use"):
            Mongod("standalone", port=occupant.getsockname()[1], dbpath=tmp_path).start()


@pytest.mark.parametrize(
    ("bind_ip", "message"),
    [
        ("0.0.0.0", "every interface"),  # noqa: S104 - the refused value
        ("::", "every interface"),
        ("localhost", "not an IP address"),
        ("127.0.0.1,10.0.0.1", "not an IP address"),
    ],
)
def test_only_one_concrete_address_is_taken(bind_ip: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mongod(bind_ip=bind_ip)


def test_using_it_unstarted_is_explained() -> None:
    server = Mongod()
    with pytest.raises(MongodError, match="not running"):
        _ = server.pid
    with pytest.raises(MongodError, match="has not been started"):
        _ = server.dbpath


@pytest.mark.parametrize(
    ("stderr", "package"),
    [
        (
            "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file: No such",
            "libcurl4",
        ),
        (
            "mongod: error while loading shared libraries: libssl.so.3: cannot open shared object file: No such",
            "libssl3",
        ),
        ("mongod: error while loading shared libraries: libcrypto.so.3: cannot open shared object file", "libssl3"),
    ],
)
def test_a_missing_library_is_named_with_its_package(tmp_path: Path, stderr: str, package: str) -> None:
    binary = tmp_path / "mongod"
    binary.write_text(f"#!/bin/sh\necho '{stderr}' >&2\nexit 127\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(MongodUnavailableError, match=f"apt-get install {package} "):
        check_runnable(binary)


def test_other_failures_are_passed_on() -> None:
    assert "ended with code 132: illegal instruction" in explain_failure(Path("mongod"), 132, "illegal instruction\n")
    assert "install the Debian package that holds libfoo.so.1" in explain_failure(
        Path("mongod"), 127, "libfoo.so.1: cannot open shared object file"
    )


def test_a_file_that_is_no_program_is_explained(tmp_path: Path) -> None:
    with pytest.raises(MongodUnavailableError, match="cannot be executed"):
        check_runnable(tmp_path)


def test_the_binary_comes_from_the_wheel() -> None:
    assert mongod_binary().parts[-4:] == ("fiftyone", "db", "bin", "mongod")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_foreground_mode_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    pid_file = tmp_path / "pid"
    command = [sys.executable, "-m", "tests.mongodb", "--data", str(tmp_path / "data"), "--pid-file", str(pid_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:2] == ["mongod", "ready:"]
        with pymongo.MongoClient[dict[str, Any]](ready[2]) as client:
            assert client.admin.command("hello")["isWritablePrimary"]
        assert int(pid_file.read_text()) == process.pid
        server_pid = int(ready[4])
        os.kill(process.pid, number)
        assert process.wait(timeout=60) == 0
    assert not Path(f"/proc/{server_pid}").exists()
    assert not pid_file.exists()


def test_foreground_mode_explains_a_bad_address() -> None:
    command = [sys.executable, "-m", "tests.mongodb", "--host", "localhost"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 1
    assert finished.stderr.startswith("mongod: bind_ip 'localhost' is not an IP address")
