"""Mail over SMTP (RFC 5321), to the operator's mail server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.errors import MessageError
from typing import Literal

import aiosmtplib

from shared.adapters.mail.written import written
from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import MailMessage, MailRefusedError

SECONDS = 10.0
"""For each step of the conversation."""
_FOR_GOOD = 500

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where the mail server is, and how it is spoken to."""

    host: str
    port: int
    security: Security
    username: str | None = None


class SmtpMail:
    """Opens a connection for each mail.

    A server refuses a mail for good by a status of 500 and more for its recipient or its content. Where it refuses our
    sign-in or our own address, the mails are good and wait.
    """

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        password: Callable[[], Awaitable[str]],
        *,
        certificates: str | None = None,
    ) -> None:
        """`password` is asked before each mail where there is a user name. `certificates` is a file to trust."""
        self._server = server
        self._sender = sender
        self._password = password
        self._certificates = certificates

    async def send(self, message: MailMessage) -> None:
        server = self._server
        try:
            content = written(message, self._sender)
        except (ValueError, MessageError) as error:
            raise MailRefusedError("The address cannot stand in a mail") from error
        password = None if server.username is None else await self._password()
        try:
            await aiosmtplib.send(
                content,
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=password,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                cert_bundle=self._certificates,
                timeout=SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0]) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refusal(error) from None
        except aiosmtplib.SMTPNotSupported as error:
            raise MailRefusedError("The server cannot take a mail to this address") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"The mail server cannot be used now ({type(error).__name__})") from None


def _refusal(error: aiosmtplib.SMTPResponseException) -> MailRefusedError | UnavailableError:
    """By the status alone: what a server says may name the address."""
    if error.code >= _FOR_GOOD:
        return MailRefusedError(f"The mail server refused it with {error.code}")
    return UnavailableError(f"The mail server put it off with {error.code}")
