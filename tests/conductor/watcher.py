"""The fake host watcher: takes pending tasks, lets the scripted agent "run", and writes the outcome.

Like the real one it has ten workers, no order among tasks of one working directory, and no time limit for claude.
Unlike it, it tells the gateway's listeners directly instead of over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DocumentTooLarge, PyMongoError, WriteError

from tests.conductor.answers import Answer
from tests.conductor.documents import (
    Document,
    display_name,
    emoji,
    now,
    provider_of,
    requested,
    task_document,
    wrap_prompt,
)
from tests.conductor.slots import Slots
from tests.conductor.state import StubState, StubStoppedError

T = TypeVar("T")

PROVIDERS: Final = frozenset({"claude", "gemini", "cursor-agent"})
LIMITED_PROVIDERS: Final = frozenset({"gemini", "cursor-agent"})
# A task stored by someone else may lack what the watcher reads.
_UNSET: Final[Document] = {"agent_id": "", "prompt": "", "cwd": "", "provider": "claude", "timeout": 1800}
_RECONNECT_SECONDS: Final = 0.1


class Watcher:
    """Advances the tasks of one stub until that stops. `failure` is a defect of the watcher itself."""

    def __init__(self, state: StubState) -> None:
        self._state = state
        self.failure: BaseException | None = None
        self._workers = Slots(lambda: state.settings.workers)
        self._running: dict[ObjectId, asyncio.Task[None]] = {}
        self._lock = threading.Lock()
        self._executions: Counter[str] = Counter()
        self._busy: Counter[str] = Counter()
        self._peak: Counter[str] = Counter()

    @property
    def executions(self) -> dict[str, int]:
        """How often the fake agent ran, per task id."""
        with self._lock:
            return dict(self._executions)

    def peak_concurrency(self, cwd: str) -> int:
        """The most tasks that ever ran at once in this working directory."""
        with self._lock:
            return self._peak[cwd]

    async def run(self) -> None:
        while not self._state.stopping.is_set():
            self._state.submitted.clear()
            with contextlib.suppress(PyMongoError):
                await self._take_pending()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._state.settings.watcher_interval):
                    await self._state.submitted.wait()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _take_pending(self) -> None:
        query = {"status": "pending", "_id": {"$nin": list(self._running)}}
        async for stored in self._state.database.tasks.find(query).sort("created_at", 1):
            task = _UNSET | stored
            # Chosen here, in the order of submission: later the delays of other tasks would decide who gets which.
            answer = self._state.scripts.next_answer(task["agent_id"], requested(task["prompt"]))
            running = asyncio.create_task(self._process(task, answer))
            self._running[task["_id"]] = running
            running.add_done_callback(functools.partial(self._forget, task["_id"]))

    def _forget(self, task_id: ObjectId, done: asyncio.Task[None]) -> None:
        del self._running[task_id]
        error = None if done.cancelled() else done.exception()
        if error is not None and not isinstance(error, StubStoppedError):
            self.failure = error

    async def _process(self, task: Document, answer: Answer) -> None:
        await self._state.pause(answer.pending)
        async with self._workers:
            started = await self._persist(
                lambda: self._state.database.tasks.find_one_and_update(
                    {"_id": task["_id"], "status": "pending"},
                    {"$set": {"status": "processing", "started_at": now()}},
                    return_document=ReturnDocument.AFTER,
                )
            )
            if started is None:
                return
            task = _UNSET | started
            self._enter(task)
            try:
                await self._announce("task_picked", task)
                await self._announce("task_started", task)
                await self._execute(task, answer)
            finally:
                self._leave(task)

    async def _execute(self, task: Document, answer: Answer) -> None:
        begun = time.monotonic()
        answer = self._host_failure(task) or answer
        if task["provider"] in LIMITED_PROVIDERS and answer.delay > task["timeout"]:
            await self._state.pause(task["timeout"])
            answer = Answer(result=f"Comando excedeu tempo limite de {task['timeout']}s", exit_code=124)
        else:
            await self._state.pause(answer.delay)
        tasks = self._state.database.tasks
        if answer.ends == "never":
            await self._state.pause(None)
        if answer.ends == "vanishes":
            await self._persist(lambda: tasks.delete_one({"_id": task["_id"]}))
            return
        outcome = {
            "status": answer.final_status,
            "result": answer.final_result,
            "exit_code": answer.exit_code,
            "duration": round(time.monotonic() - begun, 4),
            "completed_at": now(),
        }
        try:
            await self._persist(lambda: tasks.update_one({"_id": task["_id"]}, {"$set": outcome}))
        except (DocumentTooLarge, WriteError):
            return  # as upstream: what cannot be stored leaves the task in `processing` for ever
        await self._announce("task_completed" if answer.final_status == "completed" else "task_error", task | outcome)
        if answer.delegation is not None:
            await self._delegate(task, answer.delegation.agent_id, answer.delegation.prompt)

    def _host_failure(self, task: Document) -> Answer | None:
        settings = self._state.settings
        if task["cwd"] in settings.missing_directories:
            wording = "Diretório de trabalho" if settings.era == "current" else "Diretório"
            return Answer(result=f"{wording} não encontrado: {task['cwd']}", exit_code=1)
        if task["provider"] not in PROVIDERS:
            return Answer(result=f"Provider '{task['provider']}' não suportado", exit_code=1)
        if task["provider"] in settings.missing_commands:
            return Answer(result=f"Comando não encontrado: {task['provider']}", exit_code=127)
        return None

    async def _delegate(self, task: Document, agent_id: str, prompt: str) -> None:
        database = self._state.database
        agent = await self._persist(lambda: database.agents.find_one({"agent_id": agent_id})) or {}
        delegated = task_document(
            task_id=ObjectId(),
            agent_id=agent_id,
            provider=provider_of(agent, None),
            prompt=wrap_prompt(agent, prompt, with_history=False),
            cwd=task["cwd"],
            timeout=task["timeout"],
            instance_id=None,
            councilor_config=None,
            is_councilor_execution=False,
        )
        await self._persist(lambda: database.tasks.insert_one(delegated))
        self._state.submitted.set()

    def _enter(self, task: Document) -> None:
        with self._lock:
            self._executions[str(task["_id"])] += 1
            self._busy[task["cwd"]] += 1
            self._peak[task["cwd"]] = max(self._peak[task["cwd"]], self._busy[task["cwd"]])

    def _leave(self, task: Document) -> None:
        with self._lock:
            self._busy[task["cwd"]] -= 1

    async def _announce(self, kind: str, task: Document) -> None:
        """Broadcasts as the watcher's own post would; the look-up of the agent's name must not fail a run."""
        agent_id = task["agent_id"]
        try:
            agent = await self._state.database.agents.find_one({"agent_id": agent_id}) or {}
        except PyMongoError:
            agent = {}
        result = task.get("result")
        await self._state.hub.broadcast(
            kind,
            {
                "task_id": str(task["_id"]),
                "agent_id": agent_id,
                "agent_name": display_name(agent, agent_id),
                "agent_emoji": emoji(agent),
                "instance_id": task.get("instance_id"),
                "conversation_id": task.get("conversation_id"),
                "screenplay_id": task.get("screenplay_id"),
                "status": task["status"],
                "duration_ms": int((task.get("duration") or 0) * 1000),
                "exit_code": task.get("exit_code"),
                "result_summary": result[:200] if isinstance(result, str) else "",
                "timestamp": now().isoformat(),
            },
        )

    async def _persist(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Repeats an operation until MongoDB carries it out: a stub that gives up would look like a crashed watcher.

        Only what can never be stored is raised: DocumentTooLarge, WriteError.
        """
        while True:
            try:
                return await operation()
            except (DocumentTooLarge, WriteError):
                raise
            except PyMongoError:
                await self._state.pause(_RECONNECT_SECONDS)
