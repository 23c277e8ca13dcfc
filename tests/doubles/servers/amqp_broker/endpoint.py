"""The broker's side of AMQP: connections, the links that clients open, and the batches that they send."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proton import Condition, Connection, Delivery, Event, Handler, Link, Message, Transport, ulong

from tests.doubles.servers.amqp_broker import links, wire
from tests.doubles.servers.amqp_broker.faults import Fault
from tests.doubles.servers.amqp_broker.links import Later
from tests.doubles.servers.amqp_broker.receivers import Receivers
from tests.doubles.servers.amqp_broker.requests import Requests, queue_of, takes_requests

if TYPE_CHECKING:
    from proton.reactor import Container

    from tests.doubles.servers.amqp_broker.broker import AmqpBroker

_CREDIT = 100
_MESSAGE_BYTES = 256 * 1024


class Endpoint(Handler):
    """Proton calls its `on_...` methods, all of them in the broker's thread."""

    def __init__(self, broker: "AmqpBroker") -> None:
        super().__init__()
        self.container: Container | None = None
        self.receivers = Receivers(broker, self._schedule)
        self._requests = Requests(broker)
        self._broker = broker
        self._acceptor: Any = None
        self._transports: list[Transport] = []

    def _schedule(self, seconds: float, act: Callable[[], None]) -> None:
        self.container.schedule(seconds, Later(act))

    # Connections

    def on_reactor_init(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self.listen()

    def listen(self) -> None:
        self._acceptor = self.container.listen(f"127.0.0.1:{self._broker.port}")
        self._broker.listening.set()

    def die(self) -> None:
        self._broker.listening.clear()
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        self.abort_all()

    def abort_all(self) -> None:
        for transport in list(self._transports):
            self._abort(transport)

    def _abort(self, transport: Transport) -> None:
        """Close the socket without a word, as when the process or the network is gone."""
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
            self.receivers.forget(connection)

    def on_call(self, event: Event) -> None:
        """What another thread wants done in this one."""
        event.subject()

    def on_stopping(self, event: Event) -> None:  # noqa: ARG002  the signature is Proton's
        self.die()
        self._schedule(0, self.container.stop)  # after the sockets were closed

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
            self.receivers.forget(event.connection)

    # Links

    def on_link_remote_open(self, event: Event) -> None:
        link = event.link
        terminus = link.remote_target if link.is_receiver else link.remote_source
        address = wire.entity_of(terminus.address)
        if not self._requests.is_known(address):
            links.refuse(link, "amqp:not-found", f"There is no {address}")
        elif link.is_receiver:
            self._open_incoming(link)
        elif takes_requests(address):
            self._requests.answer_on(link, address)
            links.attach(link)
        else:
            self.receivers.open(link, queue_of(address))

    def _open_incoming(self, link: Link) -> None:
        link.max_message_size = ulong(_MESSAGE_BYTES)
        links.attach(link)
        link.flow(_CREDIT)

    def on_link_remote_close(self, event: Event) -> None:
        self.receivers.close(event.link)
        event.link.close()

    on_link_remote_detach = on_link_remote_close

    def on_link_flow(self, event: Event) -> None:
        self.receivers.flow(event.link)

    # Deliveries

    def on_delivery(self, event: Event) -> None:
        delivery = event.delivery
        if event.link.is_sender:
            if delivery.updated:
                self.receivers.settle(event.link, delivery)
        elif delivery.readable and not delivery.partial:
            encoded = event.link.recv(delivery.pending)
            event.link.advance()
            event.link.flow(1)
            address = wire.entity_of(event.link.remote_target.address)
            if takes_requests(address):
                self._take_request(event.link.connection, delivery, address, encoded)
            else:
                self._take_batch(event, address, encoded)

    def _take_request(self, connection: Connection, delivery: Delivery, address: str, encoded: bytes) -> None:
        request = Message()
        request.decode(encoded)
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        self._requests.answer(connection.remote_container, address, request)

    def _take_batch(self, event: Event, queue: str, encoded: bytes) -> None:
        fault = self._store(queue, encoded)
        self._answer(event, fault)
        self.receivers.push_all()

    def _store(self, queue: str, encoded: bytes) -> Fault | None:
        """Store what the next fault leaves of the batch, and say which fault that is."""
        messages = wire.messages_of_batch(encoded)
        with self._broker.guard:
            self._broker.batches.append([str(message.id) for message in messages])
            self._broker.batch_bytes.append(len(encoded))
            fault = self._broker.next_fault()
            stored = [wire.stored(message) for message in messages]
            if fault is Fault.DIES_HALF_STORED:
                stored = stored[: len(stored) // 2]
            if fault is None or fault.stores:
                self._broker.queues[queue].accept(stored)
        return fault

    def _answer(self, event: Event, fault: Fault | None) -> None:
        delivery = event.delivery
        if fault is None:
            self._accept(event.link, delivery)
        elif fault.kills:
            self.die()
        elif fault.drops_connection:
            self._abort(event.transport)
        elif fault is Fault.DETACHES:
            event.link.condition = Condition("amqp:link:detach-forced", "The link is idle")
            event.link.close()
        elif fault is Fault.ANSWERS_LATE:
            self._schedule(self._broker.late_seconds, lambda: self._accept(event.link, delivery))
        elif fault in {Fault.REFUSES, Fault.IS_BUSY}:
            name = wire.SERVER_BUSY if fault is Fault.IS_BUSY else "amqp:resource-limit-exceeded"
            delivery.local.condition = links.condition(name, "Not now")
            delivery.update(Delivery.REJECTED)
            delivery.settle()
        elif fault is Fault.RELEASES:
            delivery.update(Delivery.RELEASED)
            delivery.settle()

    def _accept(self, link: Link, delivery: Delivery) -> None:
        if link.connection.transport in self._transports:
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()
