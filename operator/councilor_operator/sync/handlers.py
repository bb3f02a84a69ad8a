"""kopf's side of the sync: watch events of the Councilors of one namespace."""

from typing import Any

import kopf

from councilor_operator.constants import GROUP, PLURAL, VERSION
from councilor_operator.handlers import add_login
from councilor_operator.sync.rounds import Rounds


def build_registry(rounds: Rounds) -> kopf.OperatorRegistry:
    """Return the registry with every handler of the sync."""
    registry = kopf.OperatorRegistry()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def councilor(event: kopf.RawEvent, **_: Any) -> None:
        rounds.observe(event["type"] == "DELETED", event["object"])

    add_login(registry)
    return registry
