"""What the demo remembers on disk: what it started and where, so that any later command can end it.

Everything is recorded before it is done or in the moment it is done; a demo that is killed leaves enough for
`make demo-down`. A process is recognised by its pid *and* its start time, never by its name.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.launcher.processes import Process, start_time
from hack.cluster.launcher.state import boot_id, write_json

from .progress import DemoError

CONTENT = ("demo.json", "run", "logs", "mongodb", "lock")


@dataclass(frozen=True)
class Record:
    """What is being, or was, started."""

    cluster: str
    """Value of CLUSTER: local, kind or current."""
    kubeconfig: str
    """Value of KUBECONFIG, which decides what `current` means; empty when unset."""
    context: str
    """kubectl's context then; empty where the kind of cluster has none of its own."""
    owns_cluster: bool
    """Whether the demo started the cluster, and ends it."""
    mongodb_uri: str = ""
    """Where executions are recorded; empty until everything was started and installed."""


@dataclass(frozen=True)
class State:
    """The paths of one demo. `folder` is absolute."""

    folder: Path

    @classmethod
    def at(cls, folder: Path | None) -> "State":
        """The state in a folder, else at the usual place."""
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return cls((folder or home / "councilor-operator" / "demo").resolve())

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def database(self) -> Path:
        """mongod's data."""
        return self.folder / "mongodb"

    @property
    def _run(self) -> Path:
        return self.folder / "run"

    def prepare(self) -> None:
        """Makes the folder. Raises DemoError when it holds things that are not a demo's."""
        foreign = sorted(path.name for path in self.folder.glob("*") if path.name not in CONTENT)
        if foreign:
            raise DemoError(
                f"{self.folder} holds other things ({', '.join(foreign[:3])}): name an empty folder, or one that does "
                "not exist, with --state"
            )
        for folder in (self.folder, self.logs, self._run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def record(self) -> Record | None:
        """None when nothing was started."""
        try:
            return Record(**json.loads((self.folder / "demo.json").read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise DemoError(f"{self.folder / 'demo.json'} is not a demo's record: delete {self.folder}") from error

    def write(self, record: Record) -> None:
        write_json(self.folder / "demo.json", asdict(record))

    def add_process(self, name: str, pid: int) -> Process:
        """Remembers a process of the demo."""
        process = Process(name, pid, start_time(pid) or 0, boot_id())
        write_json(self._run / f"{name}.json", asdict(process))
        return process

    def processes(self) -> dict[str, Process]:
        """All remembered processes, running or not, by name."""
        found = {}
        for path in sorted(self._run.glob("*.json")):
            with suppress(ValueError, TypeError):  # half a record: its process was never started
                process = Process(**json.loads(path.read_text()))
                found[process.name] = process
        return found

    def discard(self, *, keep_logs: bool) -> None:
        """Deletes what the demo put here. The lock stays: another command may be waiting for it."""
        for name in CONTENT:
            path = self.folder / name
            if name == "lock" or (name == "logs" and keep_logs):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """One command at a time; the kernel drops the lock of one that dies. Raises DemoError when it is taken."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError(
                    f"a demo or a test run is at work with its state in {self.folder}: end it with Ctrl-C in its "
                    "terminal; `make demo-down` ends a demo"
                ) from None
            yield
