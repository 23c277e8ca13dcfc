"""Receives from Service Bus, for a local host on a real broker.

On Azure the platform receives.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
from shared.adapters.service_bus.namespace import ServiceBusNamespace
from shared.adapters.service_bus.outlet import COUNT_PROPERTY
from shared.ports.broker import DEAD_LETTER_SUFFIX, QueueCounts, Received, Session
from shared.ports.queue import Message

_ANSWER_SECONDS = 10.0
"""What a request may take beside the time that it waits."""
_SHORTEST_WAIT_SECONDS = 0.001
"""The SDK takes no zero."""
_LOST_LOCK = (SessionLockLostError, MessageLockLostError, MessageAlreadySettled)


@dataclass(slots=True)
class _Held:
    """An accepted session: its link, and what was received over it and is not settled."""

    receiver: ServiceBusReceiver
    messages: dict[int, ServiceBusReceivedMessage] = field(default_factory=dict)
    dead_letter: ServiceBusReceivedMessage | None = None
    """The dead letter that was accepted and not yet received."""

    def received(self, messages: Collection[ServiceBusReceivedMessage]) -> list[Received]:
        self.messages |= {message.sequence_number or 0: message for message in messages}
        return [_received(message) for message in messages]


class _LockLostError(Exception):
    """The session, or the dead letter, is another's by now."""


class ServiceBusBroker:
    """The port `Broker`. How long a lock lasts is a property of the queue in the namespace."""

    def __init__(self, namespace: ServiceBusNamespace) -> None:
        self._namespace = namespace
        self._held: dict[str, dict[str, _Held]] = {}
        """By queue and lock token."""
        self._idle: dict[str, list[ServiceBusReceiver]] = {}
        """Open links to dead-letter queues."""
        self._browsers: dict[str, QueueBrowser] = {}

    async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
        receiver = self._receiver(queue, max(wait_seconds, _SHORTEST_WAIT_SECONDS))
        try:
            async with asyncio.timeout(wait_seconds + _ANSWER_SECONDS):
                return await self._accept(queue, receiver, wait_seconds)
        except (OperationTimeoutError, SessionCannotBeLockedError):  # no session was free
            await discard(receiver)
            return None
        except Exception as error:
            await discard(receiver)
            raise unavailable(queue, error) from error
        except asyncio.CancelledError:
            await discard(receiver)  # the session would stay locked
            raise

    async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
        try:
            async with self._under_lock(session) as held, asyncio.timeout(wait_seconds + _ANSWER_SECONDS):
                if session.queue.endswith(DEAD_LETTER_SUFFIX):
                    letter, held.dead_letter = held.dead_letter, None
                    return held.received([letter] if letter is not None else [])
                wait = max(wait_seconds, _SHORTEST_WAIT_SECONDS)
                return held.received(await held.receiver.receive_messages(max_messages, max_wait_time=wait))
        except _LockLostError:
            return None

    async def renew(self, session: Session) -> datetime | None:
        try:
            async with self._under_lock(session) as held, asyncio.timeout(_ANSWER_SECONDS):
                if not session.queue.endswith(DEAD_LETTER_SUFFIX):
                    return await held.receiver.session.renew_lock()
                letter = next(iter(held.messages.values()), held.dead_letter)
                return await held.receiver.renew_message_lock(letter) if letter is not None else None
        except _LockLostError:
            return None

    async def settle(self, session: Session, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        try:
            async with self._under_lock(session) as held:
                for number in sorted(held.messages.keys() & set(completed)):
                    await held.receiver.complete_message(held.messages[number])
                    del held.messages[number]
                for number in sorted(held.messages.keys() & set(abandoned)):
                    await held.receiver.abandon_message(held.messages[number])
                    del held.messages[number]
        except _LockLostError:
            return False
        return True

    async def release(self, session: Session) -> None:
        """A link to a session ends with it, which frees the session."""
        held = self._forget(session)
        if held is None:
            return
        if session.queue.endswith(DEAD_LETTER_SUFFIX) and not held.messages and held.dead_letter is None:
            self._idle.setdefault(session.queue, []).append(held.receiver)
        else:
            await discard(held.receiver)

    async def counts(self, queue: str) -> QueueCounts:
        """`locked` are those that this process holds; a broker does not tell of others."""
        locked = sum(len(held.messages) for held in self._held.get(queue, {}).values())
        return QueueCounts(
            active=max(await self._count(queue) - locked, 0),
            locked=locked,
            dead_letter=0 if queue.endswith(DEAD_LETTER_SUFFIX) else await self._count(queue + DEAD_LETTER_SUFFIX),
        )

    async def close(self) -> None:
        """Give back what is held."""
        receivers = [held.receiver for each in self._held.values() for held in each.values()]
        for receiver in (*receivers, *(idle for each in self._idle.values() for idle in each)):
            await discard(receiver)
        for browser in self._browsers.values():
            await browser.close()
        self._held.clear()
        self._idle.clear()
        self._browsers.clear()

    async def _accept(self, queue: str, receiver: ServiceBusReceiver, wait_seconds: float) -> Session | None:
        await receiver.__aenter__()
        if not queue.endswith(DEAD_LETTER_SUFFIX):
            locked_until = receiver.session.locked_until_utc or datetime.now(UTC)
            return self._hold(_Held(receiver), Session(queue, receiver.session.session_id, str(uuid4()), locked_until))
        wait = max(wait_seconds, _SHORTEST_WAIT_SECONDS)
        letters = await receiver.receive_messages(1, max_wait_time=wait)
        if not letters:
            self._idle.setdefault(queue, []).append(receiver)
            return None
        locked_until = letters[0].locked_until_utc or datetime.now(UTC)
        session = Session(queue, str(letters[0].sequence_number), str(uuid4()), locked_until)
        return self._hold(_Held(receiver, dead_letter=letters[0]), session)

    def _hold(self, held: _Held, session: Session) -> Session:
        self._held.setdefault(session.queue, {})[session.lock_token] = held
        return session

    def _forget(self, session: Session) -> _Held | None:
        return self._held.get(session.queue, {}).pop(session.lock_token, None)

    @asynccontextmanager
    async def _under_lock(self, session: Session) -> AsyncIterator[_Held]:
        """Raises `_LockLostError`, and `UnavailableError`; after both the link is closed and the lock given up."""
        held = self._held.get(session.queue, {}).get(session.lock_token)
        if held is None:
            raise _LockLostError
        try:
            yield held
        except _LOST_LOCK as error:
            await self._give_up(session)
            raise _LockLostError from error
        except Exception as error:
            await self._give_up(session)
            raise unavailable(session.queue, error) from error

    async def _give_up(self, session: Session) -> None:
        if (held := self._forget(session)) is not None:
            await discard(held.receiver)

    def _receiver(self, queue: str, wait_seconds: float) -> ServiceBusReceiver:
        if idle := self._idle.get(queue):
            return idle.pop()
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
            max_wait_time=wait_seconds,
        )

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
