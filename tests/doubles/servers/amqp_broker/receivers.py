"""The links on which messages go out: their sessions, deliveries and settlements."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proton import Connection, Delivery, Disposition, Link

from tests.doubles.servers.amqp_broker import links, wire
from tests.doubles.servers.amqp_broker.session_queue import DEAD_LETTER_SUFFIX, MESSAGE_LOCK_SECONDS, StoredMessage

if TYPE_CHECKING:
    from tests.doubles.servers.amqp_broker.broker import AmqpBroker

_LOOK_SECONDS = 0.02
"""How often a link that waits for a session looks again."""


@dataclass(frozen=True)
class Receiver:
    """A link with its queue, and with the session that it has locked. Dead letters have none."""

    link: Link
    queue: str
    session_id: str | None


@dataclass(frozen=True)
class Waiting:
    """A link that waits for the next free session of a queue.

    It waits until a time on the monotonic clock.
    """

    link: Link
    queue: str
    until: float


class Receivers:
    def __init__(self, broker: "AmqpBroker", schedule: Callable[[float, Callable[[], None]], None]) -> None:
        self.has_waiting = threading.Event()
        self._broker = broker
        self._schedule = schedule
        self._by_name: dict[str, Receiver] = {}
        self._waiting: list[Waiting] = []
        self._looks_again = False
        self._deliveries: dict[str, StoredMessage] = {}
        """By tag, what was delivered and is not settled."""
        self._tags = 0

    # Opening and closing

    def open(self, link: Link, queue: str) -> None:
        session_filter = links.mapping(link.remote_source.filter)
        if wire.SESSION_FILTER in session_filter:
            session_id = session_filter[wire.SESSION_FILTER]
            self._open_session(link, queue, session_id.value if hasattr(session_id, "value") else session_id)
        elif queue.endswith(DEAD_LETTER_SUFFIX):
            self._by_name[link.name] = Receiver(link, queue, None)
            links.attach(link)
        else:
            links.refuse(link, "amqp:not-allowed", "An entity that requires sessions takes session receivers only")

    def _open_session(self, link: Link, queue: str, session_id: str | None) -> None:
        """Open a named session at once or not at all.

        Without a name it is the next free one, for which the link waits.
        """
        if self._give_session(link, queue, session_id):
            return
        if session_id is not None:
            links.refuse(link, wire.SESSION_CANNOT_BE_LOCKED, "The session is locked by another")
            return
        milliseconds = links.mapping(link.remote_properties).get(wire.TIMEOUT, 60_000)
        self._waiting.append(Waiting(link, queue, time.monotonic() + milliseconds / 1000))
        self.has_waiting.set()
        self._look_later()

    def _give_session(self, link: Link, queue: str, session_id: str | None) -> bool:
        with self._broker.guard:
            given = self._broker.queues[queue].lock_session(link.name, session_id)
        if given is None:
            return False
        session_id, locked_until = given
        self._by_name[link.name] = Receiver(link, queue, session_id)
        links.attach_to_session(link, session_id, locked_until)
        return True

    def _look_later(self) -> None:
        if not self._looks_again:
            self._looks_again = True
            self._schedule(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks_again = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if self._give_session(waiter.link, waiter.queue, None):
                continue
            if time.monotonic() >= waiter.until:
                links.refuse(waiter.link, wire.TIMEOUT, "No session became free in time")
            else:
                self._waiting.append(waiter)
        if self._waiting:
            self._look_later()

    def close(self, link: Link) -> None:
        self._waiting = [waiter for waiter in self._waiting if waiter.link != link]
        if link.name in self._by_name:
            self._release(link)

    def forget(self, connection: Connection) -> None:
        """The connection is gone: what its links had locked is free."""
        for receiver in list(self._by_name.values()):
            if receiver.link.connection == connection:
                self._release(receiver.link)
        self._waiting = [waiter for waiter in self._waiting if waiter.link.connection != connection]

    def _release(self, link: Link) -> None:
        receiver = self._by_name.pop(link.name)
        with self._broker.guard:
            self._broker.queues[receiver.queue].release(link.name)
        self.push_all()

    # Delivering and settling

    def flow(self, link: Link) -> None:
        if link.name in self._by_name:
            self._push(link.name)
            if link.drain_mode:
                link.drained()

    def push_all(self) -> None:
        for name in list(self._by_name):
            self._push(name)

    def _push(self, name: str) -> None:
        receiver = self._by_name[name]
        link, session_id = receiver.link, receiver.session_id
        with self._broker.guard:
            queue = self._broker.queues[receiver.queue]
            if link.credit <= 0 or (session_id is not None and not queue.holds(name, session_id)):
                return
            taken = queue.take(name, session_id, link.credit)
        locked_until = None if session_id is not None else time.time() + MESSAGE_LOCK_SECONDS
        for message in taken:
            self._tags += 1
            tag = f"{self._tags:016d}"
            self._deliveries[tag] = message
            link.delivery(tag)
            link.stream(wire.delivered(message, locked_until).encode())
            link.advance()

    def settle(self, link: Link, delivery: Delivery) -> None:
        """Do with a delivered message what its receiver says, where it still has the lock."""
        message = self._deliveries.pop(delivery.tag, None)
        if message is None or link.name not in self._by_name:
            return
        receiver = self._by_name[link.name]
        if not self._settled(receiver, message, delivery.remote_state):
            delivery.local.condition = links.condition(wire.SESSION_LOCK_LOST, "The session lock has expired")
            delivery.update(Delivery.REJECTED)
            delivery.settle()
            return
        if not delivery.settled:
            delivery.local.failed = delivery.remote.failed
            delivery.update(delivery.remote_state)
        delivery.settle()
        self.push_all()

    def _settled(self, receiver: Receiver, message: StoredMessage, outcome: int) -> bool:
        """False where the lock was lost."""
        name, session_id = receiver.link.name, receiver.session_id
        with self._broker.guard:
            queue = self._broker.queues[receiver.queue]
            if message.holder != name or (session_id is not None and not queue.holds(name, session_id)):
                return False
            if outcome == Disposition.ACCEPTED and self._broker.repeats_completed:
                self._broker.repeats_completed -= 1
                queue.give_back(message, counted=True)
            elif outcome == Disposition.ACCEPTED:
                queue.complete(message)
            elif outcome == Disposition.REJECTED:
                queue.bury(message)
            else:
                queue.give_back(message, counted=outcome == Disposition.MODIFIED)
        return True
