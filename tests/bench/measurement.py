"""Instruments: what a process used (Linux, /proc), what the operator counted (/metrics), what the API server saw
(audit log)."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.bench.client import USER_AGENT

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB (10^6 bytes): now, and at most so far."""

    now: float
    peak: float


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, user and system (proc(5), stat)."""
    # The second field, the program's name, may hold blanks: count from its closing parenthesis.
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS_PER_SECOND


def memory(pid: int) -> Memory:
    """Return the memory of a process (proc(5), status)."""
    lines = (line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    values = {name: value.split() for name, value in lines}
    now, peak = (int(values[name][0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)


@dataclass(frozen=True, slots=True)
class Counters:
    """What the operator counted since it started, and what waits in its queue."""

    passes: int
    status_patches: int
    queued: int

    @classmethod
    def from_text(cls, text: str) -> "Counters":
        """Read them from the Prometheus text format."""
        passes = patches = queued = 0.0
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                match sample.name:
                    case "councilor_operator_reconciles_total":
                        passes += sample.value
                    case "councilor_operator_api_writes_total" if sample.labels["object"] == "status":
                        patches += sample.value
                    case "councilor_operator_queue_depth":
                        queued += sample.value
                    case _:
                        pass
        return cls(int(passes), int(patches), int(queued))


@dataclass(frozen=True, slots=True)
class Record:
    """A request as the API server saw it."""

    agent: str
    """Name of the client: the first part of the user agent."""
    verb: str
    resource: str
    """Resource, with the subresource after a slash."""
    name: str
    """Name of the object, empty for a list or watch."""
    received: datetime
    answered: datetime
    code: int


def of_project(record: Record) -> bool:
    """Tell whether a request is that of a process that is measured: everybody else here is Kubernetes, kubectl or the
    benchmark."""
    return record.agent != USER_AGENT and not record.agent.startswith("kube")


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in the audit log; the inode stays when the API server puts a full file aside."""

    inode: int
    offset: int


class AuditLog:
    """The API server's record of requests (audit.k8s.io/v1, one JSON document a line, written before the answer)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> Mark:
        """Return the position of the next record."""
        stat = self._path.stat()
        return Mark(stat.st_ino, stat.st_size)

    def since(self, mark: Mark) -> Iterator[Record]:
        """Yield what happened since a mark, as far as it was answered."""
        # Files of 100 MB are put aside as audit-TIME.log, so that their names sort by time.
        files = [*sorted(self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}")), self._path]
        inodes = [file.stat().st_ino for file in files]
        for index, file in enumerate(files[(first := inodes.index(mark.inode)) :], first):
            yield from _records(file, mark.offset if index == first else 0)


def _records(path: Path, offset: int) -> Iterator[Record]:
    with path.open("rb") as log:
        log.seek(offset)
        for line in log:
            if not line.endswith(b"\n"):
                return  # being written
            entry = json.loads(line)
            if entry["stage"] != "ResponseComplete" or "objectRef" not in entry:
                continue
            target = entry["objectRef"]
            yield Record(
                agent=entry.get("userAgent", "").partition("/")[0],
                verb=entry["verb"],
                resource="/".join(filter(None, (target.get("resource"), target.get("subresource")))),
                name=target.get("name", ""),
                received=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
                answered=datetime.fromisoformat(entry["stageTimestamp"]),
                code=entry["responseStatus"]["code"],
            )
