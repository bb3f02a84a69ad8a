"""Health of the operator as the kubelet asks for it: whether to start it anew (/healthz), and whether it has begun to
work (/readyz).

The event loop itself answers: one that stands still does not, and the probe runs into its timeout. The answers have the
form of the API server's own (Kubernetes API health endpoints): `ok`, or a line for each check; `?verbose` always lists
them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from aiohttp import web

from councilor_operator.config import PREFIX
from councilor_operator.errors import ConfigurationError
from councilor_operator.observer import Observer
from councilor_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

Findings = Mapping[str, str | None]
"""Name of each check to what is wrong, None where nothing is."""

MISSED_LISTS: Final = 3
"""How many periodic lists may fail before the operator counts as unhealthy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something counts as stuck."""

    list_age: timedelta
    """The last full list that succeeded; the start of the process before the first."""
    waiting: timedelta = timedelta(minutes=5)
    """A Councilor that nobody takes from the queue."""
    working: timedelta = timedelta(minutes=5)
    """A pass that does not end; each of its requests has a timeout of 30 seconds."""

    @classmethod
    def of_resync(cls, every: timedelta) -> "Limits":
        """Return the limits for lists that come that often."""
        return cls(list_age=every * MISSED_LISTS)


class Checks(Protocol):
    """What a process says of itself when it is asked."""

    def live(self) -> Findings:
        """Check what only a new process would put right."""
        ...

    def ready(self) -> Findings:
        """Check that it has begun to work."""
        ...


class Health:
    """What is wrong with a running operator."""

    def __init__(
        self, *, observer: Observer, queue: WorkQueue[str], limits: Limits, clock: Callable[[], datetime]
    ) -> None:
        self._observer = observer
        self._queue = queue
        self._limits = limits
        self._clock = clock

    def live(self) -> Findings:
        """Check what only a new process would put right."""
        return {"lists": self._lists(), "queue": self._waiting(), "workers": self._working()}

    def ready(self) -> Findings:
        """Check that everything was listed once: credentials, rights and the CRD are there, and passes are made."""
        if self._observer.synced.is_set():
            return {"first-list": None}
        return {"first-list": f"not everything was listed yet: {self._observer.list_problem or 'it is being read'}"}

    def _lists(self) -> str | None:
        since = self._observer.last_list or self._observer.started
        if self._clock() - since <= self._limits.list_age:
            return None
        problem = self._observer.list_problem or "the API server takes long to answer"
        return f"no full list since {since.isoformat(timespec='seconds')}: {problem}"

    def _waiting(self) -> str | None:
        seconds = self._queue.oldest_age
        if seconds <= self._limits.waiting.total_seconds():
            return None
        return f"a Councilor has been waiting for {seconds:.0f} s"

    def _working(self) -> str | None:
        seconds = self._queue.longest_work
        if seconds <= self._limits.working.total_seconds():
            return None
        return f"a worker has been busy with one Councilor for {seconds:.0f} s"


def text(endpoint: str, findings: Findings, *, verbose: bool) -> str:
    """Return the answer of an endpoint."""
    failed = any(findings.values())
    if not failed and not verbose:
        return "ok"
    lines = [f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok" for name, wrong in findings.items()]
    return "\n".join([*lines, f"{endpoint} check {'failed' if failed else 'passed'}", ""])


async def serve(address: str, port: int, checks: Checks) -> None:
    """Answer probes until cancelled; raises `ConfigurationError` when the port cannot be had."""
    application = web.Application()
    application.add_routes(
        [web.get("/healthz", _endpoint("healthz", checks.live)), web.get("/readyz", _endpoint("readyz", checks.ready))]
    )
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            raise ConfigurationError(
                f"{PREFIX}HEALTH_PORT: {address} port {port} cannot be listened on, {error.strerror}; set another one, "
                "or 0 for none"
            ) from error
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _endpoint(name: str, check: Callable[[], Findings]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        findings = check()
        body = text(name, findings, verbose="verbose" in request.query)
        if not any(findings.values()):
            return web.Response(text=body)
        if name == "healthz":
            # The kubelet's event has the status code only.
            logger.warning("unhealthy: %s", "; ".join(wrong for wrong in findings.values() if wrong))
        return web.Response(text=body, status=503)

    return answer
