"""The sending side of Service Bus."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import datetime

from azure.servicebus import ServiceBusReceivedMessage

from shared.adapters.service_bus.browsing import QueueBrowser
from shared.adapters.service_bus.namespace import ServiceBusNamespace
from shared.adapters.service_bus.outlet import COUNT_PROPERTY, Outlet
from shared.domain.kernel.errors import TooLargeError
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message, Pending

LONGEST_ID = 128
_NOBODYS_SESSION = "-"

_log = logging.getLogger("xyra.service_bus")


class ServiceBusQueue:
    """The port `Queue`, with one sender and one management link for each queue."""

    def __init__(
        self,
        namespace: ServiceBusNamespace,
        *,
        send_seconds: float = 10,
        pending_seconds: float = 2,
        pending_messages: int = 512,
    ) -> None:
        self._namespace = namespace
        self._send_seconds = send_seconds
        self._pending_seconds = pending_seconds
        self._pending_messages = pending_messages
        self._outlets: dict[str, Outlet] = {}
        self._browsers: dict[str, QueueBrowser] = {}

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        """Raises `UnavailableError` after `send_seconds` at the latest."""
        for message in messages:
            _check(message)
        if messages:
            outlet = self._outlets.get(queue)
            if outlet is None:
                outlet = self._outlets[queue] = Outlet(self._namespace, queue, send_seconds=self._send_seconds)
            await outlet.send(messages)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        """Counted by peeking, because a broker has no counts for sessions. Locks nothing.

        Exact up to `pending_messages` messages and `pending_seconds`; beyond, what was counted until then. Raises
        `UnavailableError`, also for no sessions: the broker is asked in any case.
        """
        return (await self.waiting_since(queue, session_ids)).count

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        """As `pending`."""
        browser = self._browsers.get(queue)
        if browser is None:
            browser = self._browsers[queue] = QueueBrowser(self._namespace, queue)
        until = asyncio.get_running_loop().time() + self._pending_seconds
        count = seen = 0
        times = list[datetime]()
        for session_id in session_ids or [_NOBODYS_SESSION]:
            async for page in browser.pages(session_id):
                count += sum(_count(message) for message in page)
                times += [message.enqueued_time_utc for message in page if message.enqueued_time_utc is not None]
                seen += len(page)
                if seen >= self._pending_messages or asyncio.get_running_loop().time() > until:
                    _log.info("queue %s holds more than the %s messages looked at", queue, seen)
                    return Pending(count, min(times, default=None), at_least=True)
        return Pending(count, min(times, default=None))

    async def close(self) -> None:
        for outlet in self._outlets.values():
            await outlet.close()
        for browser in self._browsers.values():
            await browser.close()
        self._outlets.clear()
        self._browsers.clear()


def _check(message: Message) -> None:
    if len(message.body) > MAXIMUM_MESSAGE_BYTES:
        raise TooLargeError(f"A message has {len(message.body)} bytes, more than {MAXIMUM_MESSAGE_BYTES}")
    if max(len(message.message_id), len(message.session_id)) > LONGEST_ID:
        raise ValueError(f"Service Bus takes ids of at most {LONGEST_ID} characters")


def _count(message: ServiceBusReceivedMessage) -> int:
    count = (message.application_properties or {}).get(COUNT_PROPERTY.encode(), 1)
    return count if isinstance(count, int) else 1
