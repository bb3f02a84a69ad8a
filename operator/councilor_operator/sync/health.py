"""Health of the sync as the kubelet asks for it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from councilor_operator.health import Findings
from councilor_operator.sync.rounds import Rounds

MISSED_ROUNDS = 3
"""How many rounds that the clock asks for may fail to come before the sync counts as stuck."""
LONGEST_ROUND = timedelta(minutes=5)


class SyncHealth:
    """What is wrong with a running sync. A MongoDB that does not answer is nothing that a new process would mend."""

    def __init__(self, rounds: Rounds, every: timedelta, clock: Callable[[], datetime]) -> None:
        self._rounds = rounds
        self._limit = every * MISSED_ROUNDS + LONGEST_ROUND
        self._clock = clock

    def live(self) -> Findings:
        """Check that rounds come to an end."""
        since = self._rounds.last_end
        stuck = self._clock() - since > self._limit
        return {"rounds": f"no round has ended since {since.isoformat(timespec='seconds')}" if stuck else None}

    def ready(self) -> Findings:
        """Check that documents and Councilors were compared once: connections, rights and the CRD are there."""
        if self._rounds.compared.is_set():
            return {"first-comparison": None}
        return {"first-comparison": f"nothing was compared yet: {self._rounds.problem or 'everything is being read'}"}
