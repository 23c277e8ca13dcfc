"""Queue triggers: sessions are accepted, their messages handed to a function, and settled by how it ended.

As the platform does it. With sessions, a function for single messages works on up to `maxConcurrentSessions` of them at
once; their locks are renewed. A function for batches works on one session at a time, whose lock is not renewed. Both
leave a session when nothing came for `sessionIdleTimeout`, or when its lock was lost.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from local.host.broker import Broker, Received, Session
from local.host.configuration import ServiceBusOptions
from local.host.indexing import Function, QueueTrigger
from local.host.invocation import InvocationResult, Invoker
from local.host.service_bus_message import messages_of
from local.host.settlements import Settlements
from local.host.stopping import unless

_log = logging.getLogger("local.host")

T = TypeVar("T")

ACCEPT_SECONDS = 1.0
"""How long one attempt to find a session waits."""
BROKER_FAULT_SECONDS = 1.0
"""The pause after the broker could not be asked."""
LONGEST_PAUSE_SECONDS = 0.1
"""The longest pause before the messages of a failed invocation are given back."""
RENEWAL_MARGIN_SECONDS = 10.0
"""How long before its end a lock is renewed; of a short lock, half of what is left."""


class QueueListener:
    """Feeds one function from its queue."""

    def __init__(
        self,
        *,
        function: Function,
        trigger: QueueTrigger,
        options: ServiceBusOptions,
        broker: Broker[Any],
        invoker: Invoker,
    ) -> None:
        self.queue = trigger.queue
        self.changes = 0
        """Grows whenever messages were received or settled."""
        self._function = function
        self._trigger = trigger
        self._options = options
        self._broker = broker
        self._invoker = invoker
        self._slots = asyncio.Semaphore(_concurrency(trigger, options))
        self._serving: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def listen(self) -> None:
        """Until `stop`: accept sessions, and give each a task of its own while there is room."""
        while not self._stopping.is_set():
            if not await unless(self._stopping, self._slots.acquire()):
                continue
            session = await self._asked(lambda: self._broker.accept(self.queue, wait_seconds=ACCEPT_SECONDS))
            if session is None:
                self._slots.release()
                continue
            task = asyncio.create_task(self._serve(session))
            self._serving.add(task)
            task.add_done_callback(self._served)

    def stop(self) -> None:
        """Receive nothing more. What was received goes on."""
        self._stopping.set()

    async def finish(self) -> None:
        """Wait for what was received; when cancelled, its messages are given back."""
        try:
            while self._serving:
                await asyncio.wait(self._serving)
        except asyncio.CancelledError:
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            raise

    async def _serve(self, session: Session) -> None:
        """Hand over a session's messages until it is idle or lost, or the host stops."""
        renewal = None if self._trigger.batched else asyncio.create_task(self._renew(session))
        settlements = Settlements(self._broker, session, self._function.name, self._settled)
        result = None
        try:
            while result is not InvocationResult.LOST and (received := await self._receive(session)):
                result = await self._handle(session, received, settlements)
                if not self._trigger.sessions:
                    break
        finally:
            if renewal is not None:
                renewal.cancel()
            await asyncio.shield(self._leave(session, settlements, is_lost=result is InvocationResult.LOST))

    async def _leave(self, session: Session, settlements: Settlements, *, is_lost: bool) -> None:
        await settlements.finish()
        if not is_lost:  # else the lock runs out, as that of a process that is gone
            await self._release(session)

    async def _receive(self, session: Session) -> Sequence[Received] | None:
        batch_size = self._options.max_message_batch_size if self._trigger.batched else 1
        received = await self._asked(
            lambda: self._broker.receive(
                session, max_messages=batch_size, wait_seconds=self._options.session_idle_seconds
            )
        )
        if received:
            self.changes += 1
        return received

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """What the broker answers.

        None when the host stops, or after a pause when the broker fails.
        """
        try:
            return await unless(self._stopping, ask())
        except Exception:  # noqa: BLE001  any fault of the broker's is logged and waited out
            _log.exception("queue %s cannot be received from", self.queue)
            await unless(self._stopping, asyncio.sleep(BROKER_FAULT_SECONDS))
            return None

    async def _handle(
        self, session: Session, received: Sequence[Received], settlements: Settlements
    ) -> InvocationResult:
        """Settles them while the next ones are received, as both are one step of the broker then."""
        sequence_numbers = [each.sequence_number for each in received]
        messages = messages_of(session, received)
        result = InvocationResult.FAILED
        try:
            result = await self._invoker.start(self._function, messages if self._trigger.batched else messages[0])
            if result is InvocationResult.FAILED and not self._stopping.is_set():
                await asyncio.sleep(_pause(received))
        finally:
            if result is not InvocationResult.LOST:
                completed = sequence_numbers if result is InvocationResult.SUCCEEDED else []
                abandoned = [] if completed else sequence_numbers
                settlements.begin(completed, abandoned)
        return result

    def _settled(self) -> None:
        self.changes += 1

    async def _renew(self, session: Session) -> None:
        """No renewal begins later than `maxAutoLockRenewalDuration` after the session was accepted."""
        locked_until: datetime | None = session.locked_until
        last = asyncio.get_running_loop().time() + self._options.max_auto_lock_renewal_seconds
        while locked_until is not None:
            left = (locked_until - datetime.now(UTC)).total_seconds()
            delay = max(left - min(left / 2, RENEWAL_MARGIN_SECONDS), 0)
            if asyncio.get_running_loop().time() + delay > last:
                return
            await asyncio.sleep(delay)
            try:
                locked_until = await self._broker.renew(session)
            except Exception:  # noqa: BLE001  the messages come again if the lock is lost
                _log.exception("a lock on queue %s cannot be renewed", self.queue)
                return

    async def _release(self, session: Session) -> None:
        try:
            await self._broker.release(session)
        except Exception:  # noqa: BLE001  the lock ends by itself
            _log.exception("a session of queue %s cannot be released; it is free when its lock ends", self.queue)
        self.changes += 1

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        self._slots.release()


def _concurrency(trigger: QueueTrigger, options: ServiceBusOptions) -> int:
    """The platform runs a batch after the other, with sessions and without."""
    if trigger.batched:
        return 1
    return options.max_concurrent_sessions if trigger.sessions else options.max_concurrent_calls


def _pause(received: Sequence[Received]) -> float:
    """The platform delivers again at once. A short pause keeps what always fails off the processor."""
    count = max(each.delivery_count for each in received)
    return min(LONGEST_PAUSE_SECONDS, 0.005 * count) * random.uniform(0.5, 1)  # noqa: S311  jitter
