"""What an answer of Conductor means. Pure: status and parsed body in, a class the run can act on out.

Source: behaviour of Conductor df11f30 (2026-02-21) and, for the second protocol, 73d8d7f (2025-10-25). Status codes
alone say little there: an unknown agent is a 500, a failed run is a 200, a repeated submission is a 500 that quotes
MongoDB, and `detail` may be a string, a list or an object. What fits no known form is never guessed at.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from councilor_runner.contract import Reason
from councilor_runner.outcome import Outcome

FINAL_STATUSES = ("completed", "error")
_OPEN_STATUSES = ("pending", "processing")


class AnswerKind(Enum):
    """What the run does next."""

    ACCEPTED = auto()
    """The task is stored: poll."""
    FINISHED = auto()
    """The answer holds the finished task."""
    ALREADY_SUBMITTED = auto()
    """This task id is in use, so an earlier submission arrived: poll."""
    STILL_RUNNING = auto()
    """Conductor stopped waiting; the task goes on: poll."""
    UNAVAILABLE = auto()
    """A proxy or Conductor itself asks for patience: submit again with the same id."""
    UNREACHABLE = auto()
    """No answer at all: submit again with the same id."""
    AGENT_UNKNOWN = auto()
    REFUSED = auto()
    """The request will not be accepted however often it is sent."""
    CREDENTIALS_REFUSED = auto()
    TLS_FAILED = auto()
    """No connection that could be trusted: nothing was sent."""
    UNRECOGNISED = auto()
    """No known form: the task may or may not be stored."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as an answer or a poll source shows it; `exit_code_known` is False where the source leaves it out."""

    status: str
    text: str | None = None
    exit_code: int | None = None
    exit_code_known: bool = False
    agent_id: str | None = None

    @property
    def final(self) -> bool:
        return self.status not in _OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class Answer:
    """A classified answer. `message` is ours, for a person; `retry_after` in seconds."""

    kind: AnswerKind
    message: str = ""
    task: TaskState | None = None
    retry_after: float | None = None


# A Conductor that runs the command itself says "success" (second protocol, outside Docker).
_STATUS_ALIASES = {"success": "completed"}

PROXY_CREDENTIALS_REFUSED = (
    "the HTTP proxy wants other credentials (407): write user:password as PROXY_CREDENTIALS into the Secret "
    "councilor-runner"
)
_REDIRECTIONS = (301, 302, 307, 308)
_HINTS = {
    # What web servers say to plain HTTP on a port for TLS.
    400: "; if the port speaks TLS, begin the operator's COUNCILOR_CONDUCTOR_URL with https://",
    404: ": there is no such endpoint; check the operator's COUNCILOR_CONDUCTOR_URL",
    413: ": it is too large for the server or a proxy before it; shorten the prompt",
}

_DUPLICATE = re.compile(r"\bE?11000\b")
_WAIT_EXCEEDED = "tempo de espera excedido"
_NOT_FOUND = "não encontrado"
_PERMANENT_FRAGMENTS = ("campos obrigatórios", "is not a valid objectid")


def classify(status: int, body: object) -> Answer:
    """Classify one HTTP answer; `body` is the parsed JSON, None when there is none or it is no JSON."""
    if 200 <= status < 300:
        return _classify_success(status, body)
    detail = _detail_text(body)
    folded = detail.casefold()
    if status in (401, 403):
        return Answer(
            AnswerKind.CREDENTIALS_REFUSED,
            f"Conductor, or a proxy in front of it, answered {status}: check CONDUCTOR_TOKEN in the Secret "
            "councilor-runner and the headers in the operator's configuration",
        )
    if status == 407:
        return Answer(AnswerKind.CREDENTIALS_REFUSED, PROXY_CREDENTIALS_REFUSED)
    if status in _REDIRECTIONS:
        return Answer(
            AnswerKind.REFUSED,
            f"Conductor's address redirects ({status}), and the runner takes the token nowhere else: write the address "
            "it leads to into the operator's COUNCILOR_CONDUCTOR_URL (often the same with https://), or let the proxy "
            "that asks for a login accept CONDUCTOR_TOKEN",
        )
    if status == 404 and (_NOT_FOUND in folded or folded.startswith("404")):
        return _agent_unknown()
    if status in (408, 425, 429, 502, 503, 504):
        return Answer(AnswerKind.UNAVAILABLE, f"Conductor answered {status}")
    if status == 500:
        return _classify_500(detail, folded)
    if 400 <= status < 500:
        hint = _HINTS.get(status, "") if not isinstance(body, Mapping) or status == 404 else ""
        fields = _refused_fields(body)
        return Answer(
            AnswerKind.REFUSED,
            f"Conductor refused the request with {status}{hint}{f': {fields}' if fields else ''}",
        )
    return Answer(AnswerKind.UNRECOGNISED, f"Conductor answered {status} in a form this version does not know")


def _classify_success(status: int, body: object) -> Answer:
    task = read_task(body) if isinstance(body, Mapping) else None
    if task is None or task.status not in (*FINAL_STATUSES, *_OPEN_STATUSES):
        return Answer(
            AnswerKind.UNRECOGNISED,
            f"Conductor answered {status} without the status of a task; check the operator's COUNCILOR_CONDUCTOR_URL",
        )
    return Answer(AnswerKind.FINISHED if task.final else AnswerKind.ACCEPTED, task=task)


def _classify_500(detail: str, folded: str) -> Answer:
    if _DUPLICATE.search(detail):
        return Answer(AnswerKind.ALREADY_SUBMITTED)
    if _WAIT_EXCEEDED in folded or folded.startswith("timeouterror"):
        return Answer(AnswerKind.STILL_RUNNING)
    if folded.startswith("404") and _NOT_FOUND in folded:
        return _agent_unknown()
    if any(fragment in folded for fragment in _PERMANENT_FRAGMENTS):
        return Answer(AnswerKind.REFUSED, "Conductor refused the request as invalid (500); see Conductor's log")
    if folded.startswith(("invalidid", "valueerror")):
        return Answer(
            AnswerKind.REFUSED,
            "this Conductor no longer serves the seed protocol; set the operator's protocol to current",
        )
    return Answer(
        AnswerKind.UNRECOGNISED, "Conductor answered 500 for a reason this version does not know; see its log"
    )


def _agent_unknown() -> Answer:
    return Answer(
        AnswerKind.AGENT_UNKNOWN, "Conductor does not know this agent; check spec.agentId, upper and lower case matter"
    )


def _detail_text(body: object) -> str:
    """Flatten `detail`; an object's error class comes first. For comparing only, never for showing."""
    detail = body.get("detail", body) if isinstance(body, Mapping) else body
    if isinstance(detail, str):
        return detail
    if isinstance(detail, Mapping):
        return " ".join(str(detail[key]) for key in ("error_type", "error") if key in detail)
    return ""


def _refused_fields(body: object) -> str:
    """Name the fields that a 422 complains of: `body.cwd (missing)`. Values are left out."""
    detail = body.get("detail") if isinstance(body, Mapping) else None
    if not isinstance(detail, list):
        return ""
    named = [
        f"{'.'.join(str(part) for part in problem.get('loc', ()))} ({problem.get('type', 'invalid')})"
        for problem in detail
        if isinstance(problem, Mapping) and isinstance(problem.get("loc", ()), list)
    ]
    return ", ".join(named[:5])


def read_task(document: Mapping[str, object]) -> TaskState | None:
    """Read a task document in any of its shapes; None when it tells no status."""
    status = document.get("status")
    if not isinstance(status, str):
        return None
    status = _STATUS_ALIASES.get(status, status)
    result = document.get("result")
    exit_code = _exit_code(document.get("exit_code", document.get("returncode")))
    if isinstance(result, Mapping):
        # The gateway's chat endpoint wraps the result once more.
        if exit_code is None:
            exit_code = _exit_code(result.get("exit_code"))
        result = result.get("result", result)
    if result is None:
        result = document.get("stdout", document.get("error"))
    known = "exit_code" in document or "returncode" in document or exit_code is not None
    agent_id = document.get("agent_id")
    return TaskState(
        status,
        _text(result),
        exit_code,
        exit_code_known=known,
        agent_id=agent_id if isinstance(agent_id, str) and agent_id else None,
    )


def _exit_code(value: object) -> int | None:
    """Read an exit code, also one that a shell stored as 3.0; None when there is none or it is no number.

    No code is larger than 32 bits; what claims to be is still a failure, and has to fit into a record.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(max(-(2**31), min(value, 2**31 - 1)))


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # JSON may carry half of a surrogate pair, which neither BSON nor UTF-8 can.
    return text.encode("utf-8", "replace").decode("utf-8")


_FAILURES: tuple[tuple[int | None, str, Reason, str], ...] = (
    (
        1,
        "diretório de trabalho não encontrado",
        Reason.WORKING_DIRECTORY_MISSING,
        "the directory of spec.execution.cwd does not exist on the host where Conductor runs its agents",
    ),
    (
        1,
        "diretório não encontrado",
        Reason.WORKING_DIRECTORY_MISSING,
        "the directory of spec.execution.cwd does not exist on the host where Conductor runs its agents",
    ),
    (
        1,
        "não suportado",
        Reason.REQUEST_REFUSED,
        "Conductor does not support this provider; use claude, gemini or cursor-agent in spec.execution.provider",
    ),
    (
        127,
        "comando não encontrado",
        Reason.AGENT_FAILED,
        "the provider's command line tool is not installed on the host where Conductor runs its agents",
    ),
    (124, "excedeu tempo limite", Reason.AGENT_TIMED_OUT, "Conductor ended the agent's command at the time limit"),
)
_FRAGMENT_WINDOW = 200
"""Conductor's own messages are short and come first; further down the words are the agent's."""


def outcome_of(task: TaskState) -> Outcome:
    """Say how a finished task ended.

    Success is `completed` with exit code 0, null or none; everything else is a failed run whatever the text says.
    """
    if task.status == "completed" and not task.exit_code:
        return Outcome(Reason.COMPLETED, task.text or "", task.exit_code)
    if task.status not in FINAL_STATUSES:
        return Outcome(
            Reason.CONDUCTOR_FAILED,
            task.text,
            task.exit_code,
            "the task ended with a status that this version does not know; see the task in Conductor",
        )
    beginning = (task.text or "")[:_FRAGMENT_WINDOW].casefold()
    for code, fragment, reason, message in _FAILURES:
        # A gateway that leaves out the exit code leaves only the words.
        if fragment in beginning and task.exit_code in (code, None):
            return Outcome(reason, task.text, task.exit_code, message)
    if task.exit_code:
        message = f"the agent's command ended with exit code {task.exit_code}"
    else:
        message = "Conductor reports the run as failed"
    return Outcome(Reason.AGENT_FAILED, task.text, task.exit_code, message)


def retry_after_seconds(header: str | None, date: str | None, now: datetime) -> float | None:
    """Read `Retry-After` (RFC 9110 10.2.3: seconds or an HTTP date); None when absent or unreadable.

    A date is compared with the answer's own `Date`: the clocks of server and node may disagree.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    until = _http_date(header)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(date) or now)).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    # Without a zone it is no HTTP date.
    return moment if moment is None or moment.tzinfo is not None else None
