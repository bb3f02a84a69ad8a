"""Delivery over the channels whose addresses stand in the Secret: email, chats, webhooks, whatever Apprise speaks.

Every address is tried in a thread of its own, because Apprise blocks; nobody waits for a thread longer than the limit,
and the process ends without joining any. Apprise and what it brings along take half a second to load, so only a run
that has somebody to tell over such a channel loads them.
"""

import asyncio
import logging
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from councilor_runner import causes, logs
from councilor_runner.contract import Severity
from councilor_runner.interruption import Interruption
from councilor_runner.messages import Message

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset, NotifyBase, NotifyType

SECONDS = 10.0
"""For all channels together, since none waits for another."""
INTERRUPTED_SECONDS = 3.0
"""From SIGTERM on; with what the bookkeeping may take before it stays below `GRACE_SECONDS`."""
ADDRESS_LIMIT = 20
"""Addresses of one channel: each takes a thread and a connection."""
_ADDRESS_BYTES = 64 * 1024

_BESIDE_TITLE = 24
"""What Apprise 2.2 keeps free where a title has to go into the body: for a line break, and a number of the part."""

_NOT_TAKEN = "the service did not take the message"
_EXAMPLE = "mailtos://user:password@example.com"

_GROUP_MENTION = re.compile(r"@(?=(?:everyone|here|channel|all)\b)|<(?=[@!#&])", re.IGNORECASE)
# Read by programs and mail readers, which call nobody: there a text arrives letter by letter.
_WITHOUT_MENTIONS = ("json", "xml", "form", "mailto")


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The mounted Secret: a file for each key; `secret` is its name, for words."""

    directory: Path
    secret: str

    def look_up(self, channel: str) -> list[str] | str:
        """Return the addresses of a channel, at least one, or why there are none."""
        try:
            with (self.directory / channel).open("rb") as file:
                content = file.read(_ADDRESS_BYTES + 1)
        except FileNotFoundError:
            return f"add the key {channel} to the Secret {self.secret}, with an Apprise URL such as {_EXAMPLE}"
        except OSError as error:
            return f"the key {channel} of the Secret {self.secret} cannot be read ({type(error).__name__})"
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return (
                f"the key {channel} of the Secret {self.secret} holds no text: write an Apprise URL such as {_EXAMPLE}"
            )
        addresses = [line.strip() for line in text.splitlines() if line.strip()]
        if not addresses:
            return f"the key {channel} of the Secret {self.secret} is empty: write an Apprise URL such as {_EXAMPLE}"
        if len(addresses) > ADDRESS_LIMIT or len(content) > _ADDRESS_BYTES:
            return (
                f"the key {channel} of the Secret {self.secret} holds more than {ADDRESS_LIMIT} addresses: spread them "
                "over several keys"
            )
        return addresses


async def deliver(
    channels: Sequence[str],
    book: AddressBook,
    message: Message,
    interruption: Interruption,
    *,
    seconds: float = SECONDS,
) -> dict[str, str | None]:
    """Tell over each channel, all at the same time; return why one did not take the message, None where it did."""
    reasons: dict[str, str | None] = {}
    addresses: dict[str, list[str]] = {}
    for channel in channels:
        found = book.look_up(channel)
        if isinstance(found, str):
            reasons[channel] = found
        else:
            addresses[channel] = found
    if not addresses:
        return reasons
    _keep_quiet()
    loop = asyncio.get_running_loop()
    # Not the loop's own executor, which has fewer threads than there may be addresses that hang.
    pool = ThreadPoolExecutor(sum(map(len, addresses.values())), thread_name_prefix="notification")
    sent: dict[str, list[asyncio.Future[str | None]]] = {
        channel: [
            loop.run_in_executor(pool, _tell, address, f"line {number} of the key {channel}", book.secret, message)
            for number, address in enumerate(of_channel, 1)
        ]
        for channel, of_channel in addresses.items()
    }
    pool.shutdown(wait=False)
    try:
        async with interruption.limit(seconds, INTERRUPTED_SECONDS):
            await asyncio.wait([future for futures in sent.values() for future in futures])
    except TimeoutError:
        logs.warning("not every service answered in time")
    late = (
        "the Pod had to end before the service answered"
        if interruption.at is not None
        else f"no answer within {seconds:g} s"
    )
    for channel, futures in sent.items():
        reasons[channel] = _of_all([future.result() if future.done() else late for future in futures])
    return reasons


def _of_all(results: Sequence[str | None]) -> str | None:
    """Return the reason of a channel: every address has to take the message."""
    failed = [reason for reason in results if reason is not None]
    if not failed:
        return None
    return failed[0] if len(results) == 1 else f"{len(failed)} of {len(results)} addresses: {failed[0]}"


def _keep_quiet() -> None:
    """Keep what libraries have to say out of the log: it has addresses, and for each message a line."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    # Exceptions inside a service are logged at this level only, see `_Listener`.
    logger.setLevel(logging.DEBUG)


def _tell(address: str, place: str, secret: str, message: Message) -> str | None:
    """Send a message to one address; return why that failed, None when it was taken. Blocks."""
    try:
        from apprise import Apprise

        asset = _asset()
        service = Apprise.instantiate(address, asset=asset)
        if service is None:
            return (
                f"{place} of the Secret {secret} is no address that Apprise understands: write an Apprise URL such as "
                f"{_EXAMPLE}"
            )
        return _send(Apprise(service, asset=asset), service, message)
    except Exception as error:
        logs.warning("a notification was not sent", error=logs.describe(error))
        return causes.of_exception(error) or f"internal error ({type(error).__name__}); the runner's log tells where"


def _asset() -> "AppriseAsset":
    """Return what Apprise is to know: who speaks, and what it must not do by itself."""
    from apprise import AppriseAsset, PersistentStoreMode

    return AppriseAsset(
        app_id="councilor",
        app_desc="Councilor",
        # Pictures would be fetched from elsewhere.
        image_url_mask="",
        image_url_logo="",
        # A message follows no redirection to a place that nobody wrote into the Secret, unless the address says so.
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        # Nothing is kept on disk, there is none, and nothing read from it.
        storage_mode=PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        # In this thread: others would be shared and fewer.
        service_timeout=0,
    )


def _send(sender: "Apprise", service: "NotifyBase", message: Message) -> str | None:
    from apprise import NotifyFormat
    from apprise.common import OverflowMode

    limit = None
    if "overflow_mode" not in vars(service):
        # The address leaves it open, and a service would refuse what is too long for it.
        service.overflow_mode = OverflowMode.TRUNCATE
        limit = _room(service, message)
    title, body = message.title, message.body(limit)
    if service.protocol not in _WITHOUT_MENTIONS:
        title, body = _without_mentions(title), _without_mentions(body)
    listener = _Listener()
    result = sender.notify(
        body=body,
        title=title,
        notify_type=_notify_type(message.severity),
        body_format=NotifyFormat.TEXT,
        log_callback=listener.hear,
        log_level=logging.DEBUG,
    )
    # Not the result as a whole: with ?optional=yes a failure counts as success there.
    attempts = [attempt for told in result for attempt in told]
    if attempts and attempts[-1]:
        return None
    return listener.cause or _NOT_TAKEN


def _room(service: "NotifyBase", message: Message) -> int | None:
    """Return how many characters a service has for the body, None if that is no matter."""
    from apprise import NotifyFormat

    if not service.body_maxlen:
        return None
    room = service.body_maxlen
    if not service.title_maxlen:
        room -= len(message.title) + _BESIDE_TITLE
    # Where the text has to become markup, signs that mean something there are doubled.
    return room if service.resolve_format(NotifyFormat.TEXT) == NotifyFormat.TEXT else room * 3 // 4


def _notify_type(severity: Severity) -> "NotifyType":
    from apprise import NotifyType

    match severity:
        case "success":
            return NotifyType.SUCCESS
        case "warning":
            return NotifyType.WARNING
        case "error":
            return NotifyType.FAILURE


def _without_mentions(text: str) -> str:
    """Return a text in which nothing calls a whole group of people; it looks the same."""
    return _GROUP_MENTION.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", text)


class _Listener:
    """Hears what Apprise logs about one message, and keeps nothing of it but the cause."""

    def __init__(self) -> None:
        self.cause: str | None = None

    def hear(self, entry: object, service: object) -> None:  # noqa: ARG002 - the signature is Apprise's
        """Take note of a log entry, in the thread that logs it and while an exception is handled there."""
        error = sys.exc_info()[1]
        cause = causes.of_exception(error) if error is not None else None
        self.cause = cause or causes.of_log(str(getattr(entry, "message", ""))) or self.cause
