"""Councilors that are made in Conductor: what its UI writes to MongoDB when somebody promotes an agent.

One of each kind: an agent that is a councilor itself (`agents`), and a councilor with an agent (`agent_instances`).
"""

from typing import Final

from tests.conductor import councilors
from tests.conductor.documents import Document

from .records import conductor_state

DEFAULT_CWD: Final = "/srv/project"
"""Working directory of councilors whose document has none: those of `agents` never have one."""
AGENT: Final = "LinkChecker_Agent"
AGENT_CONFIG: Final[Document] = {
    "title": "Link counsel",
    "schedule": {"type": "interval", "value": "1m"},
    "task": {"name": "Dead links", "prompt": "Which links in docs/ lead nowhere?", "output_format": "checklist"},
    "notifications": {"on_success": True, "channels": ["toast", "panel"]},
}
INSTANCE_AGENT: Final = "IncidentReader_Agent"
INSTANCE_CONFIG: Final[Document] = {
    "title": "Incident counsel",
    "schedule": {"type": "cron", "value": "* * * * *"},
    "task": {"name": "Open incidents", "prompt": "Is any incident open for more than a day?"},
    "notifications": {},
}
CUSTOMIZATION: Final[Document] = {"display_name": "Ines Vigil", "color": "#5b21b6"}


def promote(uri: str) -> int:
    """Promotes both agents; how many Councilors that makes. Raises DemoError when MongoDB does not answer."""
    with conductor_state(uri) as database:
        councilors.promote_councilor(database, AGENT, AGENT_CONFIG)
        councilors.promote(database, INSTANCE_AGENT, INSTANCE_CONFIG, CUSTOMIZATION, DEFAULT_CWD)
    return 2
