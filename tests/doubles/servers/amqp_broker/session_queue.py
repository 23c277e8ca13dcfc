"""A queue of Service Bus, as its clients see it: sessions, locks, delivery counts, duplicates, dead letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
MESSAGE_LOCK_SECONDS = 60
"""How long a dead letter is said to be locked; without sessions, the broker does not enforce it."""

_sequence_numbers = count(1)


@dataclass
class StoredMessage:
    body: bytes
    session_id: str
    message_id: str
    correlation_id: str | None
    properties: dict[str, object]
    enqueued_at: float
    not_before: float = 0
    """When a scheduled message is put into the queue."""
    sequence_number: int = field(default_factory=lambda: next(_sequence_numbers))
    deliveries: int = 0
    holder: str | None = None
    """The name of the receiving link that has it."""


@dataclass
class SessionLock:
    holder: str
    locked_until: float


class SessionQueue:
    """`dead_letters` is where exhausted messages go; a queue without one never exhausts any."""

    def __init__(
        self,
        present: Callable[[], float],
        *,
        lock_seconds: float,
        max_delivery_count: int,
        duplicate_window_seconds: float,
        dead_letters: "SessionQueue | None",
    ) -> None:
        self.messages: list[StoredMessage] = []
        self._scheduled: list[StoredMessage] = []
        self.dead_letters = dead_letters
        self._present = present
        self._lock_seconds = lock_seconds
        self._max_delivery_count = max_delivery_count
        self._duplicate_window_seconds = duplicate_window_seconds
        self._seen: dict[str, float] = {}
        self._locks: dict[str, SessionLock] = {}

    def accept(self, messages: Sequence[StoredMessage]) -> None:
        now = self._present()
        for message in messages:
            seen_at = self._seen.get(message.message_id)
            if seen_at is not None and now - seen_at < self._duplicate_window_seconds:
                continue
            self._seen[message.message_id] = now
            self._scheduled.append(message)
        self._enqueue_due()

    def _enqueue_due(self) -> None:
        now = self._present()
        for message in sorted(self._scheduled, key=lambda message: (message.not_before, message.sequence_number)):
            if message.not_before <= now:
                self._scheduled.remove(message)
                message.enqueued_at = now
                self.messages.append(message)

    def lock_session(self, holder: str, session_id: str | None) -> tuple[str, float] | None:
        """The session and until when it is locked. Without a `session_id`, that of the oldest message that is free.
        None where there is none, or where another holds it.
        """
        self.expire()
        if session_id is None:
            free = (message.session_id for message in self.messages if message.session_id not in self._locks)
            session_id = next(free, None)
        if session_id is None or session_id in self._locks:
            return None
        locked_until = self._present() + self._lock_seconds
        self._locks[session_id] = SessionLock(holder, locked_until)
        return session_id, locked_until

    def renew_session(self, holder: str, session_id: str) -> float | None:
        """Lock the session anew, and return until when.

        None where the holder has lost it.
        """
        if not self.holds(holder, session_id):
            return None
        lock = self._locks[session_id]
        lock.locked_until = self._present() + self._lock_seconds
        return lock.locked_until

    def has_lock(self) -> bool:
        self.expire()
        return bool(self._locks)

    def holds(self, holder: str, session_id: str) -> bool:
        self.expire()
        lock = self._locks.get(session_id)
        return lock is not None and lock.holder == holder

    def take(self, holder: str, session_id: str | None, most: int) -> list[StoredMessage]:
        """Give the oldest messages of a session to the holder.

        Where there is no session to hold, they are the oldest of all.
        """
        waiting = [
            message
            for message in self.messages
            if message.holder is None and (session_id is None or message.session_id == session_id)
        ][:most]
        for message in waiting:
            message.holder = holder
            message.deliveries += 1
        return waiting

    def complete(self, message: StoredMessage) -> None:
        self.messages.remove(message)

    def give_back(self, message: StoredMessage, *, counted: bool) -> None:
        """`counted`: as a delivery that failed."""
        message.holder = None
        if not counted:
            message.deliveries -= 1
        if self.dead_letters is not None and message.deliveries >= self._max_delivery_count:
            self.bury(message)

    def bury(self, message: StoredMessage) -> None:
        if self.dead_letters is not None:
            self.messages.remove(message)
            message.holder = None
            message.deliveries = 0
            self.dead_letters.messages.append(message)

    def release(self, holder: str, *, counted: bool = False) -> None:
        """What the holder had is free. Service Bus counts a delivery whose lock ran out, and not one whose link was
        closed.
        """
        self._locks = {session: lock for session, lock in self._locks.items() if lock.holder != holder}
        for message in [message for message in self.messages if message.holder == holder]:
            self.give_back(message, counted=counted)

    def expire(self) -> None:
        self._enqueue_due()
        now = self._present()
        for lock in [lock for lock in self._locks.values() if lock.locked_until <= now]:
            self.release(lock.holder, counted=True)

    def peek(self, session_id: str | None, from_sequence_number: int, most: int) -> list[StoredMessage]:
        """Whether held or not, by sequence number."""
        found = [
            message
            for message in self.messages
            if message.sequence_number >= from_sequence_number and session_id in {None, message.session_id}
        ]
        return sorted(found, key=lambda message: message.sequence_number)[:most]

    def sessions(self) -> list[str]:
        return list(dict.fromkeys(message.session_id for message in self.messages))
