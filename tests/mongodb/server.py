"""One mongod process as a context manager: replica set or standalone, killable and restartable on its data."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import pymongo
from pymongo.errors import AutoReconnect, OperationFailure

from tests.certificates import Identity
from tests.mongodb.binary import mongod_binary
from tests.ports import free_port

Shape = Literal["replica-set", "standalone"]

REPLICA_SET: Final = "rs0"
_NOT_YET_INITIALIZED = 94
_UNAUTHORIZED = 13


class MongodError(RuntimeError):
    """mongod did not start, or did not become writable; the message names its log."""


class Mongod:
    """A mongod that belongs to this object and ends with it.

    `bind_ip` is one address; it becomes the replica set's member name, so clients must reach the server under it.
    Without `dbpath` the data lives in a temporary directory that `stop` removes; a given directory is kept, and a
    later Mongod may continue on it. `failpoints` allows `fail_command`. With `identity` it demands TLS; with
    `key_file` (mode 600) it demands users, the first of which `create_administrator` makes. Not `alone`, it is one of
    the members of a `ReplicaSet`, which initiates them, and has started as soon as it answers.

    Raises ValueError for an address that is not one concrete IP address, MongodUnavailableError when there is no
    mongod for this machine, MongodError when the server does not come up.
    """

    def __init__(
        self,
        shape: Shape = "replica-set",
        *,
        bind_ip: str = "127.0.0.1",
        port: int | None = None,
        dbpath: Path | None = None,
        failpoints: bool = False,
        start_timeout: float = 60.0,
        binary: Path | None = None,
        identity: Identity | None = None,
        key_file: Path | None = None,
        alone: bool = True,
    ) -> None:
        address = _concrete_address(bind_ip)
        self.shape: Final = shape
        self.bind_ip: Final = bind_ip
        self.port: Final = port or free_port(bind_ip)
        self.failpoints: Final = failpoints
        self._identity = identity
        self._key_file = key_file
        self._alone = alone
        self._host = f"[{bind_ip}]" if address.version == 6 else bind_ip
        self._ipv6 = address.version == 6
        self._start_timeout = start_timeout
        self._binary = binary
        self._keep_data = dbpath is not None
        self._dbpath = dbpath
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a connection string."""
        return f"{self._host}:{self.port}"

    @property
    def uri(self) -> str:
        """Connection string without a database and without credentials."""
        query = f"?replicaSet={REPLICA_SET}" if self.shape == "replica-set" else "?directConnection=true"
        return f"mongodb://{self.address}/{query}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return self._running().pid

    @property
    def dbpath(self) -> Path:
        if self._dbpath is None:
            raise MongodError("mongod has not been started: enter the context or call start() first")
        return self._dbpath

    @property
    def log(self) -> Path:
        return self.dbpath / "mongod.log"

    def start(self) -> None:
        """Starts the server and returns once it takes writes, or just answers where others decide that: about a second,
        or `start_timeout` at most."""
        if self._process is not None:
            raise MongodError(f"mongod already runs with pid {self._process.pid}")
        binary = self._binary or mongod_binary()
        if self._dbpath is None:
            self._dbpath = Path(tempfile.mkdtemp(prefix="mongod-"))
        self._dbpath.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [binary, *self._arguments()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal reaches the tests, which then stop the server themselves
        )
        try:
            self._await_writable()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL, as a crash would: nothing is flushed; the data directory stays for `restart`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def shutdown(self) -> None:
        """Orderly end by SIGTERM; the data directory stays."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def restart(self) -> None:
        """Starts again on the same data and port, after `kill`, `shutdown` or while running (then: orderly)."""
        self.shutdown()
        self.start()

    def stop(self) -> None:
        """Ends the server and removes its data, unless the directory was given by the caller."""
        self.shutdown()
        if not self._keep_data and self._dbpath is not None:
            shutil.rmtree(self._dbpath, ignore_errors=True)
            self._dbpath = None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the process to end and returns its exit code; subprocess.TimeoutExpired when it goes on."""
        return self._running().wait(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @contextlib.contextmanager
    def fail_command(self, *commands: str, times: int | None = None, **data: Any) -> Iterator[None]:
        """Makes the named commands fail inside the block: `times` calls of them, or all when None.

        `data` goes to the `failCommand` failpoint as is: `errorCode`, `closeConnection`, `blockConnection` with
        `blockTimeMS`, `errorLabels`, and `appName`, which spares all clients but one. Needs `failpoints=True`.
        """
        if not self.failpoints:
            raise MongodError("failpoints are off: create the server with Mongod(failpoints=True)")
        mode: Any = "alwaysOn" if times is None else {"times": times}
        with self._direct() as client:
            client.admin.command(
                "configureFailPoint", "failCommand", mode=mode, data={"failCommands": list(commands), **data}
            )
        try:
            yield
        finally:
            with self._direct() as client:
                client.admin.command("configureFailPoint", "failCommand", mode="off")

    def drop_databases(self) -> None:
        """Drops everything but the server's own databases, so that tests may share one server."""
        with self._direct() as client:
            for name in client.list_database_names():
                if name not in ("admin", "config", "local"):
                    client.drop_database(name)

    def create_administrator(self, name: str, password: str) -> None:
        """Makes the first user, which mongod allows from loopback while there is none."""
        with self._direct() as client:
            client.admin.command("createUser", name, pwd=password, roles=["root"])

    def _arguments(self) -> list[str]:
        arguments = [
            *("--dbpath", str(self.dbpath), "--logpath", str(self.log), "--logappend"),
            *("--port", str(self.port), "--bind_ip", self.bind_ip),
            *("--networkMessageCompressors", "disabled"),  # 6.0.5 predates the fix of CVE-2025-14847 (zlib)
            *("--wiredTigerCacheSizeGB", "0.25"),
            *("--setParameter", "ttlMonitorSleepSecs=1"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--journalCommitInterval", "10"),  # a majority waits for the journal, by default up to 100 ms
            "--nounixsocket",  # a killed server would leave its socket behind in /tmp
        ]
        if self._ipv6:
            arguments.append("--ipv6")
        if self.shape == "replica-set":
            arguments += ["--replSet", REPLICA_SET, "--oplogSize", "16"]
        if self.failpoints:
            arguments += ["--setParameter", "enableTestCommands=1"]
        if self._identity is not None:
            arguments += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(self._identity.both)]
        if self._key_file is not None:
            arguments += ["--auth", "--keyFile", str(self._key_file)]
        return arguments

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MongodError("mongod is not running: call start() or restart() first")
        return self._process

    @contextlib.contextmanager
    def _direct(self) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
        tls = "" if self._identity is None else "&tls=true&tlsAllowInvalidCertificates=true"
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            f"mongodb://{self.address}/?directConnection=true{tls}",
            serverSelectionTimeoutMS=500,
            appname="mongod-fixture",
        )
        try:
            yield client
        finally:
            client.close()

    def _await_writable(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        initiated = self.shape == "standalone" or not self._alone
        with self._direct() as client:
            while True:
                code = self._running().poll()
                if code is not None:
                    raise MongodError(f"mongod ended with code {code} while starting on {self.address}; {self._tail()}")
                if time.monotonic() > deadline:
                    raise MongodError(
                        f"mongod at {self.address} takes no writes after {self._start_timeout:.0f} s; {self._tail()}"
                    )
                try:
                    if not initiated:
                        self._initiate(client)
                        initiated = True
                    if client.admin.command("hello")["isWritablePrimary"] or not self._alone:
                        return
                except AutoReconnect:
                    pass  # not listening yet; a ServerSelectionTimeoutError is one too
                time.sleep(0.05)

    def _initiate(self, client: pymongo.MongoClient[dict[str, Any]]) -> None:
        try:
            existing = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            # Where users are demanded, and there is none yet, initiating is all that is allowed.
            if error.code not in (_NOT_YET_INITIALIZED, _UNAUTHORIZED):
                raise
            with contextlib.suppress(OperationFailure):  # a parallel start of the same data: the loop decides
                client.admin.command(
                    "replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": self.address}]}
                )
            return
        member = existing["members"][0]["host"]
        if member != self.address:
            raise MongodError(
                f"the data in {self.dbpath} belongs to a replica set at {member}, but this server listens on "
                f"{self.address}: use that address again, or an empty data directory"
            )

    def _tail(self) -> str:
        """The last complaint of the server's log: which may hold names of databases, but no documents."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "it wrote no log"
        notable = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
        return f"see {self.log}: {(notable or lines or ['empty'])[-1][:400]}"


def _concrete_address(bind_ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(bind_ip)
    except ValueError:
        raise ValueError(
            f"bind_ip {bind_ip!r} is not an IP address: it becomes the replica set's member name, so give exactly one, "
            "such as 127.0.0.1 or the address of the cluster's bridge"
        ) from None
    if address.is_unspecified:
        raise ValueError(f"bind_ip {bind_ip} listens on every interface: give loopback or the cluster's bridge address")
    return address
