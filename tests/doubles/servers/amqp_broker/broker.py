"""A broker for the SDK of Service Bus, over AMQP 1.0, with faults on demand.

It listens on a loopback port. It runs in a thread of its own. What it stores survives its deaths.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection

from proton.reactor import ApplicationEvent, Container, EventInjector

from tests.doubles.servers.amqp_broker.endpoint import Endpoint
from tests.doubles.servers.amqp_broker.faults import Fault
from tests.doubles.servers.amqp_broker.session_queue import DEAD_LETTER_SUFFIX, SessionQueue


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
        """How many of the next completed messages are delivered once more."""
        self.late_seconds = late_seconds
        self._faults: deque[Fault | None] = deque()
        self.guard = threading.RLock()
        self.queues: dict[str, SessionQueue] = {}
        """By name, those of dead letters among them; only under `guard`."""
        for name in queues:
            dead = SessionQueue(
                present,
                lock_seconds=lock_seconds,
                max_delivery_count=max_delivery_count,
                duplicate_window_seconds=duplicate_window_seconds,
                dead_letters=None,
            )
            self.queues[name + DEAD_LETTER_SUFFIX] = dead
            self.queues[name] = SessionQueue(
                present,
                lock_seconds=lock_seconds,
                max_delivery_count=max_delivery_count,
                duplicate_window_seconds=duplicate_window_seconds,
                dead_letters=dead,
            )
        self.listening = threading.Event()
        self._endpoint = Endpoint(self)
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
        """Let the next batches meet these faults, in this order; None is no fault."""
        with self.guard:
            self._faults.extend(faults)

    def bodies(self, queue: str) -> list[str]:
        """The messages in the queue, held or not."""
        with self.guard:
            return [message.body.decode() for message in self.queues[queue].messages]

    def has_lock(self, queue: str) -> bool:
        with self.guard:
            return self.queues[queue].has_lock()

    def wait_for_a_waiting_link(self) -> bool:
        """Wait until a receiving link waits for a session.

        False where none does within ten seconds.
        """
        return self._endpoint.receivers.has_waiting.wait(10)

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
        """Do something in the broker's thread, and wait until it is done."""
        done = threading.Event()

        def act_and_tell() -> None:
            act()
            done.set()

        self._injector.trigger(ApplicationEvent("call", subject=act_and_tell))
        assert done.wait(10)

    def _wait_until_listening(self) -> None:
        assert self.listening.wait(10)

    def next_fault(self) -> Fault | None:
        return self._faults.popleft() if self._faults else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
