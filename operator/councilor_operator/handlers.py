"""kopf's side of the operator: watch events into the observer, settings and login.

kopf is process host and informer here, not the control loop: its low-level event handlers swallow errors and never
retry, so each does no more than pass the event on. No handler needs a finalizer.
"""

import logging
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import kopf

from councilor_operator.constants import GROUP, LABEL_MANAGED_BY, MANAGED_BY, PLURAL, VERSION
from councilor_operator.observer import Observer

RECONNECT_SECONDS = 5
"""How long after an outage, at the latest, watches are opened again."""


class _Backoffs:
    """Delays in seconds between attempts of kopf's requests, for as long as an outage lasts.

    With a list that ends, an API server that answers with errors for a minute ends the process, and after a longer
    outage the kubelet lets it wait for minutes before it starts again.
    """

    def __iter__(self) -> Iterator[float]:
        return chain((1, 1, 2, 3), repeat(RECONNECT_SECONDS))


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: kopf would copy every object of every event deeply, for handlers that do not exist."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:  # noqa: ARG002 - kopf's signature
        """Return an empty essence."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002 - kopf's signature
        """Return nothing, as for an object that was never handled."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def build_settings() -> kopf.OperatorSettings:
    """Return kopf's settings (kopf 1.45)."""
    settings = kopf.OperatorSettings()
    # One replica; the default peering can freeze two operators of the same priority for ever.
    settings.peering.standalone = True
    # The chart installs the CRD first: no watches on CRDs and namespaces, and no rights for them.
    settings.scanning.disabled = True
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.watching.connect_timeout = 5
    # Watches that have gone silent are noticed by kopf's inactivity_timeout, 70 s. Not sooner: the API server sends a
    # bookmark each minute, and a watch that never sees one resumes at a version that the server forgets.
    settings.watching.server_timeout = 600
    # Small pages: the peak of memory at the start is theirs.
    settings.watching.chunk_size = 100
    # A watched object's last state is kept for as long as its queue waits for another event.
    settings.queueing.idle_timeout = 0.1
    settings.watching.label_selectors["batch", "v1", "jobs"] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    # Below the Pod's grace period.
    settings.process.ultimate_exiting_timeout = 20
    # Unused by event handlers; the defaults would collide with other operators if that ever changed.
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    # Events are sent on transitions by the reconciler, never made from log lines.
    settings.posting.enabled = False
    return settings


def build_registry(observer: Observer) -> kopf.OperatorRegistry:
    """Return the registry with every handler of the operator."""
    registry = kopf.OperatorRegistry()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def councilor(event: kopf.RawEvent, **_: Any) -> None:
        observer.councilor(event["type"] == "DELETED", event["object"])

    @kopf.on.event("batch", "v1", "cronjobs", registry=registry)
    async def cron_job(event: kopf.RawEvent, **_: Any) -> None:
        observer.cron_job(event["type"] == "DELETED", event["object"])

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job(event: kopf.RawEvent, **_: Any) -> None:
        observer.job(event["type"] == "DELETED", event["object"])

    add_login(registry)
    return registry


def add_login(registry: kopf.OperatorRegistry) -> None:
    """Register the login; that of the official client is not wanted: one way in the cluster, one outside."""

    @kopf.on.login(registry=registry)
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def quiet_framework_logs() -> None:
    """Keep the loggers of kopf to what needs attention."""
    for name in ("kopf.objects", "kopf.activities", "kopf._core"):
        logging.getLogger(name).setLevel(logging.WARNING)
