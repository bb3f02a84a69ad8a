"""What the agents behind the stub answer: one `Answer` a run, chosen per agent and per prompt by `Scripts`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt, TypeAdapter, ValidationError

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
JUST_UNDER_LIMIT: Final = MAX_DOCUMENT_BYTES - 64 * 1024  # leaves room for the task's other fields
ANY_AGENT: Final = "*"


class Delegation(BaseModel):
    """A delegation block in an agent's output: cut out of the result, and a run of another agent begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent_id: str
    prompt: str


class Answer(BaseModel):
    """One run of an agent, as the watcher experiences it.

    `pending` and `delay` are seconds: the time in the queue, and the time of the command. `status` follows from
    `exit_code` unless given. `ends` is `never` for a task that stays `processing`, `vanishes` for one whose document
    is deleted instead of finished. `result_bytes` replaces `result` by a text of that many bytes; one beyond 16 MB
    cannot be stored, so that task stays `processing` too. `stderr` is appended to the result of a failed run only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: str | dict[str, Any] | None = "Nothing to report."
    exit_code: int | None = 0
    stderr: str = ""
    status: Literal["completed", "error"] | None = None
    pending: NonNegativeFloat = 0.0
    delay: NonNegativeFloat = 0.0
    ends: Literal["finished", "never", "vanishes"] = "finished"
    result_bytes: PositiveInt | None = None
    delegation: Delegation | None = None

    @property
    def final_status(self) -> Literal["completed", "error"]:
        if self.status is not None:
            return self.status
        return "completed" if self.exit_code in (0, None) else "error"

    @property
    def final_result(self) -> str | dict[str, Any] | None:
        """The result as stored: of the asked size, with stderr on its own line behind the text of a failed run."""
        if self.result_bytes is not None:
            return "x" * self.result_bytes
        if self.final_status == "completed" or not self.stderr or isinstance(self.result, dict):
            return self.result
        output = self.result or ""
        separator = "\n" if output and not output.endswith("\n") else ""
        return f"{output}{separator}{self.stderr}"


def _ndjson() -> str:
    events = (
        {"type": "system", "subtype": "init", "tools": ["Read"]},
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "Reading the lock file."}]}},
        {"type": "result", "subtype": "success", "is_error": False, "result": "Nothing to report."},
    )
    return "".join(f"{json.dumps(event)}\n" for event in events)


ODD_ANSWERS: Final[Mapping[str, Answer]] = {
    "empty": Answer(result=""),
    "null": Answer(result=None),
    "object": Answer(result={"result": "All 42 have a licence.", "exit_code": 0, "severity": "warning"}),
    "huge": Answer(result_bytes=JUST_UNDER_LIMIT),
    "too large to store": Answer(result_bytes=MAX_DOCUMENT_BYTES + 1),
    "raw NDJSON": Answer(result=_ndjson()),
    "zero failures": Answer(result="120 testes executados, 0 falhas"),
    "exit code null": Answer(exit_code=None),
    "stays processing": Answer(ends="never"),
    "vanishes": Answer(ends="vanishes"),
}
"""Answers that a caller must survive, by name."""


@dataclass
class _Rule:
    agent_id: str
    prompt: str | None
    answers: tuple[Answer, ...]
    used: int = field(default=0)

    def matches(self, agent_id: str, prompt: str) -> bool:
        return self.agent_id in (agent_id, ANY_AGENT) and (self.prompt is None or self.prompt in prompt)

    @property
    def rank(self) -> tuple[bool, bool]:
        """Sorts the most specific rule first."""
        return (self.agent_id == ANY_AGENT, self.prompt is None)


class Scripts:
    """The answers per agent; safe to change from any thread while tasks run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[tuple[str, str | None], _Rule] = {}

    def set(self, agent_id: str, answers: Iterable[Answer], prompt: str | None = None) -> None:
        """Lets `agent_id` ("*": every agent) answer in turn, from the first again after the last.

        With `prompt` only tasks whose prompt contains that text are meant; they win over the agent's other answers.
        Raises ValueError without any answer.
        """
        chosen = tuple(answers)
        if not chosen:
            raise ValueError(f"no answer given for {agent_id}: pass at least one Answer")
        with self._lock:
            self._rules[agent_id, prompt] = _Rule(agent_id, prompt, chosen)

    def next_answer(self, agent_id: str, prompt: str) -> Answer:
        with self._lock:
            matching = [rule for rule in self._rules.values() if rule.matches(agent_id, prompt)]
            if not matching:
                return Answer()
            rule = min(matching, key=lambda rule: rule.rank)
            answer = rule.answers[rule.used % len(rule.answers)]
            rule.used += 1
            return answer

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()


class ScriptFileError(ValueError):
    """The scripts file cannot be used; the message says where and why."""


_SCRIPT_FILE = TypeAdapter(dict[str, list[Answer]])


def read_scripts(path: Path) -> dict[str, list[Answer]]:
    """Reads a YAML or JSON file that maps agent ids to lists of answers (the fields of `Answer`).

    Raises ScriptFileError when the file is unreadable, not YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptFileError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise ScriptFileError(f"{path}: not YAML: {error}") from error
    try:
        scripts = _SCRIPT_FILE.validate_python(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise ScriptFileError(f"{path}: expected a mapping of agent id to a list of answers: {problems}") from error
    for agent_id, answers in scripts.items():
        if not answers:
            raise ScriptFileError(f"{path}: {agent_id}: the list of answers is empty: write at least one, such as {{}}")
    return scripts
