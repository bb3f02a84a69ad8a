"""What Councilors do, as it happens: kubectl's watch as a stream of objects, and what changed between two of them."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from textwrap import shorten
from types import TracebackType
from typing import IO, Any, Self

from councilor_operator.constants import GROUP, PLURAL

from .cluster import Cluster

Councilor = dict[str, Any]
TEXT_WIDTH = 100


class CouncilorWatch:
    """The Councilors of a namespace, each version of each as it appears. A context manager: kubectl ends with it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._command, self._environment = cluster.watch_command(
            "get", f"{PLURAL}.{GROUP}", "-n", namespace, "--watch", "-o", "json"
        )
        self._seen: queue.Queue[Councilor] = queue.Queue()
        self._ended = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, name="councilor-watch", daemon=True)

    def next(self, timeout: float) -> Councilor | None:
        """The next version of any Councilor, None when there is none within `timeout` seconds."""
        try:
            return self._seen.get(timeout=timeout)
        except queue.Empty:
            return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(10)

    def _follow(self) -> None:
        # The server ends every watch after a while; a new one starts with the present state, which changes nothing.
        while not self._ended.is_set():
            with subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            ) as process:
                self._process = process
                if self._ended.is_set():
                    process.terminate()
                if process.stdout is not None:
                    for found in documents(process.stdout):
                        self._seen.put(found)
            self._ended.wait(1)


def documents(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """JSON documents that follow one another without a separator, as kubectl prints them."""
    decoder = json.JSONDecoder()
    buffer = ""
    for line in stream:
        buffer += line
        # kubectl indents: only the end of a document stands at the beginning of a line.
        if line.rstrip() == "}":
            document, _ = decoder.raw_decode(buffer)
            buffer = ""
            if document.get("kind", "").endswith("List"):
                yield from document["items"]
            else:
                yield document


def total_runs(councilor: Councilor) -> int:
    """How many runs have ended."""
    stats = councilor.get("status", {}).get("stats") or {}
    return int(stats.get("totalExecutions", 0))


def changes(before: Councilor | None, after: Councilor) -> list[str]:
    """What is new about a Councilor, one line for each thing, for people."""
    old, new = (before or {}).get("status", {}), after.get("status", {})
    found = []
    run, known = new.get("lastRun"), old.get("lastRun") or {}
    if run is not None and run["jobName"] != known.get("jobName"):
        found.append(_run_line(run))
    # That a run is over was said by its result.
    is_news = new.get("phase") != old.get("phase") and (old.get("phase"), new.get("phase")) != ("Running", "Scheduled")
    if new.get("phase") is not None and is_news:
        found.append(_phase_line(new))
    return found


def _run_line(run: dict[str, Any]) -> str:
    duration = f", {run['durationMs'] / 1000:.1f} s" if run.get("durationMs") is not None else ""
    said = run.get("message" if run["result"] == "failed" else "summary") or ""
    text = shorten(said, TEXT_WIDTH, placeholder=" …")
    return f"run {run['result']} ({run['trigger']}{duration})" + (f": {text}" if text else "")


def _phase_line(status: dict[str, Any]) -> str:
    phase = str(status["phase"])
    following = (status.get("nextRunTimes") or [None])[0]
    if phase == "Scheduled" and following:
        return f"scheduled, next run {following}"
    if phase in {"Suspended", "Invalid"}:
        reasons = [item["message"] for item in status.get("conditions", []) if item["status"] == "False"]
        return ": ".join([phase.lower(), *reasons[:1]])
    return phase.lower()
