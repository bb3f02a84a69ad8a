"""The round: gather documents and Councilors, decide, apply, report. One at a time, for ever.

Whatever asks for a round (the change feed, a watch event, the clock, a write that did not succeed) gets the same one: a
full read of all documents and a full comparison. So a restart needs nothing from before it, and the one thing that
outlives a round, what the guard remembers, errs on the side of keeping Councilors.

Errors become a retry here and nowhere else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Literal, Never, Protocol

from councilor_operator.cache import Store
from councilor_operator.constants import ANNOTATION_DOCUMENT, GROUP, PLURAL
from councilor_operator.errors import (
    ApiError,
    ConfigurationError,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from councilor_operator.observed import ObservedCouncilor, RawObject, Reference, read
from councilor_operator.recorder import EventRecorder
from councilor_operator.sync import notices
from councilor_operator.sync.candidate import Candidate, SourceDocument
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.existing import Existing
from councilor_operator.sync.guard import Limits, Memory, Ruling, rule
from councilor_operator.sync.metrics import SyncMetrics
from councilor_operator.sync.notices import Notice
from councilor_operator.sync.plan import Change, Comparison, compare, difference, manifest
from councilor_operator.sync.source import SourceError
from councilor_operator.sync.target import Target
from councilor_operator.sync.translation import TranslationRules, one_for_each_name, translate

logger = logging.getLogger(__name__)

Result = Literal["unchanged", "changed", "incomplete", "failed"]

FIRST_RETRY: Final = timedelta(seconds=1)
LAST_RETRY: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = 5.0
"""Seconds: after a round there is a pause as long as reading and comparing took, up to this. A burst of changes takes
half a core; writes are not counted, since no later round makes them again."""


class Documents(Protocol):
    """Where the documents come from."""

    async def read(self) -> Sequence[SourceDocument]:
        """Read all live councilors' documents; raises `SourceError`, and then nothing is known."""
        ...


@dataclass(slots=True)
class _Work:
    """What became of a round's writes."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unfinished: int = 0
    """Writes that did not succeed."""
    retry_after: float = 0.0
    """Seconds that the API server asks for before the next attempt."""
    stale: bool = False
    """Whether Councilors are not as they were believed to be."""
    undeletable: list[str] = field(default_factory=list)
    """UIDs of Councilors that the API server would not delete."""
    standing: list[Notice] = field(default_factory=list)
    passing: list[Notice] = field(default_factory=list)


class Rounds:
    """Keeps the Councilors of a namespace equal to the documents."""

    def __init__(
        self,
        *,
        source: Documents,
        target: Target,
        config: SyncConfig,
        recorder: EventRecorder,
        metrics: SyncMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._target = target
        self._config = config
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self._rules = TranslationRules(config.cron_dialect, config.time_zone)
        self._limits = Limits(timedelta(seconds=config.confirmation_seconds), config.max_deletions)
        self._namespace = Reference("v1", "Namespace", config.namespace, config.namespace)
        self._store: Store[Existing] = Store(lambda item: item.name)
        self._list_due = clock()
        self._asked = asyncio.Event()
        self._asked.set()
        self._translated: dict[tuple[str, str], tuple[Mapping[str, object], Candidate]] = {}
        self._wanted: dict[str, Candidate] = {}
        """By name, what the documents asked for when they were last read."""
        self._in_place: frozenset[str] = frozenset()
        """Names whose Councilors were as wanted after the last round: what differs now, somebody else changed."""
        self._memory = Memory()
        self._known: dict[tuple[str, ...], Notice] = {}
        self._held: frozenset[tuple[str, str]] = frozenset()
        self._writing_since: float | None = None
        """When (`monotonic`) the round that is going on had compared everything, None before."""
        self._knows_documents = False
        self.compared = asyncio.Event()
        """Set once documents and Councilors have been compared."""
        self.last_end = clock()
        """When a round last came to an end, whatever its result."""
        self.problem: str | None = None
        """Why the last round failed, for a person."""

    def ask(self, cause: str) -> None:
        """Ask for a round; what asks while one is going on, or in the pause after it, gets one together."""
        self._metrics.causes.labels(cause).inc()
        self._asked.set()

    def observe(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Councilor, and ask for a round if it is not what the documents asked for."""
        councilor = read(ObservedCouncilor, body)
        if councilor is None:
            return
        item = Existing.of(councilor)
        before = self._store.get(item.uid)
        if deleted:
            self._store.drop(item)
            changed = before is not None
        else:
            changed = self._store.put(item)
        # Until the first round has read everything, nothing is wanted and everything is its business.
        if changed and self._knows_documents and self._concerns(item, before, deleted=deleted):
            self.ask("watch")

    def _concerns(self, item: Existing, before: Existing | None, *, deleted: bool) -> bool:
        """Tell whether a round would find something to do. Status writes come with every run and are no reason."""
        wanted = self._wanted.get(item.name)
        if wanted is None:
            # Newly labelled as ours: without a document it has to go.
            return not deleted and item.is_own and (before is None or not before.is_own)
        if deleted:
            return True
        if not item.is_own:
            return ("NameTaken", item.uid) not in self._known
        return not item.councilor.deleting and bool(difference(item, wanted))

    async def work(self) -> Never:
        """Make rounds for ever; raises `ConfigurationError` when the CRD is not installed."""
        retry = FIRST_RETRY
        due = self._clock()
        while True:
            wait = max(0.0, (due - self._clock()).total_seconds())
            try:
                async with asyncio.timeout(wait):
                    await self._asked.wait()
            except TimeoutError:
                self.ask("clock")
            self._asked.clear()
            started, self._writing_since = monotonic(), None
            result, again, pause = await self._round()
            self.last_end = now = self._clock()
            self._metrics.rounds.labels(result).inc()
            self._metrics.round_seconds.observe(monotonic() - started)
            due = now + timedelta(seconds=self._config.full_seconds)
            if again is not None:
                due = min(due, again)
            if result in {"failed", "incomplete"}:
                due = min(due, now + max(retry, pause))
                retry = min(2 * retry, LAST_RETRY)
            else:
                retry = FIRST_RETRY
            await asyncio.sleep(self._pause(started))

    def _pause(self, started: float) -> float:
        """Return the seconds until the next round, for one that has just ended."""
        looked = self._writing_since if self._writing_since is not None else monotonic()
        return min(looked - started, LONGEST_PAUSE)

    async def _round(self) -> tuple[Result, datetime | None, timedelta]:
        """Make one round; returns how it went, when to look again for the guard's sake, and how long the API server
        wants to be left alone."""
        try:
            if self._clock() >= self._list_due:
                await self._list()
            # Councilors first: one that another sync makes of a document that comes in between must not look like one
            # whose document is gone.
            existing = self._store.snapshot()
            documents = await self._source.read()
        except SourceError as error:
            self._note(error.message)
            self._metrics.source_errors.labels(error.cause).inc()
            notice = notices.source_failed(error.cause, error.message, self._namespace)
            # What stood before still does, as far as anybody knows.
            self._tell([notice, *self._known.values()], [])
            return "failed", None, timedelta()
        except ApiError as error:
            if isinstance(error, NotFoundError):
                # kopf looks for the resource once, at its start: only a new process would watch it.
                raise ConfigurationError(
                    f"the API server does not know {PLURAL}.{GROUP}: install the CRD first, `kubectl apply "
                    "--server-side -f crds/`"
                ) from error
            self._note(f"Councilors cannot be listed: {error.message}")
            return "failed", None, timedelta()
        now = self._clock()
        candidates = self._candidates(documents)
        wanted = {candidate.name: candidate for candidate in candidates}
        before, self._wanted = self._wanted, wanted
        self._knows_documents = True
        comparison = compare(candidates, existing)
        ruling = rule(comparison.missing, comparison.kept, self._memory, self._limits, now)
        self._writing_since = monotonic()
        work = await self._apply(comparison, ruling, before)
        self._memory = Memory(
            absences=ruling.absences,
            deleted_at=(*self._memory.deleted_at, *(now for _ in range(work.deleted)))[-self._limits.deletions :],
            refused=frozenset(work.undeletable),
        )
        self._report(candidates, comparison, ruling, work)
        taken = {collision.candidate.name for collision in comparison.collisions}
        self._in_place = frozenset(wanted) - taken if not work.unfinished else frozenset()
        self._metrics.last_round.set(now.timestamp())
        if not work.unfinished:
            self.problem = None
        self.compared.set()
        if work.stale:
            self._list_due = self._clock()
        written = work.created or work.updated or work.deleted
        result: Result = "incomplete" if work.unfinished else "changed" if written else "unchanged"
        return result, ruling.look_again, timedelta(seconds=work.retry_after)

    def _note(self, problem: str) -> None:
        """Say once what keeps documents and Councilors from being equal."""
        if problem != self.problem:
            logger.warning("%s", problem)
        self.problem = problem

    async def _list(self) -> None:
        """Read all Councilors of the namespace: the watch may have missed a deletion, or has not begun."""
        asked_at = self._store.newest
        items: list[Existing] = []
        versions: list[int] = []
        async for page in self._target.list():
            items += [Existing.of(item) for item in page.items]
            versions.append(page.version)
        self._store.replace(items, min(versions), asked_at=asked_at)
        self._list_due = self._clock() + timedelta(seconds=self._config.full_seconds)

    def _candidates(self, documents: Sequence[SourceDocument]) -> list[Candidate]:
        """Translate what has changed since the last round; most documents have not."""
        translated: dict[tuple[str, str], tuple[Mapping[str, object], Candidate]] = {}
        for document in documents:
            key = (document.collection, document.key)
            known = self._translated.get(key)
            if known is not None and identical(known[0], document.body):
                translated[key] = known
            else:
                translated[key] = (document.body, translate(document, self._rules))
        self._translated = translated
        return one_for_each_name(candidate for _, candidate in translated.values())

    async def _apply(self, comparison: Comparison, ruling: Ruling, before: Mapping[str, Candidate]) -> _Work:
        work = _Work(standing=[notices.name_taken(collision) for collision in comparison.collisions])
        seconds = self._limits.confirmation.total_seconds()
        work.standing += [notices.held(why, items, self._namespace, seconds) for why, items in ruling.held.items()]
        gate = asyncio.Semaphore(self._config.workers)

        async def bounded(write: Awaitable[None], candidate: Candidate | None, existing: Existing | None) -> None:
            async with gate:
                await self._attempt(write, candidate, existing, work)

        await asyncio.gather(
            *(bounded(self._create(item, before, work), item, None) for item in comparison.creations),
            *(bounded(self._change(item, before, work), item.candidate, item.existing) for item in comparison.changes),
            *(bounded(self._delete(item, work), None, item) for item in ruling.deletions),
        )
        return work

    async def _create(self, candidate: Candidate, before: Mapping[str, Candidate], work: _Work) -> None:
        created = await self._target.create(manifest(candidate, self._config.namespace))
        self._store.put(created)
        self._metrics.writes.labels("create").inc()
        work.created += 1
        if candidate.name in self._in_place and before.get(candidate.name) == candidate:
            work.passing.append(notices.recreated(candidate, created))

    async def _change(self, change: Change, before: Mapping[str, Candidate], work: _Work) -> None:
        changed = await self._target.change(change.existing, change.patch)
        self._store.put(changed)
        self._metrics.writes.labels("update").inc()
        work.updated += 1
        if change.existing.name in self._in_place and before.get(change.existing.name) == change.candidate:
            work.passing.append(notices.reverted(change.candidate, changed))

    async def _delete(self, existing: Existing, work: _Work) -> None:
        await self._target.delete(existing)
        # The watch will say so, but perhaps not before the next round.
        self._store.drop(existing)
        self._metrics.writes.labels("delete").inc()
        work.deleted += 1
        work.passing.append(notices.removed(existing, existing.annotations.get(ANNOTATION_DOCUMENT, "")))

    async def _attempt(
        self, write: Awaitable[None], candidate: Candidate | None, existing: Existing | None, work: _Work
    ) -> None:
        """Carry out one write; what it could not do, another round will find still to do."""
        try:
            await write
        except (ConflictError, NotFoundError):
            # Somebody was faster: what is there now has to be looked at before anything is decided.
            cause, work.stale = "conflict", True
        except NamespaceGoneError as error:
            cause = "refused"
            self._note(f"Councilors cannot be made in {self._config.namespace}: {error.message}")
        except TransientError as error:
            cause = "transient"
            work.retry_after = max(work.retry_after, error.retry_after or 0.0)
        except RejectedError as error:
            cause = "refused"
            work.standing.append(notices.refused(candidate, existing, self._namespace, error))
            if candidate is None and existing is not None:
                work.undeletable.append(existing.uid)
            self._note(f"the API server refuses a Councilor: HTTP status {error.status}, see the event about it")
        else:
            return
        work.unfinished += 1
        self._metrics.write_failures.labels(cause).inc()

    def _report(self, candidates: Sequence[Candidate], comparison: Comparison, ruling: Ruling, work: _Work) -> None:
        counts: dict[tuple[str, str], int] = {}
        for candidate in candidates:
            key = (candidate.document.partition("/")[0], _state(candidate))
            counts[key] = counts.get(key, 0) + 1
        self._metrics.count_documents(counts)
        self._metrics.collisions.set(len(comparison.collisions))
        held = frozenset((reason, item.uid) for reason, items in ruling.held.items() for item in items)
        self._metrics.count_held({reason: len(items) for reason, items in ruling.held.items()})
        for reason, _ in held - self._held:
            self._metrics.refusals.labels(reason).inc()
        self._held = held
        self._tell(work.standing, work.passing)
        if work.created or work.updated or work.deleted or work.unfinished:
            logger.info(
                "compared %d documents: %d Councilors created, %d updated, %d deleted, %d writes left to do",
                len(candidates),
                work.created,
                work.updated,
                work.deleted,
                work.unfinished,
            )

    def _tell(self, standing: Sequence[Notice], passing: Sequence[Notice]) -> None:
        now = self._clock()
        for notice in [*notices.news(standing, self._known), *passing]:
            self._recorder.record(notice.about, [notice.event], now)
        self._known = {notice.key: notice for notice in standing}


def identical(one: object, other: object) -> bool:
    """Tell whether two values of documents are the same in type, too: for Python 1 and True are equal."""
    if one is other:
        return True
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(identical(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return one == other


def _state(candidate: Candidate) -> str:
    if candidate.problem is not None:
        return "invalid"
    return "enabled" if candidate.spec.schedule.enabled else "paused"
