"""An SMTP server on loopback: aiosmtpd on an event loop of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """A message that was taken."""

    sender: str
    recipients: tuple[str, ...]
    encrypted: bool
    user: str | None
    content: EmailMessage

    @property
    def text(self) -> str:
        text: str = self.content.get_content()
        return text.replace("\r\n", "\n")


class MailServer:
    """Keeps what it takes.

    `login`: user and password that it demands; `context`: offers STARTTLS and demands it; `refuse`: answers by
    command, such as {"RCPT": "550 no such user"}.
    """

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        context: ssl.SSLContext | None = None,
        refuse: dict[str, str] | None = None,
    ) -> None:
        self.taken: list[Mail] = []
        self._login = login
        self._refuse = refuse or {}
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> asyncio.Server:
        return await self._loop.create_server(self._session, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def _session(self) -> SMTP:
        return SMTP(
            self,
            tls_context=self._context,
            require_starttls=self._context is not None,
            authenticator=self._authenticate,
            auth_require_tls=self._context is not None,
            loop=self._loop,
        )

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        given = cast("LoginPassword", data)
        good = self._login == (given.login.decode(), given.password.decode())
        return AuthResult(success=good, handled=False, auth_data=given)

    # The names of the hooks are aiosmtpd's.

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._login is not None and session.auth_data is None:
            return "530 authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if "RCPT" in self._refuse:
            return self._refuse["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self._refuse:
            return self._refuse["DATA"]
        given = cast("LoginPassword | None", session.auth_data)
        content = message_from_bytes(cast("bytes", envelope.content), policy=policy.default)
        self.taken.append(
            Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                encrypted=session.ssl is not None,
                user=given.login.decode() if given else None,
                content=content,
            )
        )
        return "250 OK"
