"""Parked events: accepted but not metered, until they are metered after all or discarded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from shared.domain.usage.events import AcceptedEvent

ParkedStatus = Literal["parked", "rated", "discarded"]
"""Waiting; metered after all, for which `rated` is the stored name; discarded with a reason."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The last time that the event was sent again. Attempts count from 1."""

    attempt: int
    at: datetime
    by: str
    """The principal's id."""


@dataclass(frozen=True, slots=True)
class Discard:
    at: datetime
    by: str
    """The principal's id."""
    reason: str


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    id: str
    status: ParkedStatus
    reason: str
    """Why it was parked, the latest time."""
    parked_at: datetime
    """The first time."""
    subject: Mapping[str, Any]
    """The fields of the event, or `message` and `message_id` of a message that could not be read."""
    replay: Replay | None = None
    discard: Discard | None = None

    def event(self) -> AcceptedEvent:
        return msgspec.convert(self.subject, AcceptedEvent)

    def public_subject(self) -> dict[str, Any]:
        """Without who reported it, whom nobody is told."""
        return {name: value for name, value in self.subject.items() if name != "reporter"}
