"""What people are told about a run, in words. Pure.

A message has to be enough to act on: what was found, where, when, why, and the command that shows more. It is plain
text whatever the service makes of it, and nothing in it is longer than somebody reads on a telephone.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from councilor_runner.contract import CouncilorRef, Severity
from councilor_runner.legible import legible
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, PreviousRun
from councilor_runner.settings import Settings
from councilor_runner.verdict import without_marker

TITLE_LIMIT = 160
ANSWER_LINES = 10
ANSWER_LIMIT = 1000
"""Characters of the answer: where most chats fold a message."""
_REASON_LIMIT = 500
_TOO_LONG_TO_LOOK_AT = 20
"""Times a limit: of a text of megabytes only the part is read that can be shown."""

_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""Chats show the rarer ones in their own ways."""
# With the halves of characters, which no encoding takes.
_UNPRINTABLE = re.compile("[\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line and a body of three parts, of which the answer is the one that may be cut."""

    title: str
    facts: str
    answer: str
    footer: str
    severity: Severity

    def body(self, limit: int | None = None) -> str:
        """Return the body, with as much of the answer as lets it keep to `limit` characters.

        The facts and the commands stay whole, so a very small limit is exceeded.
        """
        answer = self.answer
        if limit is not None:
            spent = len(self.facts) + len(self.footer) + len(_ANSWER) + 2 * len(_GAP)
            answer = _shortened(answer, limit - spent) if spent < limit else ""
        return _GAP.join(part for part in (self.facts, _ANSWER + answer if answer else "", self.footer) if part)


_GAP = "\n\n"
_ANSWER = "Answer:\n"


def compose(
    settings: Settings, finished: Finished, severity: Severity, recovered_from: PreviousRun | None = None
) -> Message:
    """Return the message about a run; `recovered_from` is the run before the first success after something else."""
    contract, outcome = settings.contract, finished.outcome
    councilor, agent = contract.councilor, contract.agent
    where = f"{councilor.namespace}/{councilor.name}"
    title = one_line(councilor.title, TITLE_LIMIT // 2)
    named = f"{title} ({where})" if title and title != councilor.name else where
    answer = answer_of(outcome)
    known = one_line(agent.display_name, TITLE_LIMIT // 2)
    facts = [
        _verdict(finished, severity, recovered_from),
        f"Agent: {known} ({agent.id})" if known and known != agent.id else f"Agent: {agent.id}",
        f"Ran: {moment(finished.started_at)} for {duration(finished.duration_ms)}, "
        + ("as scheduled" if settings.trigger == "scheduled" else "started by hand"),
    ]
    if outcome.status == "error":
        why = one_line(outcome.message, _REASON_LIMIT)
        facts.append(f"Why: {why} ({outcome.reason})" if why else f"Why: {outcome.reason}")
    return Message(
        title=one_line(f"[{verdict_word(severity, recovered_from)}] {named}", TITLE_LIMIT) or "",
        facts="\n".join(facts),
        answer=_beginning(answer),
        footer="\n".join([f"Execution: {settings.execution_id}", *_commands(councilor, settings.job_name)]),
        severity=severity,
    )


def summary(finished: Finished, severity: Severity, recovered_from: PreviousRun | None, limit: int) -> str | None:
    """Return the essentials on one line of at most `limit` characters, for where there is no room for more."""
    outcome = finished.outcome
    known = outcome.message or outcome.text or str(outcome.reason)
    words = known if outcome.status == "error" else answer_of(outcome)
    word = verdict_word(severity, recovered_from)
    if recovered_from is not None:
        word += f" from {recovered_from.severity}"
    line = one_line(words, limit)
    return one_line(f"{word}: {line}" if line else word, limit)


def answer_of(outcome: Outcome) -> str:
    """Return what the agent said as people are to see it; the verdict's marker line says nothing more."""
    text = legible(outcome.text or "")
    return without_marker(text) if outcome.status == "completed" else text


def verdict_word(severity: Severity, recovered_from: PreviousRun | None) -> str:
    """Return the word in which a person looks for the verdict."""
    return severity.upper() if recovered_from is None else "RECOVERED"


def printable(text: str) -> str:
    """Return a text without terminal colours and control characters; line breaks and tabs stay."""
    return _UNPRINTABLE.sub("", _LINE_BREAK.sub("\n", legible(text)))


def one_line(text: str | None, limit: int) -> str | None:
    """Return the beginning of a text on one line, at most `limit` characters; None when there is nothing to show."""
    line = " ".join(printable((text or "")[: limit * _TOO_LONG_TO_LOOK_AT]).split())
    if not line:
        return None
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def moment(time: datetime) -> str:
    """Return a time to the second, with its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(milliseconds: int) -> str:
    """Return a duration in its two largest units."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    whole = int(timedelta(milliseconds=milliseconds).total_seconds())
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(number for number, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def _verdict(finished: Finished, severity: Severity, recovered_from: PreviousRun | None) -> str:
    if finished.outcome.status == "error":
        return "The run failed."
    if recovered_from is None:
        return f"Judged {severity}."
    before = "failed" if recovered_from.failed else f"was judged {recovered_from.severity}"
    return f"Judged success; the run before, of {moment(recovered_from.started_at)}, {before}."


def _commands(councilor: CouncilorRef, job: str) -> list[str]:
    kubectl = f"kubectl -n {councilor.namespace}"
    return [
        f"More: {kubectl} describe councilor {councilor.name}",
        f"Log, while the Job is kept: {kubectl} logs job/{job}",
    ]


def _beginning(answer: str) -> str:
    """Return the first lines of an answer."""
    lines = [line.rstrip() for line in printable(answer[: ANSWER_LIMIT * _TOO_LONG_TO_LOOK_AT]).strip().split("\n")]
    text = "\n".join(lines[:ANSWER_LINES])
    return _shortened(text if len(lines) <= ANSWER_LINES else f"{text}\n…", ANSWER_LIMIT)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"
