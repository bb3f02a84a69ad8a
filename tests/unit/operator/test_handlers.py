"""kopf's settings, where a value of ours is more than a number."""

from collections.abc import Iterable
from itertools import islice

from councilor_operator.handlers import RECONNECT_SECONDS, build_settings


def test_an_outage_of_any_length_is_waited_for() -> None:
    """kopf ends the process when the delays end, and walks through them anew for each request."""
    delays = build_settings().networking.error_backoffs
    assert isinstance(delays, Iterable)
    for _ in range(2):
        first = list(islice(delays, 10_000))
        assert len(first) == 10_000
        assert first[0] == 1
        assert max(first) == first[-1] == RECONNECT_SECONDS
