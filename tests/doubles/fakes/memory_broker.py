"""A message broker in memory that receives like Service Bus: sessions, locks, delivery counts, dead letters."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from shared.ports.broker import DEAD_LETTER_SUFFIX, QueueCounts, Session


@dataclass(frozen=True)
class Message:
    body: bytes
    session_id: str = "session"
    message_id: str = field(default_factory=lambda: uuid4().hex)
    correlation_id: str = ""


@dataclass(eq=False)
class Received:
    message: Message
    sequence_number: int
    enqueued_at: datetime
    delivery_count: int = 0
    lock_token: str | None = None


class MemoryBroker:
    """Every call lets other tasks run first, as a call over a wire would."""

    def __init__(
        self,
        *,
        lock_seconds: float = 30,
        max_delivery_count: int = 100,
        present: Callable[[], float] = time.time,
    ) -> None:
        self._lock_seconds = lock_seconds
        self._max_delivery_count = max_delivery_count
        self._present = present
        self._queues: defaultdict[str, list[Received]] = defaultdict(list)
        self._locks: dict[tuple[str, str], Session] = {}
        self._numbers = count(1)
        self._changed = asyncio.Condition()
        self.settlements: list[tuple[list[bytes], list[bytes]]] = []
        """Bodies completed and bodies abandoned, call by call."""

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        now = datetime.fromtimestamp(self._present(), UTC)
        self._queues[queue] += [Received(message, next(self._numbers), now) for message in messages]
        await self._tell()

    async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
        await self._wait(wait_seconds, lambda: self._free(queue) is not None)
        if (session_id := self._free(queue)) is None:
            return None
        self._give_back(queue, [each for each in self._of(queue, session_id) if each.lock_token is not None])
        if not self._of(queue, session_id):  # all of it was exhausted
            return await self.accept(queue, wait_seconds=0)
        session = Session(queue, session_id, uuid4().hex, self._lock_end())
        self._locks[queue, session_id] = session
        return session

    async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
        def waiting() -> list[Received]:
            return [each for each in self._of(session.queue, session.id) if each.lock_token is None]

        await self._wait(wait_seconds, lambda: bool(waiting()) or not self._holds(session))
        if not self._holds(session):
            return None
        taken = waiting()[:max_messages]
        for each in taken:
            each.lock_token = session.lock_token
            each.delivery_count += 1
        return taken

    async def renew(self, session: Session) -> datetime | None:
        await asyncio.sleep(0)
        if not self._holds(session):
            return None
        renewed = Session(session.queue, session.id, session.lock_token, self._lock_end())
        self._locks[session.queue, session.id] = renewed
        return renewed.locked_until

    async def settle(self, session: Session, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        await asyncio.sleep(0)
        if not self._holds(session):
            return False
        held = self._held(session)
        done = [each for each in held if each.sequence_number in completed]
        back = [each for each in held if each.sequence_number in abandoned and each not in done]
        for each in done:
            self._queues[session.queue].remove(each)
        self._give_back(session.queue, back)
        self.settlements.append(([each.message.body for each in done], [each.message.body for each in back]))
        await self._tell()
        return True

    async def release(self, session: Session) -> None:
        await asyncio.sleep(0)
        if self._holds(session):
            for each in self._held(session):
                each.lock_token = None
                each.delivery_count -= 1
            del self._locks[session.queue, session.id]
            await self._tell()

    async def counts(self, queue: str) -> QueueCounts:
        await asyncio.sleep(0)
        sessions = [session for (name, _), session in self._locks.items() if name == queue and self._holds(session)]
        locked = sum(len(self._held(session)) for session in sessions)
        dead_letter = len(self._queues[queue + DEAD_LETTER_SUFFIX])
        return QueueCounts(active=len(self._queues[queue]) - locked, locked=locked, dead_letter=dead_letter)

    def is_locked(self, queue: str, session_id: str) -> bool:
        lock = self._locks.get((queue, session_id))
        return lock is not None and self._holds(lock)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, seconds: float, condition: Callable[[], bool]) -> None:
        await asyncio.sleep(0)
        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(condition)

    def _lock_end(self) -> datetime:
        return datetime.fromtimestamp(self._present() + self._lock_seconds, UTC)

    def _holds(self, session: Session) -> bool:
        current = self._locks.get((session.queue, session.id))
        is_same = current is not None and current.lock_token == session.lock_token
        return is_same and current.locked_until.timestamp() > self._present()

    def _free(self, queue: str) -> str | None:
        """The session of the oldest message that nobody holds the session of."""
        for each in self._queues[queue]:
            if not self.is_locked(queue, _session_of(queue, each)):
                return _session_of(queue, each)
        return None

    def _of(self, queue: str, session_id: str) -> list[Received]:
        return [each for each in self._queues[queue] if _session_of(queue, each) == session_id]

    def _held(self, session: Session) -> list[Received]:
        return [each for each in self._queues[session.queue] if each.lock_token == session.lock_token]

    def _give_back(self, queue: str, messages: Sequence[Received]) -> None:
        for each in messages:
            each.lock_token = None
            if each.delivery_count >= self._max_delivery_count and not queue.endswith(DEAD_LETTER_SUFFIX):
                self._queues[queue].remove(each)
                self._queues[queue + DEAD_LETTER_SUFFIX].append(each)


def _session_of(queue: str, received: Received) -> str:
    """Dead letters have no sessions: each is accepted by itself."""
    return str(received.sequence_number) if queue.endswith(DEAD_LETTER_SUFFIX) else received.message.session_id
