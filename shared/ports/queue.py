"""The sending side of the message broker. Receiving is the platform's: queue-triggered functions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MAXIMUM_MESSAGE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Messages of one `session_id` are delivered in order to one receiver at a time, but nothing may
    depend on that: a message can be delivered twice, and late.
    """

    body: bytes
    session_id: str
    message_id: str
    """Repeats of an id within the broker's duplicate-detection window are dropped by the broker."""
    correlation_id: str = ""
    count: int = 1
    """How many things it carries, for `pending`."""
    not_before: datetime | None = None
    """It is delivered from then on, as soon as a receiver is free. None stands for at once."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits or is being worked on."""

    count: int
    """How many things (`Message.count`)."""
    oldest: datetime | None
    """When the oldest of their messages was accepted; None for none."""
    at_least: bool = False
    """Whether there may be more, and older ones: counting was cut off."""


class Queue(Protocol):
    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        """Return only after the broker has accepted all of them durably. Raises `UnavailableError`; then any number of
        them may have been accepted, and sending all again is safe. Raises `TooLargeError` over
        `MAXIMUM_MESSAGE_BYTES`.
        """
        ...

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        """How many things (`Message.count`) wait or are being worked on in these sessions."""
        ...

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        """The same, with the time of the oldest."""
        ...
