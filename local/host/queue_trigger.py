"""Queue triggers: sessions are received, handed to a function as a batch, and settled by how it ended."""

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from azure.functions.servicebus import ServiceBusMessage

from local.host.broker import Broker, Delivery
from local.host.configuration import ServiceBusOptions
from local.host.indexing import Function, QueueTrigger
from local.host.invocation import Invoker

_log = logging.getLogger("local.host")

POLL_SECONDS = 0.5
"""How late a message sent by another process may be noticed."""
BROKER_FAULT_SECONDS = 1.0
"""The pause after the broker could not be asked."""
LONGEST_PAUSE_SECONDS = 0.1
"""The longest pause before the messages of a failed invocation are given back."""

_NEVER = datetime.max  # noqa: DTZ901  expiry arrives from the platform without a zone, see `messages_of`


class QueueListener:
    """Feeds one function from its queue. Several sessions at once, one batch of a session at a time."""

    def __init__(  # noqa: PLR0913  one of each part
        self,
        *,
        function: Function,
        trigger: QueueTrigger,
        options: ServiceBusOptions,
        broker: Broker[Any],
        invoker: Invoker,
        lock_seconds: float,
    ) -> None:
        self.queue = trigger.queue
        self.changes = 0
        """Grows with every delivery that was received or settled."""
        self._function = function
        self._trigger = trigger
        self._broker = broker
        self._invoker = invoker
        self._lock_seconds = lock_seconds
        self._batch_size = options.max_message_batch_size if trigger.batched else 1
        self._free = _concurrency(trigger, options)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._wake = asyncio.Event()

    async def listen(self) -> None:
        """Until `stop`: receive, and hand what came to a task of its own."""
        while not self._stopping:
            self._wake.clear()
            delivery = await self._receive() if self._free else None
            if delivery is None:
                await self._idle()
                continue
            self._free -= 1
            task = asyncio.create_task(self._deliver(delivery))
            self._deliveries.add(task)
            task.add_done_callback(self._delivered)

    def stop(self) -> None:
        """Receive nothing more. What was received goes on."""
        self._stopping = True
        self._wake.set()

    async def finish(self) -> None:
        """Wait for what was received; when cancelled, its messages are given back."""
        try:
            while self._deliveries:
                await asyncio.wait(self._deliveries)
        except asyncio.CancelledError:
            for task in self._deliveries:
                task.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)
            raise

    async def _receive(self) -> Delivery | None:
        try:
            delivery = await self._broker.receive(
                self.queue, max_messages=self._batch_size, lock_seconds=self._lock_seconds
            )
        except Exception:  # noqa: BLE001  any fault of the broker's is logged and waited out
            _log.exception("queue %s cannot be received from", self.queue)
            await asyncio.sleep(BROKER_FAULT_SECONDS)
            return None
        if delivery is not None:
            self.changes += 1
        return delivery

    async def _idle(self) -> None:
        """Wait until something was sent, a delivery was settled, or it is time to look again."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._wake.wait())]
        if self._free:
            waits.append(asyncio.create_task(self._broker.wait(self.queue, POLL_SECONDS)))
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in pending:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _deliver(self, delivery: Delivery) -> None:
        sequence_numbers = [received.sequence_number for received in delivery.messages]
        completed: list[int] = []
        try:
            batch = messages_of(delivery)
            if await self._invoker.start(self._function, batch if self._trigger.batched else batch[0]):
                completed = sequence_numbers
            elif not self._stopping:
                await asyncio.sleep(_pause(delivery))
        finally:
            abandoned = [] if completed else sequence_numbers
            await asyncio.shield(self._settle(delivery, completed, abandoned))

    async def _settle(self, delivery: Delivery, completed: Sequence[int], abandoned: Sequence[int]) -> None:
        try:
            if not await self._broker.settle(delivery, completed=completed, abandoned=abandoned):
                _log.warning("function %s was slower than its lock; its messages come again", self._function.name)
        except Exception:  # noqa: BLE001  the lock ends by itself
            _log.exception("messages of queue %s cannot be settled; they come again when their lock ends", self.queue)
        self.changes += 1

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._free += 1
        self._wake.set()


def _concurrency(trigger: QueueTrigger, options: ServiceBusOptions) -> int:
    """host.json bounds sessions; without sessions it bounds single messages, and a batch follows a batch."""
    if trigger.sessions:
        return options.max_concurrent_sessions
    return 1 if trigger.batched else options.max_concurrent_calls


def _pause(delivery: Delivery) -> float:
    """The platform delivers again at once. A short pause keeps a batch that always fails off the processor."""
    count = max(received.delivery_count for received in delivery.messages)
    return min(LONGEST_PAUSE_SECONDS, 0.005 * count) * random.uniform(0.5, 1)  # noqa: S311  jitter


def messages_of(delivery: Delivery) -> list[ServiceBusMessage]:
    """The messages as the worker shows them to a function.

    The platform's habits are kept, so that what relies on better fails here, too. Times come without a zone (they are
    UTC). Of the optional texts of a batch the platform leaves the empty ones out, and the worker takes the rest by
    position: where only some messages have a correlation id, it is found on others. `locked_until` is never there.
    """
    correlation_ids = [each.message.correlation_id for each in delivery.messages if each.message.correlation_id]
    return [
        _message(
            body=received.message.body,
            message_id=received.message.message_id,
            session_id=received.message.session_id or None,
            correlation_id=correlation_ids[position] if position < len(correlation_ids) else None,
            lock_token=delivery.lock_token,
            sequence_number=received.sequence_number,
            delivery_count=received.delivery_count,
            enqueued_at=received.enqueued_at,
        )
        for position, received in enumerate(delivery.messages)
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
