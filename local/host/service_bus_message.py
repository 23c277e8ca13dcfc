"""Messages as the platform's worker shows them to a function."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from azure.functions.servicebus import ServiceBusMessage

from local.host.broker import Received, Session

_NEVER = datetime.max  # noqa: DTZ901  expiry arrives from the platform without a zone, see `messages_of`


def messages_of(session: Session, received: Sequence[Received]) -> list[ServiceBusMessage]:
    """The platform's habits are kept, so that what relies on better fails here, too.

    Times come without a zone (they are UTC). Of the optional texts of a batch the platform leaves the empty ones out,
    and the worker takes the rest by position: where only some messages have a correlation id, it is found on others.
    `locked_until` is never there.
    """
    correlation_ids = [each.message.correlation_id for each in received if each.message.correlation_id]
    return [
        _message(
            body=each.message.body,
            message_id=each.message.message_id,
            session_id=each.message.session_id or None,
            correlation_id=correlation_ids[position] if position < len(correlation_ids) else None,
            lock_token=session.lock_token,
            sequence_number=each.sequence_number,
            delivery_count=each.delivery_count,
            enqueued_at=each.enqueued_at,
        )
        for position, each in enumerate(received)
    ]


def message_by_hand(text: str, now: datetime) -> ServiceBusMessage:
    """The message for a function that is started through `/admin/functions`."""
    return _message(
        body=text.encode(),
        message_id=uuid4().hex,
        session_id=None,
        correlation_id=None,
        lock_token=str(uuid4()),
        sequence_number=0,
        delivery_count=1,
        enqueued_at=now,
    )


def _message(*, enqueued_at: datetime, **properties: Any) -> ServiceBusMessage:  # noqa: ANN401  checked by the library's own signature
    return ServiceBusMessage(
        application_properties={},
        user_properties={},
        enqueued_time_utc=enqueued_at.astimezone(UTC).replace(tzinfo=None),
        expires_at_utc=_NEVER,
        trigger_metadata=None,
        **properties,
    )
