"""A broker that the SDK of Service Bus talks to over AMQP 1.0, on a loopback port, with faults on demand.

Runs in a thread of its own. What it stores survives its deaths.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Any

from proton import (
    Condition,
    Connection,
    Data,
    Delivery,
    Disposition,
    Event,
    Handler,
    Link,
    Message,
    Terminus,
    Transport,
    symbol,
    ulong,
)
from proton.reactor import ApplicationEvent, Container, EventInjector

from tests.doubles.servers.amqp_broker import wire
from tests.doubles.servers.amqp_broker.session_queue import SessionQueue, StoredMessage

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
_MANAGEMENT_SUFFIX = "/$management"
_CREDIT = 100
_MESSAGE_BYTES = 256 * 1024
_MESSAGE_LOCK_SECONDS = 60
"""Of dead letters, which have no sessions; the broker does not enforce it."""
_LOOK_SECONDS = 0.02
"""How often a link that waits for a session looks again."""


_LOST_LOCK = Condition(wire.SESSION_LOCK_LOST, "The session lock has expired", {symbol("tracking-id"): "1"})
"""The SDK cannot read an error without its third part."""


class Fault(Enum):
    """What happens to one batch that is sent."""

    DIES_BEFORE_STORING = auto()
    DIES_HALF_STORED = auto()
    DIES_AFTER_STORING = auto()
    DROPS_BEFORE_STORING = auto()
    """The connection; the broker lives on."""
    DROPS_AFTER_STORING = auto()
    DETACHES = auto()
    """Only the link."""
    REFUSES = auto()
    IS_BUSY = auto()
    RELEASES = auto()
    ANSWERS_LATE = auto()
    """Stored at once, acknowledged after `late_seconds`."""
    NEVER_ANSWERS = auto()
    """Stored."""


_DYING = {Fault.DIES_BEFORE_STORING, Fault.DIES_HALF_STORED, Fault.DIES_AFTER_STORING}
_DROPPING = {Fault.DROPS_BEFORE_STORING, Fault.DROPS_AFTER_STORING}
_UNSTORED = {Fault.DIES_BEFORE_STORING, Fault.DROPS_BEFORE_STORING, Fault.DETACHES, Fault.REFUSES, Fault.IS_BUSY}


class AmqpBroker:
    def __init__(  # noqa: PLR0913  all by name, and most as Service Bus has them
        self,
        queues: Collection[str],
        *,
        lock_seconds: float = 30,
        max_delivery_count: int = 3,
        duplicate_window_seconds: float = 600,
        late_seconds: float = 3,
        present: Callable[[], float] = time.time,
    ) -> None:
        self.port = _free_port()
        self.batches: list[list[str]] = []
        """The message ids of each batch that arrived, whatever became of it."""
        self.batch_bytes: list[int] = []
        self.connections = 0
        """How many were ever accepted."""
        self.peeks = 0
        self.authorizes = True
        self.repeats_completed = 0
        """How many of the next completed messages are delivered again nevertheless."""
        self.late_seconds = late_seconds
        self._faults: deque[Fault | None] = deque()
        self._guard = threading.RLock()
        self._queues: dict[str, SessionQueue] = {}
        for name in queues:
            dead = SessionQueue(
                present,
                lock_seconds=lock_seconds,
                max_delivery_count=max_delivery_count,
                duplicate_window_seconds=duplicate_window_seconds,
                dead_letters=None,
            )
            self._queues[name + DEAD_LETTER_SUFFIX] = dead
            self._queues[name] = SessionQueue(
                present,
                lock_seconds=lock_seconds,
                max_delivery_count=max_delivery_count,
                duplicate_window_seconds=duplicate_window_seconds,
                dead_letters=dead,
            )
        self._listening = threading.Event()
        self._endpoint = _Endpoint(self)
        self._injector = EventInjector()
        self._thread = threading.Thread(target=self._run, name="amqp broker", daemon=True)
        self._thread.start()
        self._wait_until_listening()

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://localhost:{self.port};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        )

    def meet(self, *faults: Fault | None) -> None:
        """The next batches meet these, in this order; None is no fault."""
        with self._guard:
            self._faults.extend(faults)

    def bodies(self, queue: str) -> list[str]:
        """What is in the queue, held or not."""
        with self._guard:
            return [message.body.decode() for message in self._queues[queue].messages]

    def has_lock(self, queue: str) -> bool:
        with self._guard:
            return self._queues[queue].has_lock()

    def wait_for_a_waiting_link(self) -> bool:
        """Until a receiving link waits for a session; False when none does after ten seconds."""
        return self._endpoint.has_waiting.wait(10)

    def drop_connections(self) -> None:
        self._call(self._endpoint.abort_all)

    def die(self) -> None:
        self._call(self._endpoint.die)

    def restart(self) -> None:
        self._call(self._endpoint.listen)
        self._wait_until_listening()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._injector.trigger(ApplicationEvent("stopping"))
            self._thread.join(10)
            for descriptor in self._injector.pipe:
                os.close(descriptor)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        container = Container(self._endpoint)
        self._endpoint.container = container
        container.selectable(self._injector)
        container.run()

    def _call(self, act: Callable[[], None]) -> None:
        done = threading.Event()

        def act_and_tell() -> None:
            act()
            done.set()

        self._injector.trigger(ApplicationEvent("call", subject=act_and_tell))
        assert done.wait(10)

    def _wait_until_listening(self) -> None:
        assert self._listening.wait(10)

    def _next_fault(self) -> Fault | None:
        return self._faults.popleft() if self._faults else None


class _Endpoint(Handler):
    """The protocol. All of it runs in the broker's thread."""

    def __init__(self, broker: AmqpBroker) -> None:
        super().__init__()
        self.container: Container | None = None
        self._broker = broker
        self._acceptor: Any = None
        self._transports: list[Transport] = []
        self._replies: dict[tuple[str, str], Link] = {}
        """The links for answers, by connection and address."""
        self._receivers: dict[str, tuple[Link, str, str | None]] = {}
        """By name, the links that messages go out on, with their queue, and their session where there is one."""
        self._waiting: list[tuple[Link, str, float]] = []
        """Links that wait for the next free session of a queue, and until when."""
        self.has_waiting = threading.Event()
        self._looks_again = False
        self._deliveries: dict[str, StoredMessage] = {}
        self._tags = 0

    # Coming and going

    def on_reactor_init(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self.listen()

    def listen(self) -> None:
        self._acceptor = self.container.listen(f"127.0.0.1:{self._broker.port}")
        self._broker._listening.set()

    def die(self) -> None:
        self._broker._listening.clear()
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        self.abort_all()

    def abort_all(self) -> None:
        for transport in list(self._transports):
            self._abort(transport)

    def _abort(self, transport: Transport) -> None:
        """As when the process or the network is gone: nothing is said, the socket is closed."""
        if transport in self._transports:
            self._transports.remove(transport)
        connection = transport.connection
        selectable = transport._selectable
        if selectable is not None:
            selectable.terminate()
            selectable._transport = None
            transport._selectable = None
            selectable.update()
        if connection is not None:
            self._forget(connection)

    def on_call(self, event: Event) -> None:
        event.subject()

    def on_stopping(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self.die()
        self.container.schedule(0, _Later(self.container.stop))  # after the sockets were closed

    def on_connection_remote_open(self, event: Event) -> None:
        self._broker.connections += 1
        self._transports.append(event.transport)
        event.connection.container = "broker"
        event.connection.open()

    def on_session_remote_open(self, event: Event) -> None:
        event.session.open()

    def on_session_remote_close(self, event: Event) -> None:
        event.session.close()

    def on_connection_remote_close(self, event: Event) -> None:
        event.connection.close()

    def on_transport_closed(self, event: Event) -> None:
        if event.transport in self._transports:
            self._transports.remove(event.transport)
        if event.connection is not None:
            self._forget(event.connection)

    def _forget(self, connection: Connection) -> None:
        for link, _, _ in list(self._receivers.values()):
            if link.connection == connection:
                self._release(link)
        self._waiting = [each for each in self._waiting if each[0].connection != connection]

    def _release(self, link: Link) -> None:
        _, queue, _ = self._receivers.pop(link.name)
        with self._broker._guard:
            self._broker._queues[queue].release(link.name)
        self._push_all()

    def on_link_remote_close(self, event: Event) -> None:
        self._waiting = [each for each in self._waiting if each[0] != event.link]
        if event.link.name in self._receivers:
            self._release(event.link)
        event.link.close()

    on_link_remote_detach = on_link_remote_close

    # Links

    def on_link_remote_open(self, event: Event) -> None:
        link = event.link
        if link.is_receiver:
            self._open_incoming(link)
        else:
            self._open_outgoing(link)

    def _open_incoming(self, link: Link) -> None:
        address = wire.entity_of(link.remote_target.address)
        if not self._is_known(address):
            self._refuse(link, "amqp:not-found", f"There is no {address}")
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.max_message_size = ulong(_MESSAGE_BYTES)
        link.open()
        link.flow(_CREDIT)

    def _open_outgoing(self, link: Link) -> None:
        address = wire.entity_of(link.remote_source.address)
        if not self._is_known(address):
            self._refuse(link, "amqp:not-found", f"There is no {address}")
        elif address == "$cbs" or address.endswith(_MANAGEMENT_SUFFIX):
            self._replies[link.connection.remote_container, address] = link
            self._attach(link)
        else:
            self._open_receiver(link, self._queue_name(address))

    def _open_receiver(self, link: Link, queue: str) -> None:
        session_filter = _read(link.remote_source.filter)
        if wire.SESSION_FILTER not in session_filter:
            if not queue.endswith(DEAD_LETTER_SUFFIX):
                self._refuse(link, "amqp:not-allowed", "An entity that requires sessions takes session receivers only")
                return
            self._receivers[link.name] = (link, queue, None)
            self._attach(link)
            return
        session_id = session_filter[wire.SESSION_FILTER]
        session_id = session_id.value if hasattr(session_id, "value") else session_id
        if session_id is not None:
            if not self._give_session(link, queue, session_id):
                self._refuse(link, wire.SESSION_CANNOT_BE_LOCKED, "The session is locked by another")
            return
        if not self._give_session(link, queue, None):
            milliseconds = _read(link.remote_properties).get(wire.TIMEOUT, 60_000)
            self._waiting.append((link, queue, time.monotonic() + milliseconds / 1000))
            self.has_waiting.set()
            self._look_later()

    def _give_session(self, link: Link, queue: str, session_id: str | None) -> bool:
        with self._broker._guard:
            given = self._broker._queues[queue].lock_session(link.name, session_id)
        if given is None:
            return False
        session_id, locked_until = given
        self._receivers[link.name] = (link, queue, session_id)
        link.source.address = link.remote_source.address
        link.source.filter.put_dict({symbol(wire.SESSION_FILTER): session_id})
        link.target.copy(link.remote_target)
        link.properties = {symbol(wire.LOCKED_UNTIL): wire.ticks(locked_until)}
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.open()
        return True

    def _attach(self, link: Link) -> None:
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.open()

    def _refuse(self, link: Link, condition: str, description: str) -> None:
        """An attachment without terminus, and its end with the reason: as AMQP has it."""
        link.source.type = Terminus.UNSPECIFIED
        link.target.type = Terminus.UNSPECIFIED
        link.open()
        link.condition = Condition(condition, description)
        link.close()

    def _queue_name(self, address: str) -> str:
        return address.removesuffix(_MANAGEMENT_SUFFIX).replace("$DeadLetterQueue", "$deadletterqueue")

    def _is_known(self, address: str) -> bool:
        return address == "$cbs" or self._queue_name(address) in self._broker._queues

    def _look_later(self) -> None:
        if not self._looks_again:
            self._looks_again = True
            self.container.schedule(_LOOK_SECONDS, _Later(self._look))

    def _look(self) -> None:
        self._looks_again = False
        waiting, self._waiting = self._waiting, []
        for link, queue, until in waiting:
            if self._give_session(link, queue, None):
                continue
            if time.monotonic() >= until:
                self._refuse(link, wire.TIMEOUT, "No session became free in time")
            else:
                self._waiting.append((link, queue, until))
        if self._waiting:
            self._look_later()

    # Messages out

    def on_link_flow(self, event: Event) -> None:
        if event.link.name in self._receivers:
            self._push(event.link.name)
            if event.link.drain_mode:
                event.link.drained()

    def _push_all(self) -> None:
        for name in list(self._receivers):
            self._push(name)

    def _push(self, name: str) -> None:
        link, queue, session_id = self._receivers[name]
        with self._broker._guard:
            state = self._broker._queues[queue]
            if link.credit <= 0 or (session_id is not None and not state.holds(name, session_id)):
                return
            taken = state.take(name, session_id, link.credit)
            locked_until = None if session_id is not None else time.time() + _MESSAGE_LOCK_SECONDS
        for message in taken:
            self._tags += 1
            tag = f"{self._tags:016d}"
            self._deliveries[tag] = message
            link.delivery(tag)
            link.stream(wire.delivered(message, locked_until).encode())
            link.advance()

    # Messages in, and outcomes

    def on_delivery(self, event: Event) -> None:
        delivery = event.delivery
        if event.link.is_sender:
            if delivery.updated:
                self._settled_by_receiver(event.link, delivery)
        elif delivery.readable and not delivery.partial:
            encoded = event.link.recv(delivery.pending)
            event.link.advance()
            event.link.flow(1)
            address = wire.entity_of(event.link.remote_target.address)
            if address == "$cbs" or address.endswith(_MANAGEMENT_SUFFIX):
                request = Message()
                request.decode(encoded)
                delivery.update(Delivery.ACCEPTED)
                delivery.settle()
                self._answer(event.link.connection, address, request)
            else:
                self._accept(event, address, encoded)

    def _settled_by_receiver(self, link: Link, delivery: Delivery) -> None:
        message = self._deliveries.pop(delivery.tag, None)
        if message is None or link.name not in self._receivers:
            return
        _, queue, session_id = self._receivers[link.name]
        outcome = delivery.remote_state
        with self._broker._guard:
            state = self._broker._queues[queue]
            if message.holder != link.name or (session_id is not None and not state.holds(link.name, session_id)):
                delivery.local.condition = _LOST_LOCK
                delivery.update(Delivery.REJECTED)
                delivery.settle()
                return
            if outcome == Disposition.ACCEPTED and self._broker.repeats_completed:
                self._broker.repeats_completed -= 1
                state.give_back(message, counted=True)
            elif outcome == Disposition.ACCEPTED:
                state.complete(message)
            elif outcome == Disposition.REJECTED:
                state.bury(message)
            else:
                state.give_back(message, counted=outcome == Disposition.MODIFIED)
        if not delivery.settled:
            delivery.local.failed = delivery.remote.failed
            delivery.update(outcome)
        delivery.settle()
        self._push_all()

    def _accept(self, event: Event, queue: str, encoded: bytes) -> None:
        delivery = event.delivery
        messages = wire.messages_of_batch(encoded)
        with self._broker._guard:
            self._broker.batches.append([str(message.id) for message in messages])
            self._broker.batch_bytes.append(len(encoded))
            fault = self._broker._next_fault()
            stored = [wire.stored(message) for message in messages]
            if fault is Fault.DIES_HALF_STORED:
                stored = stored[: len(stored) // 2]
            if fault not in _UNSTORED and fault is not Fault.RELEASES:
                self._broker._queues[queue].accept(stored)
        if fault in _DYING:
            self.die()
        elif fault in _DROPPING:
            self._abort(event.transport)
        elif fault is Fault.DETACHES:
            event.link.condition = Condition("amqp:link:detach-forced", "The link is idle")
            event.link.close()
        elif fault is Fault.ANSWERS_LATE:
            self.container.schedule(self._broker.late_seconds, _Later(lambda: self._accepted(event.link, delivery)))
        elif fault in {Fault.REFUSES, Fault.IS_BUSY}:
            condition = wire.SERVER_BUSY if fault is Fault.IS_BUSY else "amqp:resource-limit-exceeded"
            delivery.local.condition = Condition(condition, "Not now", {symbol("tracking-id"): "1"})
            delivery.update(Delivery.REJECTED)
            delivery.settle()
        elif fault is Fault.RELEASES:
            delivery.update(Delivery.RELEASED)
            delivery.settle()
        elif fault is None:
            self._accepted(event.link, delivery)
        self._push_all()

    def _accepted(self, link: Link, delivery: Delivery) -> None:
        if link.connection.transport in self._transports:
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()

    # Requests

    def _answer(self, connection: Connection, address: str, request: Message) -> None:
        if address == "$cbs":
            answer = wire.token_answer(request, 202 if self._broker.authorizes else 401)
        else:
            answer = self._managed(self._queue_name(address), request)
        link = self._replies[connection.remote_container, address]
        link.send(answer)

    def _managed(self, queue: str, request: Message) -> Message:
        operation = request.properties["operation"]
        if operation == "com.microsoft:peek-message":
            return self._peek(queue, request)
        if operation == "com.microsoft:renew-session-lock":
            return self._renew_session(queue, request)
        if operation == "com.microsoft:renew-lock":
            return wire.answer(request, 200, "OK", wire.renewed_messages(time.time() + _MESSAGE_LOCK_SECONDS))
        if operation == "com.microsoft:update-disposition":
            # Only asked after the receiving link was lost, and with it the locks.
            return wire.answer(request, 410, "The session lock has expired", {}, condition=wire.SESSION_LOCK_LOST)
        return wire.answer(request, 501, f"{operation} is not known here", {}, condition="amqp:not-implemented")

    def _renew_session(self, queue: str, request: Message) -> Message:
        holder = request.properties[wire.ASSOCIATED_LINK]
        with self._broker._guard:
            locked_until = self._broker._queues[queue].renew_session(holder, request.body["session-id"])
        if locked_until is None:
            return wire.answer(request, 410, "The session lock has expired", {}, condition=wire.SESSION_LOCK_LOST)
        return wire.answer(request, 200, "OK", wire.renewed_session(locked_until))

    def _peek(self, queue: str, request: Message) -> Message:
        with self._broker._guard:
            self._broker.peeks += 1
            found = self._broker._queues[queue].peek(
                request.body.get("session-id"), request.body["from-sequence-number"], request.body["message-count"]
            )
        if not found:
            return wire.answer(request, 204, "There is none", {})
        return wire.answer(request, 200, "OK", wire.peeked(found))


class _Later(Handler):
    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def on_timer_task(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self._act()


def _read(properties: Any) -> dict[str, Any]:
    """What Proton gives as a dictionary, as its own `Data`, or as nothing."""
    if isinstance(properties, Data):
        properties.rewind()
        properties = properties.get_dict() if properties.next() else None
    return {str(key): value for key, value in (properties or {}).items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
