"""Events are sent in order, one at a time; what cannot be sent is given up."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import pytest

from councilor_operator.errors import ApiError, RejectedError, TransientError
from councilor_operator.events import Event
from councilor_operator.metrics import Metrics
from councilor_operator.observed import Reference
from councilor_operator.recorder import EventRecorder
from tests import factories
from tests.factories import NOW


class Sender:
    """Takes events; fails as often as a test says."""

    def __init__(self, *failures: ApiError) -> None:
        self.failures = list(failures)
        self.sent: list[tuple[str, str, datetime]] = []
        self.in_flight = 0

    async def send_event(self, about: Reference, event: Event, now: datetime) -> None:
        self.in_flight += 1
        assert self.in_flight == 1
        await asyncio.sleep(0)
        self.in_flight -= 1
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((about.name, event.reason, now))


def event(reason: str) -> Event:
    return Event("Normal", reason, "Reconcile", "a note")


async def all_sent(recorder: EventRecorder) -> None:
    task = asyncio.create_task(recorder.work())
    async with asyncio.timeout(10):
        await recorder.sent()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_events_are_sent_in_order() -> None:
    sender = Sender()
    recorder = EventRecorder(sender, Metrics().event_failures)
    recorder.record(factories.councilor(name="a").reference, [event("First"), event("Second")], NOW)
    recorder.record(factories.councilor(name="b").reference, [event("Third")], NOW)
    assert sender.sent == []
    await all_sent(recorder)
    assert sender.sent == [("a", "First", NOW), ("a", "Second", NOW), ("b", "Third", NOW)]


@pytest.mark.parametrize("error", [TransientError("etcd is not there"), RejectedError("forbidden", status=403)])
async def test_an_event_that_cannot_be_sent_is_given_up(error: ApiError, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(error)
    metrics = Metrics()
    recorder = EventRecorder(sender, metrics.event_failures)
    recorder.record(factories.councilor().reference, [event("First"), event("Second")], NOW)
    with caplog.at_level(logging.WARNING):
        await all_sent(recorder)
    assert [reason for _, reason, _ in sender.sent] == ["Second"]
    assert "event First for council/licence-counsel was not sent" in caplog.text
    assert "a note" not in caplog.text
    assert metrics.registry.get_sample_value("councilor_operator_event_failures_total") == 1


async def test_a_full_queue_takes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender()
    metrics = Metrics()
    recorder = EventRecorder(sender, metrics.event_failures, capacity=2)
    with caplog.at_level(logging.WARNING):
        recorder.record(factories.councilor().reference, [event("First"), event("Second"), event("Third")], NOW)
    assert "event Third for council/licence-counsel is not sent" in caplog.text
    assert metrics.registry.get_sample_value("councilor_operator_event_failures_total") == 1
    await all_sent(recorder)
    assert [reason for _, reason, _ in sender.sent] == ["First", "Second"]
