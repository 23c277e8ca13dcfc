"""What the host needs of a message broker: the receiving side of Service Bus, as Protocols."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
"""The dead-letter queue of `usage` is the queue `usage/$deadletterqueue`."""


class Message(Protocol):
    @property
    def body(self) -> bytes: ...
    @property
    def session_id(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...


class Received(Protocol):
    @property
    def message(self) -> Message: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def delivery_count(self) -> int:
        """How often it has been delivered, this time included."""
        ...

    @property
    def enqueued_at(self) -> datetime: ...


class Session(Protocol):
    """A session that is locked for one receiver.

    The lock lasts until it is released or runs out.
    """

    @property
    def id(self) -> str: ...
    @property
    def lock_token(self) -> str: ...
    @property
    def locked_until(self) -> datetime: ...


class QueueCounts(Protocol):
    @property
    def active(self) -> int:
        """Messages that nobody holds."""
        ...

    @property
    def locked(self) -> int:
        """Messages that were received and are not settled."""
        ...

    @property
    def dead_letter(self) -> int: ...


SessionT = TypeVar("SessionT", bound=Session)


class Broker(Protocol[SessionT]):
    async def accept(self, queue: str, *, wait_seconds: float) -> SessionT | None:
        """Lock a free session that has messages; None where there is none within the time.

        Dead letters have no sessions: each is accepted by itself.
        """
        ...

    async def receive(self, session: SessionT, *, max_messages: int, wait_seconds: float) -> Sequence[Received] | None:
        """The next messages of the session.

        None of them where none comes within the time; None where the lock was lost.
        """
        ...

    async def renew(self, session: SessionT) -> datetime | None:
        """Begin the lock anew. Returns until when it is held; None where it was lost."""
        ...

    async def settle(self, session: SessionT, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        """Settle messages by sequence number. False, without effect, where the lock was lost."""
        ...

    async def release(self, session: SessionT) -> None:
        """Free the session; what was received and not settled comes again."""
        ...

    async def counts(self, queue: str) -> QueueCounts: ...
