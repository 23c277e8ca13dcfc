"""Mail by Azure Communication Services, under the managed identity."""

import asyncio
import base64
import logging
from email.utils import parseaddr
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from azure.communication.email.aio import EmailClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.identity.aio import DefaultAzureCredential

from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import MailMessage, MailRefusedError

SECONDS = 20.0
"""For the whole request."""
_REFUSED = (400, 413, 422)
"""What the service answers where the mail itself is not right."""
_KNOWN = 409
"""It has a mail of this operation id already."""

_log = logging.getLogger("xyra.mail")


class AzureMail:
    """A mail counts as sent once the service has accepted it; whether it was delivered, Azure's own logs tell."""

    def __init__(self, client: EmailClient, sender: str, *, credential: AsyncTokenCredential | None = None) -> None:
        """`credential` is closed together with the client."""
        self._client = client
        self._sender = parseaddr(sender)[1]
        self._credential = credential

    @classmethod
    def under_managed_identity(cls, endpoint: str, sender: str) -> Self:
        credential = DefaultAzureCredential()
        return cls(email_client(endpoint, credential), sender, credential=credential)

    async def send(self, message: MailMessage) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._client.begin_send(
                    _content(message, self._sender),
                    operation_id=str(uuid5(NAMESPACE_URL, message.id)),
                    polling=False,
                )
        except HttpResponseError as error:
            if error.status_code == _KNOWN:
                _log.info("a mail was accepted before", extra={"mail": message.id})
                return
            if error.status_code in _REFUSED:
                raise MailRefusedError(f"Azure refused it with {error.status_code}") from None
            raise UnavailableError(f"Azure's mail service answered {error.status_code}") from None
        except (AzureError, TimeoutError) as error:
            raise UnavailableError(f"Azure's mail service cannot be reached now ({type(error).__name__})") from None

    async def close(self) -> None:
        try:
            await self._client.close()
        finally:
            if self._credential is not None:
                await self._credential.close()


def email_client(
    endpoint: str,
    credential: AsyncTokenCredential,
    **options: Any,  # noqa: ANN401  options of the SDK, for test servers
) -> EmailClient:
    """A client that never retries: the outbox does, and the SDK would wait as long as the service asks for."""
    return EmailClient(endpoint, credential, retry_total=0, logging_enable=False, **options)


def _content(message: MailMessage, sender: str) -> dict[str, Any]:
    return {
        "senderAddress": sender,
        "recipients": {"to": [{"address": message.to}]},
        "content": {"subject": message.subject, "plainText": message.text, "html": message.html},
        "attachments": [
            {
                "name": attachment.name,
                "contentType": attachment.media_type,
                "contentInBase64": base64.b64encode(attachment.content).decode(),
            }
            for attachment in message.attachments
        ],
        "headers": {"Message-ID": f"<{message.id}>", "Auto-Submitted": "auto-generated"},
        "userEngagementTrackingDisabled": True,  # a link that is followed to count clicks would be a used link
    }
