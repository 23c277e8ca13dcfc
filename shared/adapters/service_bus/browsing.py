"""Peeking: reads messages without receiving or locking them."""

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus._common import mgmt_handlers

from shared.adapters.service_bus.errors import discard, unavailable
from shared.adapters.service_bus.namespace import ServiceBusNamespace

_PEEK = b"com.microsoft:peek-message"
_PAGE = 32
_REQUEST_SECONDS = 5.0


class QueueBrowser:
    """Peeks over a management link that stays open.

    The SDK's `peek_messages` opens a receiving link, which locks a session on a queue with sessions. So this uses the
    SDK's management link directly. It is not public; requirements.txt pins the version.
    """

    def __init__(self, namespace: ServiceBusNamespace, entity: str) -> None:
        self._namespace = namespace
        self._entity = entity
        self._link: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def pages(self, session_id: str | None = None) -> AsyncIterator[list[ServiceBusReceivedMessage]]:
        """All messages of one session or of all, also those that others hold. Raises `UnavailableError`."""
        next_number = 1
        while page := await self._peek(session_id, next_number):
            yield page
            next_number = max(message.sequence_number or 0 for message in page) + 1

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await discard(link)

    async def _peek(self, session_id: str | None, from_number: int) -> list[ServiceBusReceivedMessage]:
        async with self._one_at_a_time:
            was_open = self._link is not None
            try:
                return await self._request(session_id, from_number)
            except Exception as error:
                await self.close()
                if not was_open:
                    raise unavailable(self._entity, error) from error
            try:  # the link was lost while it was idle
                return await self._request(session_id, from_number)
            except Exception as error:
                await self.close()
                raise unavailable(self._entity, error) from error

    async def _request(self, session_id: str | None, from_number: int) -> list[ServiceBusReceivedMessage]:
        if self._link is None:
            client: Any = self._namespace.client
            self._link = client._create_session_browser(self._entity)  # noqa: SLF001  see the class
            self._link._last_received_sequenced_number = None  # noqa: SLF001  written by the handler below
        link = self._link
        body = {
            "from-sequence-number": link._amqp_transport.AMQP_LONG_VALUE(from_number),  # noqa: SLF001  see the class
            "message-count": _PAGE,
        }
        if session_id is not None:
            body["session-id"] = session_id
        async with asyncio.timeout(_REQUEST_SECONDS):
            messages: list[ServiceBusReceivedMessage] = await link._mgmt_request_response_with_retry(  # noqa: SLF001  see the class
                _PEEK,
                body,
                functools.partial(mgmt_handlers.peek_op, receiver=link, amqp_transport=link._amqp_transport),  # noqa: SLF001  see the class
                keep_alive_associated_link=False,
                timeout=_REQUEST_SECONDS,
            )
        return messages
