"""The Councilors of the namespace: the only module of the sync that writes."""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from councilor_operator.cluster import Listing
from councilor_operator.connection import MERGE_PATCH, Connection
from councilor_operator.constants import GROUP, PLURAL, VERSION
from councilor_operator.events import Event
from councilor_operator.observed import ObservedCouncilor, Page, Reference
from councilor_operator.posting import post_event
from councilor_operator.sync.existing import Existing

FIELD_MANAGER: Final = "councilor-sync"
REPORTING_CONTROLLER: Final = "conductor.community/councilor-sync"


class Target(Protocol):
    """What a round may do. Every method may raise the errors of `errors.py`."""

    def list(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        """Read all Councilors of the namespace, page by page."""
        ...

    async def create(self, manifest: Mapping[str, Any]) -> Existing:
        """Create a Councilor; one of that name that is there already is a `ConflictError`."""
        ...

    async def change(self, existing: Existing, patch: Mapping[str, Any]) -> Existing:
        """Merge into a Councilor, if nobody wrote it since it was observed."""
        ...

    async def delete(self, existing: Existing) -> None:
        """Delete a Councilor, if nobody wrote it since it was observed."""
        ...


class KubernetesTarget:
    """The Councilors of one namespace behind a connection, and the sender of events about them."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
        self._listing = Listing(connection, (namespace,))
        self._instance = os.environ.get("HOSTNAME") or socket.gethostname()

    def list(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        return self._listing.councilors()

    async def create(self, manifest: Mapping[str, Any]) -> Existing:
        body = await self._connection.request("POST", self._path, parameters=_PARAMETERS, body=manifest)
        return Existing.of(ObservedCouncilor.from_object(body))

    async def change(self, existing: Existing, patch: Mapping[str, Any]) -> Existing:
        # With the version: somebody may have taken the label away a moment ago, to keep the Councilor and edit it, and
        # an edit that came in between has to be seen to be undone.
        metadata = {**patch.get("metadata", {}), "uid": existing.uid, "resourceVersion": existing.resource_version}
        body = await self._connection.request(
            "PATCH",
            f"{self._path}/{existing.name}",
            parameters=_PARAMETERS,
            body={**patch, "metadata": metadata},
            content_type=MERGE_PATCH,
        )
        return Existing.of(ObservedCouncilor.from_object(body))

    async def delete(self, existing: Existing) -> None:
        # With the version, as above.
        preconditions = {"uid": existing.uid, "resourceVersion": existing.resource_version}
        await self._connection.request(
            "DELETE",
            f"{self._path}/{existing.name}",
            body={"propagationPolicy": "Background", "preconditions": preconditions},
        )

    async def send_event(self, about: Reference, event: Event, now: datetime) -> None:
        """Send an event; `now` is when it happened."""
        await post_event(self._connection, about, event, now, controller=REPORTING_CONTROLLER, instance=self._instance)


_PARAMETERS: Final = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
