"""Answers to requests: tokens on `$cbs`, peeking and renewing locks on `$management`."""

import time
from typing import TYPE_CHECKING

from proton import Link, Message

from tests.doubles.servers.amqp_broker import wire
from tests.doubles.servers.amqp_broker.session_queue import MESSAGE_LOCK_SECONDS

if TYPE_CHECKING:
    from tests.doubles.servers.amqp_broker.broker import AmqpBroker

_TOKENS = "$cbs"
_MANAGEMENT_SUFFIX = "/$management"


def takes_requests(address: str) -> bool:
    return address == _TOKENS or address.endswith(_MANAGEMENT_SUFFIX)


def queue_of(address: str) -> str:
    """The queue's name in an address, which may be that of its management."""
    return address.removesuffix(_MANAGEMENT_SUFFIX).replace("$DeadLetterQueue", "$deadletterqueue")


class Requests:
    def __init__(self, broker: "AmqpBroker") -> None:
        self._broker = broker
        self._replies: dict[tuple[str, str], Link] = {}
        """The links on which answers go out, by the client's container and the address."""

    def is_known(self, address: str) -> bool:
        return address == _TOKENS or queue_of(address) in self._broker.queues

    def answer_on(self, link: Link, address: str) -> None:
        self._replies[link.connection.remote_container, address] = link

    def answer(self, container: str, address: str, request: Message) -> None:
        if address == _TOKENS:
            answer = wire.token_answer(request, 202 if self._broker.authorizes else 401)
        else:
            answer = self._managed(queue_of(address), request)
        self._replies[container, address].send(answer)

    def _managed(self, queue: str, request: Message) -> Message:
        match request.properties["operation"]:
            case "com.microsoft:peek-message":
                return self._peek(queue, request)
            case "com.microsoft:renew-session-lock":
                return self._renew_session(queue, request)
            case "com.microsoft:renew-lock":
                return wire.answer(request, 200, "OK", wire.renewed_messages(time.time() + MESSAGE_LOCK_SECONDS))
            case "com.microsoft:update-disposition":
                # Only asked after the receiving link was lost, and with it the locks.
                return _lock_lost(request)
            case operation:
                description = f"{operation} is not known here"
                return wire.answer(request, 501, description, {}, condition="amqp:not-implemented")

    def _renew_session(self, queue: str, request: Message) -> Message:
        holder = request.properties[wire.ASSOCIATED_LINK]
        with self._broker.guard:
            locked_until = self._broker.queues[queue].renew_session(holder, request.body["session-id"])
        if locked_until is None:
            return _lock_lost(request)
        return wire.answer(request, 200, "OK", wire.renewed_session(locked_until))

    def _peek(self, queue: str, request: Message) -> Message:
        with self._broker.guard:
            self._broker.peeks += 1
            found = self._broker.queues[queue].peek(
                request.body.get("session-id"), request.body["from-sequence-number"], request.body["message-count"]
            )
        if not found:
            return wire.answer(request, 204, "There is none", {})
        return wire.answer(request, 200, "OK", wire.peeked(found))


def _lock_lost(request: Message) -> Message:
    return wire.answer(request, 410, "The session lock has expired", {}, condition=wire.SESSION_LOCK_LOST)
