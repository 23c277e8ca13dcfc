"""Messages of the queue of accepted usage: events are packed into them and read again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from shared import correlation, json
from shared.domain.kernel.errors import MalformedError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.domain.usage.events import AcceptedEvent
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message

QUEUE = "usage"
_MAXIMUM_EVENTS_OF_MESSAGE = 64
_ENVELOPE_BYTES = 256
"""More than the bytes of a message around its events."""


def session_of(organization_id: str, shard: int) -> str:
    return f"{organization_id}:{shard}"


@dataclass(frozen=True, slots=True)
class UsageMessage:
    """What a message holds."""

    organization_id: str
    events: list[AcceptedEvent]
    is_replay: bool
    """Whether the events were parked and are sent again."""


def read_message(body: bytes) -> UsageMessage:
    """Raises `MalformedError` for what the accepting side cannot have written."""
    try:
        value = json.decode(body)
        events = msgspec.convert(value["events"], list[AcceptedEvent])
        return UsageMessage(str(value["organization"]), events, is_replay="replay" in value)
    except (KeyError, TypeError, ValidationError, msgspec.ValidationError) as error:
        raise MalformedError(f"The message is not one of ours: {error}") from error


class MessagePacker:
    """Packs events into as few messages as hold them, by organization and shard."""

    def __init__(self) -> None:
        self._drafts: dict[tuple[str, int], list[_Draft]] = {}

    def add(self, organization_id: str, shard: int, event: bytes, *, attempt: int = 0) -> None:
        """`attempt` numbers the resends of an event; 0 is the first time."""
        drafts = self._drafts.setdefault((organization_id, shard), [])
        if not drafts or not drafts[-1].has_room_for(event):
            drafts.append(_Draft(organization_id, shard))
        drafts[-1].add(event, attempt)

    def messages(self) -> Iterator[Message]:
        for drafts in self._drafts.values():
            for draft in drafts:
                yield draft.message()


@dataclass(slots=True)
class _Draft:
    organization_id: str
    shard: int
    events: list[bytes] = field(default_factory=list)
    size: int = _ENVELOPE_BYTES
    attempt: int = 0
    """The highest one of its events."""

    def has_room_for(self, event: bytes) -> bool:
        return len(self.events) < _MAXIMUM_EVENTS_OF_MESSAGE and self.size + len(event) < MAXIMUM_MESSAGE_BYTES

    def add(self, event: bytes, attempt: int) -> None:
        self.events.append(event)
        self.attempt = max(self.attempt, attempt)
        self.size += len(event) + 1

    def message(self) -> Message:
        # The message id is made from the body: with the attempt in it, the broker does not drop a deliberate resend.
        replay = b'"replay":%d,' % self.attempt if self.attempt else b""
        body = b'{"organization":"%b",%b"events":[%b]}' % (
            self.organization_id.encode(),
            replay,
            b",".join(self.events),
        )
        return Message(
            body=body,
            session_id=session_of(self.organization_id, self.shard),
            message_id=fingerprint(body)[:32],
            correlation_id=correlation.current(),
            count=len(self.events),
        )
