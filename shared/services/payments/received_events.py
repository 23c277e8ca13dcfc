"""Webhooks of the payment provider: stored once by event id, answered, and handled from a queue."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ValidationError

from shared import correlation, json
from shared.containers import INBOX
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import MalformedError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import Instant, to_text
from shared.ports.clock import Clock
from shared.ports.payment_events import PaymentEvent, PaymentEvents
from shared.ports.queue import Message, Queue
from shared.services.storage import Outbox, Records, StaleEtagError, Store, Stored

QUEUE = "payments"
MOST_ATTEMPTS = 5
"""Failures of ours after which an event is parked. A store or a provider that is down does not count."""
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""After each failure but the last."""
_SENT_AGAIN = timedelta(hours=1)
"""A message that has not been handled by then is taken for lost."""
KEPT = timedelta(days=90)
"""What is done. The provider sends an event again for up to 30 days."""
_PARTITIONS = 64
_LONGEST_ERROR = 500

State = Literal["queued", "failed", "done", "parked"]
_log = logging.getLogger(__name__)


class ReceivedEvent(Entity):
    """Which object an event is about. What else it said is not kept: it is asked for when it is handled."""

    kind: ClassVar[str] = "payment_event"
    audit: ClassVar[Audit] = BOOKKEEPING
    type: str
    livemode: bool
    object_kind: str
    object_id: str | None
    created_at: Instant
    received_at: Instant
    state: State = "queued"
    attempts: int = 0
    """Failures of ours."""
    error: str | None = None
    """Of the last failure."""
    due_at: Instant | None = None
    """When the sweep sends it to the queue again."""

    def document(self) -> dict[str, Any]:
        document = super().document()
        if self.due_at is None:
            del document["due_at"]
        return document | {"ttl": int(KEPT.total_seconds())} if self.state == "done" else document


Handler = Callable[[ReceivedEvent], Awaitable[None]]
"""Looks at the object that the event is about. Safe to repeat, and in any order."""


class _Task(BaseModel):
    event_id: str


class ReceivedEvents:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        queue: Queue,
        events: PaymentEvents,
        outbox: Outbox,
        handlers: Mapping[str, Handler],
    ) -> None:
        """`handlers` by the kind of object; events about other kinds are done as soon as they are stored."""
        self._records = Records(store, INBOX, ReceivedEvent, outbox=outbox)
        self._clock, self._queue, self._events, self._outbox = clock, queue, events, outbox
        self._handlers = handlers

    async def receive(self, body: bytes, signature: str) -> None:
        """Store it unless it is there. Raises as `PaymentEvents.read`, and `UnavailableError` where it is not stored.

        What is stored will be handled: at once by the queue, or later by the sweep.
        """
        event = await self._events.read(body, signature, self._clock.now())
        stored = await self._records.create(partition_of(event.id), self._record(event))
        if stored.entity.due_at is not None:
            await self._outbox.attempt(INBOX.name, partition_of(event.id), event.id)

    def _record(self, event: PaymentEvent) -> ReceivedEvent:
        now = self._clock.now()
        is_handled = event.object_kind in self._handlers
        return ReceivedEvent(
            id=event.id,
            type=event.type,
            livemode=event.livemode,
            object_kind=event.object_kind,
            object_id=event.object_id,
            created_at=event.created_at,
            received_at=now,
            state="queued" if is_handled else "done",
            due_at=now if is_handled else None,
        )

    async def complete_due(self, stored: Stored[ReceivedEvent]) -> None:
        """Send it to the queue, and look again in an hour whether it was handled."""
        event, now = stored.entity, self._clock.now()
        message = Message(
            body=json.encode({"event_id": event.id}),
            session_id=partition_of(event.id),
            message_id=f"{event.id}:{to_text(event.due_at or now)}",
            correlation_id=correlation.current() or "",
        )
        await self._queue.send(QUEUE, [message])
        try:
            await self._records.write(partition_of(event.id), stored, event.changed(due_at=now + _SENT_AGAIN))
        except StaleEtagError:
            _log.info("an event was handled while it was sent", extra={"event": event.id})

    async def handle(self, message: bytes) -> None:
        """Handle a message of the queue. Raises `UnavailableError` where something outside is down: it comes again."""
        task = read_task(message)
        stored = await self._records.find(partition_of(task), task)
        if stored is None or stored.entity.state in {"done", "parked"}:
            return
        event = stored.entity
        try:
            await self._handler_of(event)(event)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again, and then shown to people
            _log.exception("an event of the payment provider failed", extra={"event": event.id})
            await self._note_failure(event.id, f"{type(error).__name__}: {error}")
            return
        await self._records.change(partition_of(event.id), event.id, _done)

    async def give_up(self, message: bytes) -> None:
        """Park what the broker has delivered in vain too often."""
        task = read_task(message)
        if await self._records.find(partition_of(task), task) is not None:
            await self._records.change(partition_of(task), task, _given_up)

    async def replay(self, event_id: str) -> ReceivedEvent:
        """Handle again what was parked or failed. Raises `NotFoundError`."""

        def again(event: ReceivedEvent) -> ReceivedEvent:
            if event.state in {"queued", "done"}:
                return event
            return event.changed(state="queued", attempts=0, due_at=self._clock.now())

        partition = partition_of(event_id)
        replayed = await self._records.change(partition, event_id, again)
        await self._outbox.attempt(INBOX.name, partition, event_id)
        return replayed.entity

    def _handler_of(self, event: ReceivedEvent) -> Handler:
        return self._handlers.get(event.object_kind, _nothing)

    async def _note_failure(self, event_id: str, error: str) -> None:
        now = self._clock.now()

        def failed(event: ReceivedEvent) -> ReceivedEvent:
            attempts = event.attempts + 1
            if attempts >= MOST_ATTEMPTS:
                return event.changed(state="parked", attempts=attempts, error=error[:_LONGEST_ERROR], due_at=None)
            later = now + PAUSES[attempts - 1]
            return event.changed(state="failed", attempts=attempts, error=error[:_LONGEST_ERROR], due_at=later)

        await self._records.change(partition_of(event_id), event_id, failed)


def partition_of(event_id: str) -> str:
    return f"stripe:{int(fingerprint(event_id.encode())[:8], 16) % _PARTITIONS}"


def read_task(message: bytes) -> str:
    """The id of the event. Raises `MalformedError`."""
    try:
        return _Task.model_validate_json(message).event_id
    except ValidationError as error:
        raise MalformedError("The message names no event") from error


async def _nothing(_: ReceivedEvent) -> None:
    """Of kinds that nothing is to be done about."""


def _done(event: ReceivedEvent) -> ReceivedEvent:
    return event.changed(state="done", error=None, due_at=None)


def _given_up(event: ReceivedEvent) -> ReceivedEvent:
    if event.state in {"done", "parked"}:
        return event
    return event.changed(state="parked", error="delivered in vain too often", due_at=None)
