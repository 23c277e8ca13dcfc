"""The sender of a queue: one for each queue of this process."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError

from shared.adapters.service_bus.errors import (
    discard,
    is_worth_repeating,
    log_fault,
    translated,
    unavailable,
)
from shared.adapters.service_bus.namespace import ServiceBusNamespace
from shared.domain.kernel.errors import TooLargeError, UnavailableError
from shared.ports.queue import Message

COUNT_PROPERTY = "count"
"""The application property that carries `Message.count`."""

_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.1
_MOST_WAITING_BYTES = 16 * 1024 * 1024

_log = logging.getLogger("xyra.service_bus")


@dataclass(slots=True)
class _Parcel:
    """The messages of one call, and the future that tells when all were accepted."""

    remaining: int
    accepted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def accept_one(self) -> None:
        self.remaining -= 1
        if self.remaining == 0 and not self.accepted.done():
            self.accepted.set_result(None)

    def refuse(self, error: Exception) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Entry:
    message: Message
    parcel: _Parcel


class Outlet:
    """Sends one batch at a time, in order.

    What callers hand over meanwhile becomes the next batch. A failed batch is sent again over a new link, a few times.
    Its message ids are the same, so the broker drops what it had accepted. When it still fails, all waiting callers are
    refused and may try again.
    """

    def __init__(self, namespace: ServiceBusNamespace, queue: str, *, send_seconds: float) -> None:
        self._namespace = namespace
        self._queue = queue
        self._send_seconds = send_seconds
        self._attempt_seconds = send_seconds * 0.4
        self._waiting: deque[_Entry] = deque()
        self._waiting_bytes = 0
        self._worker: asyncio.Task[None] | None = None
        self._sender: ServiceBusSender | None = None

    async def send(self, messages: Sequence[Message]) -> None:
        """Return when the broker has accepted all. Raises `UnavailableError` after `send_seconds` at the latest."""
        if self._waiting_bytes > _MOST_WAITING_BYTES:
            raise UnavailableError(f"Too much waits to be sent to the queue {self._queue}")
        parcel = _Parcel(len(messages))
        for message in messages:
            self._waiting.append(_Entry(message, parcel))
            self._waiting_bytes += len(message.body)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(self._send_seconds):
                await parcel.accepted
        except TimeoutError as error:
            raise unavailable(self._queue, error) from error
        except UnavailableError as refusal:
            log_fault(self._queue, refusal.__cause__)
            raise
        finally:
            del parcel  # an error that it keeps names this frame

    async def close(self) -> None:
        """Refuse the callers that still wait, and close the link."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        self._refuse_waiting(UnavailableError(f"Sending to the queue {self._queue} was stopped"), None)
        await self._discard_sender()

    async def _work(self) -> None:
        failures = 0
        while self._waiting:
            try:
                async with asyncio.timeout(self._attempt_seconds):
                    await self._send_batch()
            except Exception as error:  # noqa: BLE001  a broken link raises errors of any type
                failures += 1
                await self._discard_sender()
                if failures < _ATTEMPTS and is_worth_repeating(error):
                    _log.info("queue %s: sending again after %s", self._queue, type(error).__name__)
                    await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**failures * random.uniform(0.5, 1))  # noqa: S311  jitter
                else:
                    failures = 0
                    self._refuse_waiting(translated(self._queue, error), error)
            else:
                failures = 0

    async def _send_batch(self) -> None:
        """Send as many waiting messages as fit into one batch.

        The broker accepts all of it or nothing.
        """
        sender = self._open_sender()
        batch = await sender.create_message_batch()
        taken: list[_Entry] = []
        try:
            while self._waiting:
                entry = self._waiting[0]
                if not entry.parcel.accepted.done():  # else its caller has left
                    try:
                        batch.add_message(_outgoing(entry.message))
                    except MessageSizeExceededError:
                        if taken:
                            break
                        entry.parcel.refuse(TooLargeError("The broker takes no message of this size"))
                    else:
                        taken.append(entry)
                self._drop_first()
            if taken:
                await sender.send_messages(batch)
        except BaseException:
            self._put_back(taken)
            raise
        for entry in taken:
            entry.parcel.accept_one()

    def _drop_first(self) -> None:
        self._waiting_bytes -= len(self._waiting.popleft().message.body)

    def _put_back(self, entries: list[_Entry]) -> None:
        self._waiting.extendleft(reversed(entries))
        self._waiting_bytes += sum(len(entry.message.body) for entry in entries)

    def _refuse_waiting(self, error: UnavailableError, cause: Exception | None) -> None:
        """Each caller gets an error of its own, and logs the cause itself."""
        while self._waiting:
            refusal = UnavailableError(error.detail, retry_after=error.retry_after)
            refusal.__cause__ = cause
            self._waiting[0].parcel.refuse(refusal)
            self._drop_first()

    def _open_sender(self) -> ServiceBusSender:
        if self._sender is None:
            self._sender = self._namespace.client.get_queue_sender(self._queue)
        return self._sender

    async def _discard_sender(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await discard(sender)


def _outgoing(message: Message) -> ServiceBusMessage:
    return ServiceBusMessage(
        message.body,
        session_id=message.session_id,
        message_id=message.message_id,
        correlation_id=message.correlation_id or None,
        application_properties={COUNT_PROPERTY: message.count},
        scheduled_enqueue_time_utc=message.not_before,
    )
