"""The receiving side of Service Bus. On Azure the platform receives; this is for running the local host against a
real broker.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    OperationTimeoutError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from shared.adapters.service_bus.browsing import QueueBrowser
from shared.adapters.service_bus.errors import discard, unavailable
from shared.adapters.service_bus.namespace import DEAD_LETTER_SUFFIX, ServiceBusNamespace
from shared.adapters.service_bus.outlet import COUNT_PROPERTY
from shared.adapters.sqlite.queue import Delivery, QueueCounts, Received
from shared.ports.queue import Message

_ANSWER_SECONDS = 10.0
"""What opening a link may take beside waiting for a session."""
_LOST_LOCK = (SessionLockLostError, MessageLockLostError, MessageAlreadySettled)


@dataclass(slots=True)
class _Held:
    """A delivery that is not settled whole."""

    receiver: ServiceBusReceiver
    messages: dict[int, ServiceBusReceivedMessage]


class ServiceBusBroker:
    """Dead letters are received without sessions, as Service Bus has it: a delivery of them names the session of the
    first, and may carry others.
    """

    def __init__(self, namespace: ServiceBusNamespace, *, accept_seconds: float = 2) -> None:
        self._namespace = namespace
        self._accept_seconds = accept_seconds
        self._held: dict[str, dict[str, _Held]] = {}
        """By queue and lock token."""
        self._idle: dict[str, ServiceBusReceiver] = {}
        """Open links to dead-letter queues."""
        self._browsers: dict[str, QueueBrowser] = {}

    async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> Delivery | None:  # noqa: ARG002  the queue itself says how long a lock lasts
        """The oldest messages of a free session. Waits `accept_seconds` for one. Raises `UnavailableError`."""
        receiver = self._idle.pop(queue, None) or self._receiver(queue)
        try:
            async with asyncio.timeout(self._accept_seconds + _ANSWER_SECONDS):
                messages = await self._messages(receiver, max_messages)
        except Exception as error:
            await discard(receiver)
            raise unavailable(queue, error) from error
        except asyncio.CancelledError:
            await discard(receiver)  # the session would stay locked
            raise
        if not messages:
            await self._part_with(queue, receiver)
            return None
        held = _Held(receiver, {message.sequence_number or 0: message for message in messages})
        lock_token = str(uuid4())
        self._held.setdefault(queue, {})[lock_token] = held
        return Delivery(queue, messages[0].session_id or "", lock_token, [_received(message) for message in messages])

    async def settle(self, delivery: Delivery, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        """False when the lock was lost meanwhile: what was not settled before comes again. Raises
        `UnavailableError`.
        """
        held = self._held.get(delivery.queue, {}).get(delivery.lock_token)
        if held is None:
            return False
        try:
            for number in sorted(held.messages.keys() & set(completed)):
                await held.receiver.complete_message(held.messages[number])
                del held.messages[number]
            for number in sorted(held.messages.keys() & set(abandoned)):
                await held.receiver.abandon_message(held.messages[number])
                del held.messages[number]
        except _LOST_LOCK:
            await self._let_go(delivery)
            return False
        except Exception as error:
            await self._let_go(delivery)
            raise unavailable(delivery.queue, error) from error
        if not held.messages:
            del self._held[delivery.queue][delivery.lock_token]
            await self._part_with(delivery.queue, held.receiver)
        return True

    async def counts(self, queue: str) -> QueueCounts:
        """`locked` are those that this process holds; a broker does not tell of others. Raises `UnavailableError`."""
        locked = sum(len(held.messages) for held in self._held.get(queue, {}).values())
        return QueueCounts(
            active=max(await self._count(queue) - locked, 0),
            locked=locked,
            dead_letter=0 if queue.endswith(DEAD_LETTER_SUFFIX) else await self._count(queue + DEAD_LETTER_SUFFIX),
        )

    async def wait(self, queue: str, timeout: float) -> None:  # noqa: ARG002, ASYNC109  see below
        """Returns at once: `receive` has waited where every sender can be seen, at the broker."""
        await asyncio.sleep(0)

    async def close(self) -> None:
        """What is held is given back."""
        receivers = [held.receiver for each in self._held.values() for held in each.values()]
        for receiver in (*receivers, *self._idle.values()):
            await discard(receiver)
        for browser in self._browsers.values():
            await browser.close()
        self._held.clear()
        self._idle.clear()
        self._browsers.clear()

    def _receiver(self, queue: str) -> ServiceBusReceiver:
        client = self._namespace.client
        if queue.endswith(DEAD_LETTER_SUFFIX):
            return client.get_queue_receiver(
                queue.removesuffix(DEAD_LETTER_SUFFIX),
                sub_queue=ServiceBusSubQueue.DEAD_LETTER,
                receive_mode=ServiceBusReceiveMode.PEEK_LOCK,
            )
        return client.get_queue_receiver(
            queue,
            session_id=NEXT_AVAILABLE_SESSION,
            receive_mode=ServiceBusReceiveMode.PEEK_LOCK,
            max_wait_time=self._accept_seconds,
        )

    async def _messages(self, receiver: ServiceBusReceiver, most: int) -> list[ServiceBusReceivedMessage]:
        try:
            await receiver.__aenter__()
            return await receiver.receive_messages(most, max_wait_time=self._accept_seconds)
        except (OperationTimeoutError, SessionCannotBeLockedError):  # no session was free
            return []

    async def _part_with(self, queue: str, receiver: ServiceBusReceiver) -> None:
        """A link to a session ends with it, which frees the session."""
        if queue.endswith(DEAD_LETTER_SUFFIX) and queue not in self._idle:
            self._idle[queue] = receiver
        else:
            await discard(receiver)

    async def _let_go(self, delivery: Delivery) -> None:
        held = self._held[delivery.queue].pop(delivery.lock_token)
        await discard(held.receiver)

    async def _count(self, queue: str) -> int:
        entity = queue.replace(DEAD_LETTER_SUFFIX, "/$DeadLetterQueue")
        browser = self._browsers.setdefault(queue, QueueBrowser(self._namespace, entity))
        return sum([len(page) async for page in browser.pages()])


def _received(message: ServiceBusReceivedMessage) -> Received:
    properties = message.application_properties or {}
    count = properties.get(COUNT_PROPERTY.encode(), 1)
    return Received(
        Message(
            body=b"".join(message.body),
            session_id=message.session_id or "",
            message_id=message.message_id or "",
            correlation_id=message.correlation_id or "",
            count=count if isinstance(count, int) else 1,
        ),
        sequence_number=message.sequence_number or 0,
        delivery_count=(message.delivery_count or 0) + 1,
        enqueued_at=message.enqueued_time_utc or datetime.now(UTC),
    )
