"""The termination message: the runner's report as JSON in the file that the kubelet reads when the container ends.

The kubelet keeps 4096 bytes and cuts without mercy; half a JSON document tells the operator nothing. So texts are
shortened here, at a character's border, the longest first.
"""

from pathlib import Path

from councilor_runner import logs
from councilor_runner.contract import TERMINATION_MESSAGE_LIMIT, RunReport

_SHORTEST = 16


def encode(report: RunReport) -> bytes:
    """Return the report as JSON of at most `TERMINATION_MESSAGE_LIMIT` bytes."""
    data = _dump(report)
    while len(data) > TERMINATION_MESSAGE_LIMIT:
        report = _smaller(report)
        data = _dump(report)
    return data


def _dump(report: RunReport) -> bytes:
    return report.model_dump_json(by_alias=True, exclude_none=True).encode("utf-8")


def _smaller(report: RunReport) -> RunReport:
    """Take something away: half of the longest texts, and once there are none, channels from the end."""
    texts = (report.summary, report.message, *(result.reason for result in report.notified))
    longest = max(len(text or "") for text in texts)
    if not longest:
        if not report.notified:
            raise ValueError("the ids alone exceed the limit of a termination message")
        return report.model_copy(update={"notified": report.notified[: len(report.notified) // 2]})

    def cut(text: str | None) -> str | None:
        if text is None or len(text) < longest:
            return text
        return text[: len(text) // 2] if len(text) > _SHORTEST else None

    notified = tuple(result.model_copy(update={"reason": cut(result.reason)}) for result in report.notified)
    return report.model_copy(
        update={"summary": cut(report.summary), "message": cut(report.message), "notified": notified}
    )


def write(report: RunReport, path: Path) -> None:
    """Write the message; a runner started by hand may have no such file, and ends with its exit code all the same."""
    try:
        # In place: the kubelet mounts this very file into the container, renaming another over it would fail.
        path.write_bytes(encode(report))
    except OSError as error:
        logs.warning("termination message not written", error=type(error).__name__)
