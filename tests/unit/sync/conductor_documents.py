"""Documents as Conductor writes them, and what else has been met in their place."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from councilor_operator.sync.candidate import SourceDocument

Document = dict[str, Any]

KEY = "698b3e954f1a7c20d8e6b359"
INSTANCE_KEY = "698c3a9ae07b15d2c4f8a613"
INSTANCE_ID = "councilor_LicenseAuditor_Agent_1770797722450"

CONFIG: Document = {
    "title": "Licence counsel",
    "schedule": {"type": "cron", "value": "0 9 * * MON", "enabled": True},
    "task": {
        "name": "Licence check",
        "prompt": "List dependencies without a known licence.",
        "context_files": ["pyproject.toml"],
        "output_format": "summary",
    },
    "notifications": {"on_success": False, "on_warning": True, "on_error": True, "channels": ["toast", "panel"]},
}
AGENT: Document = {
    "agent_id": "LicenseAuditor_Agent",
    "definition": {
        "name": "LicenseAuditor_Agent",
        "version": "1.0.0",
        "schema_version": "1.0",
        "description": "Reads licences of dependencies",
        "author": "Example team",
        "tags": ["legal"],
        "capabilities": [],
        "allowed_tools": [],
        "mcp_configs": [],
        "emoji": "📜",
    },
    "squads": ["other"],
    "group": "other",
    "persona": {"content": "# Licence auditor\nYou check licences."},
    "created_at": datetime(2026, 2, 10, 14, 20, 5, tzinfo=UTC),
    "updated_at": datetime(2026, 2, 10, 14, 31, tzinfo=UTC),
    "is_councilor": True,
    "councilor_config": CONFIG,
    "customization": {"enabled": True, "display_name": "Lia Paragraph", "avatar_url": None, "color": "#5b21b6"},
    "stats": {"total_executions": 4, "last_execution": datetime(2026, 3, 2, tzinfo=UTC), "success_rate": 75.0},
}
SIMPLE_AGENT: Document = {
    "agent_id": "quality-checker",
    "name": "Quality checker",
    "title": "Reviewer",
    "emoji": "🔎",
    "description": "Looks for long files",
    "prompt": "You review code.",
    "model": "claude",
    "is_councilor": True,
    "councilor_config": {
        "title": "Reviewer",
        "schedule": {"type": "interval", "value": "6h"},
        "task": {"name": "Long files", "prompt": "Which files are too long?"},
        "notifications": {},
    },
}
INSTANCE: Document = {
    "instance_id": INSTANCE_ID,
    "agent_id": "LicenseAuditor_Agent",
    "screenplay_id": "698c3a9ae07b15d2c4f8a612",
    "conversation_id": "3b1f7a62-94de-4c0b-8d27-6a5e0f9c1d48",
    "position": {"x": 100, "y": 100},
    "status": "idle",
    "created_at": "2026-02-11T08:15:22.450118",
    "updated_at": datetime(2026, 2, 12, 10, tzinfo=UTC),
    "last_execution": None,
    "cwd": "/srv/project",
    "emoji": "📜",
    "display_order": 0,
    "definition": {"title": "LicenseAuditor_Agent", "description": "Reads licences of dependencies", "unicode": ""},
    "statistics": {"task_count": 0, "total_execution_time": 0.0, "total_executions": 0, "last_execution": None},
    "is_councilor_instance": True,
    "councilor_config": CONFIG,
    "customization": None,
}

REMOVED = object()
"""As a value in `changed`: the field is not there."""


def changed(document: Document, changes: Mapping[str, Any]) -> Document:
    """Return a copy with fields, by dotted paths, set or `REMOVED`."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, name = path.split(".")
        node = result
        for parent in parents:
            if node.get(parent) is None:
                node[parent] = {}
            node = node[parent]
        if value is REMOVED:
            node.pop(name, None)
        else:
            node[name] = value
    return result


def legacy(changes: Mapping[str, Any] | None = None, *, of: Document = AGENT, key: str = KEY) -> SourceDocument:
    """Return a document of `agents`."""
    return SourceDocument("agents", key, changed(of, changes or {}))


def instance(changes: Mapping[str, Any] | None = None, *, key: str = INSTANCE_KEY) -> SourceDocument:
    """Return a document of `agent_instances`."""
    return SourceDocument("agent_instances", key, changed(INSTANCE, changes or {}))
