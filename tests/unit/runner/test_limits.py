"""One deadline, and the arithmetic of every limit that follows from it."""

import contextlib
import subprocess

import pytest

from councilor_operator.builders import (
    CONTRACT_LIMIT,
    GRACE_PERIOD_SECONDS,
    START_AND_RECORD_SECONDS,
    job_deadline_seconds,
)
from councilor_runner import __main__, bookkeeping, channels, completion, gateway, notifications, store
from councilor_runner.conductor import SYNCHRONOUS_MARGIN_SECONDS
from councilor_runner.connection import ANSWER_SECONDS, CONNECT_SECONDS
from councilor_runner.contract import ENV_CONTRACT, GRACE_SECONDS, PROMPT_LIMIT
from councilor_runner.execution import Limits
from tests import factories

# Two indexes, and the claim, which may take two operations.
CLAIM = 4 * store.OPERATION_SECONDS
# The last look begins at the deadline at the latest: details and list of the gateway, then MongoDB.
LAST_LOOK = 2 * gateway.POLL_SECONDS + store.OPERATION_SECONDS
# Writing is given up when the budget is over, but not in the middle of an operation.
RECORD = bookkeeping.BUDGET_SECONDS + store.OPERATION_SECONDS
TELL = completion._LOOK_BACK_SECONDS + max(notifications.SECONDS, channels.SECONDS)


def test_the_runner_ends_before_its_job_is_ended() -> None:
    waiting = max(LAST_LOOK, SYNCHRONOUS_MARGIN_SECONDS)
    assert CLAIM + waiting + RECORD + TELL + __main__._CLOSING_SECONDS < START_AND_RECORD_SECONDS


@pytest.mark.parametrize("retries", [0, 1, 10])
@pytest.mark.parametrize("seconds", [1, 600, 86_400])
def test_the_jobs_deadline_follows_from_the_councilors(seconds: int, retries: int) -> None:
    spec = factories.spec(execution={"timeoutSeconds": seconds, "retries": retries})
    # A Pod that found nothing out, for each retry: claimed and could not reach Conductor.
    assert job_deadline_seconds(spec) >= seconds + START_AND_RECORD_SECONDS + retries * GRACE_PERIOD_SECONDS


def test_an_interrupted_runner_ends_before_it_is_killed() -> None:
    record = bookkeeping.INTERRUPTED_BUDGET_SECONDS + store.OPERATION_SECONDS
    tell = completion._INTERRUPTED_LOOK_BACK_SECONDS + notifications.INTERRUPTED_SECONDS
    assert record + tell + __main__._CLOSING_SECONDS < GRACE_SECONDS < GRACE_PERIOD_SECONDS


def test_a_connection_is_given_up_before_the_answer_is() -> None:
    # By way of a proxy there are three steps: to the proxy, through it, TLS.
    assert 3 * CONNECT_SECONDS < ANSWER_SECONDS
    assert store.SELECTION_MS / 1000 < store.OPERATION_SECONDS


def test_a_pod_gives_up_submitting_before_the_next_one_would_start() -> None:
    assert sum(Limits().submit_delays) < 10


@pytest.mark.parametrize(("surplus", "fits"), [(0, True), (1, False)])
def test_the_kernel_takes_a_contract_of_the_limit(surplus: int, fits: bool) -> None:
    environment = {ENV_CONTRACT: "x" * (CONTRACT_LIMIT + surplus)}
    with contextlib.nullcontext() if fits else pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["/bin/true"], env=environment, check=True)


def test_the_longest_prompt_fits_with_room_for_the_rest() -> None:
    # Four bytes a character; JSON needs six for a control character, of which a prompt has few.
    assert 4 * PROMPT_LIMIT < CONTRACT_LIMIT / 2
