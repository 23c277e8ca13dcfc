"""A mail server (SMTP) on loopback: it keeps what it accepts, and refuses on demand."""

import asyncio
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.doubles.servers.certificates import write_certificate

USERNAME, PASSWORD = "xyra", "password of the mail server"

ACCEPTED = "250 OK"


class MailServer:
    """Speaks SMTP with STARTTLS and wants a sign-in. Its answers to the recipient and to the content can be set."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "mail.pem"
        self.to_recipient = ACCEPTED
        self.to_content = ACCEPTED
        self.accepted: list[EmailMessage] = []
        self.seen_in_the_clear: list[str] = []
        """Users who signed in without TLS."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(write_certificate(directory, self.certificate))
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Answer nobody any more."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            tls_context=self._context,
            require_starttls=True,
            auth_required=True,
            auth_exclude_mechanism=["LOGIN"],
            authenticator=self._authenticated,
            enable_SMTPUTF8=True,
        )

    def _authenticated(
        self, _server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, offered: object
    ) -> AuthResult:
        assert isinstance(offered, LoginPassword)
        if session.ssl is None:
            self.seen_in_the_clear.append(offered.login.decode())
        is_right = (offered.login, offered.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)  # the server itself answers

    async def handle_RCPT(  # noqa: N802  the name that aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.to_recipient == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  as above
        if self.to_content == ACCEPTED:
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.SMTPUTF8)
            assert isinstance(mail, EmailMessage)
            assert str(mail["To"]) == envelope.rcpt_tos[0]
            self.accepted.append(mail)
        return self.to_content
