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


class Delivery(Protocol):
    """Messages of one session, locked for one receiver until they are settled or the lock runs out."""

    @property
    def session_id(self) -> str: ...
    @property
    def lock_token(self) -> str: ...
    @property
    def messages(self) -> Sequence[Received]: ...


class QueueCounts(Protocol):
    @property
    def active(self) -> int:
        """Messages that could be received now."""
        ...

    @property
    def locked(self) -> int:
        """Messages that were received and are not settled."""
        ...

    @property
    def dead_letter(self) -> int: ...


DeliveryT = TypeVar("DeliveryT", bound=Delivery)


class Broker(Protocol[DeliveryT]):
    async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> DeliveryT | None:
        """Lock a session that has messages and that nobody holds; None where there is none."""
        ...

    async def settle(self, delivery: DeliveryT, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        """Settle messages by sequence number. False, without effect, when the lock was lost meanwhile."""
        ...

    async def counts(self, queue: str) -> QueueCounts: ...

    async def wait(self, queue: str, timeout: float) -> None:  # noqa: ASYNC109  the wait itself is what is bounded
        """Return when something was sent to the queue by this process, after `timeout` seconds at the latest."""
        ...
