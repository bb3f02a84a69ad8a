"""What stands in README.md beside the demo's own output: commands that are answered with advice."""

from dataclasses import dataclass, field
from typing import Any, Final

from councilor_operator.constants import API_VERSION, KIND


@dataclass(frozen=True)
class Step:
    """A command as the page shows it, and what is run for it: kubectl's `arguments`, with `file` as standard input."""

    shown: str
    arguments: tuple[str, ...]
    file: dict[str, Any] | None = field(default=None, hash=False)


def _councilor(name: str, **schedule: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "agentId": "CoverageReviewer_Agent",
            "schedule": schedule,
            "task": {"prompt": "Is test coverage falling?"},
            "execution": {"cwd": "/srv/project"},
        },
    }


APPLY: Final = ("apply", "-f", "-")
REFUSALS: Final = (
    Step(
        "kubectl apply -f typo.yaml        # an interval that is a cron expression",
        APPLY,
        _councilor("typo", type="interval", value="0 9 * * *"),
    ),
    Step(
        "kubectl apply -f typo.yaml        # timezone instead of timeZone",
        APPLY,
        _councilor("typo", type="cron", value="0 9 * * *", timezone="America/Sao_Paulo"),
    ),
)
SUNDAYS: Final = _councilor("sundays", type="cron", value="0 9 * * 7")
"""Taken by the API server, refused by the operator: its condition says what to write."""
