"""Numbers on which operator and runner have to agree."""

from councilor_operator.builders import GRACE_PERIOD_SECONDS
from councilor_runner.contract import GRACE_SECONDS


def test_the_runner_ends_before_the_kubelet_kills_it() -> None:
    assert GRACE_SECONDS < GRACE_PERIOD_SECONDS
