"""Events on their way to the API server (events.k8s.io/v1); operator and sync send them in the same form."""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from councilor_operator.connection import Connection
from councilor_operator.events import Event
from councilor_operator.observed import Reference

NOTE_LIMIT: Final = 1024
"""Characters of an event's note (events.k8s.io/v1)."""


async def post_event(
    connection: Connection, about: Reference, event: Event, now: datetime, *, controller: str, instance: str
) -> None:
    """Send an event; `now` is when it happened, `controller` and `instance` tell who sends it.

    Raises the errors of `errors.py`.
    """
    regarding = {
        "apiVersion": about.api_version,
        "kind": about.kind,
        # Events of an object without a namespace would have to stand in the namespace `default`.
        "namespace": about.namespace,
        "name": about.name,
        "uid": about.uid,
        "resourceVersion": about.resource_version,
    }
    await connection.request(
        "POST",
        f"/apis/events.k8s.io/v1/namespaces/{about.namespace}/events",
        body={
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{about.name[:230].rstrip('-.')}.{uuid4().hex[:16]}",
                "namespace": about.namespace,
            },
            "type": event.type,
            "reason": event.reason,
            "action": event.action,
            "note": event.note[:NOTE_LIMIT],
            "eventTime": now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": controller,
            "reportingInstance": instance,
            "regarding": {key: value for key, value in regarding.items() if value},
        },
    )
