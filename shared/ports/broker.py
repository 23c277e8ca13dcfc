"""The receiving side of the message broker, as Service Bus has it. On Azure the platform receives."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.ports.queue import Message

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
"""The dead-letter queue of `usage` is the queue `usage/$deadletterqueue`."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is locked for one receiver.

    The lock lasts until it is released or runs out.
    """

    queue: str
    id: str
    lock_token: str
    """Names this lock; the next one on the same session has another."""
    locked_until: datetime
    """As it was accepted. The machine's time, whatever the clock of the application says."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is held under the lock of its session until it is settled."""

    message: Message
    sequence_number: int
    delivery_count: int
    """How often it has been delivered, this time included."""
    enqueued_at: datetime


@dataclass(frozen=True, slots=True)
class QueueCounts:
    active: int
    """Messages that nobody holds."""
    locked: int
    """Messages that were received and are not settled."""
    dead_letter: int


class Broker(Protocol):
    """Every call raises `UnavailableError` where the broker does not answer.

    How long a lock lasts and how often a message is delivered before it is a dead letter belongs to the queue.
    """

    async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
        """Lock the free session whose oldest message has waited longest.

        None where no session has messages and is free within `wait_seconds`. Dead letters have no sessions: each is
        accepted by itself.
        """
        ...

    async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
        """The next messages of the session, oldest first.

        Empty where none comes within `wait_seconds`, None where the lock was lost. What was received before and is not
        settled is not received again under the same lock.
        """
        ...

    async def renew(self, session: Session) -> datetime | None:
        """Begin the lock anew. Returns until when it is held; None where it was lost."""
        ...

    async def settle(self, session: Session, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        """Remove the completed messages and give the abandoned ones back, by sequence number.

        What is abandoned after its last delivery becomes a dead letter. False, and nothing settled, where the lock was
        lost: then all come again.
        """
        ...

    async def release(self, session: Session) -> None:
        """Free the session. What was received and not settled comes again, and counts as not delivered."""
        ...

    async def counts(self, queue: str) -> QueueCounts: ...
