"""How Service Bus writes things down in AMQP 1.0."""

from collections.abc import Sequence
from typing import Any

from proton import Data, Message, int32, symbol, timestamp

from tests.doubles.servers.amqp_broker.session_queue import StoredMessage

SESSION_FILTER = "com.microsoft:session-filter"
LOCKED_UNTIL = "com.microsoft:locked-until-utc"
SCHEDULED = "x-opt-scheduled-enqueue-time"
TIMEOUT = "com.microsoft:timeout"
ASSOCIATED_LINK = "associated-link-name"
SESSION_LOCK_LOST = "com.microsoft:session-lock-lost"
SESSION_CANNOT_BE_LOCKED = "com.microsoft:session-cannot-be-locked"
SERVER_BUSY = "com.microsoft:server-busy"

_DATA_SECTION = 0x75
_TICKS_PER_SECOND = 10_000_000
_TICKS_BEFORE_1970 = 621_355_968_000_000_000


def ticks(seconds: float) -> int:
    """Of .NET: tenths of a microsecond since the year 1."""
    return int(seconds * _TICKS_PER_SECOND) + _TICKS_BEFORE_1970


def entity_of(address: str) -> str:
    """The path in `amqps://host:port/path`; anything else is a path already."""
    return address.split("://", 1)[1].split("/", 1)[1] if "://" in address else address


def messages_of_batch(encoded: bytes) -> list[Message]:
    """The messages of a batch.

    Its envelope has one data section per message, which is that message, encoded.
    """
    messages = []
    while encoded:
        data = Data()
        encoded = encoded[data.decode(encoded) :]
        data.rewind()
        data.next()
        section = data.get_object()
        if section.descriptor == _DATA_SECTION:
            message = Message()
            message.decode(bytes(section.value))  # the value is memory of `data`
            messages.append(message)
    return messages


def stored(message: Message) -> StoredMessage:
    body = message.body
    return StoredMessage(
        body=bytes(body) if isinstance(body, bytes | memoryview) else str(body).encode(),
        session_id=message.group_id or "",
        message_id=str(message.id),
        correlation_id=message.correlation_id,
        properties={str(key): value for key, value in (message.properties or {}).items()},
        enqueued_at=0,
        not_before=(message.annotations or {}).get(symbol(SCHEDULED), 0) / 1000,
    )


def delivered(message: StoredMessage, locked_until: float | None) -> Message:
    """Its header counts the deliveries before this one."""
    annotations: dict[Any, Any] = {
        symbol("x-opt-sequence-number"): message.sequence_number,
        symbol("x-opt-enqueued-time"): timestamp(int(message.enqueued_at * 1000)),
    }
    if locked_until is not None:
        annotations[symbol("x-opt-locked-until")] = timestamp(int(locked_until * 1000))
    return Message(
        body=message.body,
        inferred=True,
        id=message.message_id,
        group_id=message.session_id,
        correlation_id=message.correlation_id,
        properties=message.properties,
        annotations=annotations,
        delivery_count=max(message.deliveries - 1, 0),
    )


def answer(request: Message, status: int, description: str, body: object = None, *, condition: str = "") -> Message:
    """To a request on `$management`; the body is a map."""
    properties: dict[str, Any] = {"statusCode": int32(status), "statusDescription": description}
    if condition:
        properties["errorCondition"] = symbol(condition)
    return Message(correlation_id=request.id, address=request.reply_to, properties=properties, body=body)


def renewed_session(locked_until: float) -> dict[str, Any]:
    return {"expiration": timestamp(int(locked_until * 1000))}


def renewed_messages(locked_until: float) -> dict[str, Any]:
    return {"expirations": [timestamp(int(locked_until * 1000))]}


def token_answer(request: Message, status: int) -> Message:
    """To `put-token` on `$cbs`."""
    properties = {"status-code": int32(status), "status-description": "Accepted" if status < 300 else "Unauthorized"}
    return Message(correlation_id=request.id, address=request.reply_to, properties=properties, body="")


def peeked(messages: Sequence[StoredMessage]) -> dict[str, Any]:
    return {"messages": [{"message": delivered(message, None).encode()} for message in messages]}
